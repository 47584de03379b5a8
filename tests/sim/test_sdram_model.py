"""The model of an SDRAM chip by itself, on scripts of commands: rules that a controller has no reason to come near to."""

import subprocess
from pathlib import Path

import pytest

import zipsgd_sim
from zipsgd_hw.store.sdram import SdramChip, SdramGeometry, SdramTiming
from zipsgd_sim.sdram import model_text

HERE = Path(__file__).parent
CHIP = SdramChip(
    SdramGeometry(data_bits=16, bank_bits=2, row_bits=11, column_bits=8),
    SdramTiming(3, 2, 5, 7, 2, 6, 2, refreshes=64, window_ns=64 * 200, init_ns=20, most_ras_ns=50),
)
BEGIN = (
    "wait 20 precharge 0 1024 - 0 wait 1 refresh 0 0 - 0 wait 5 refresh 0 0 - 0 wait 5 mode 0 51 - 0 wait 1 "
)
"""The initialisation."""
OPEN = BEGIN + "activate 1 7 - 0 wait 2 "
WORDS = " ".join(f"nothing 0 0 {word} 0" for word in range(101, 108))
WRITTEN = f"{OPEN} write 1 16 100 0 {WORDS} "


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("model") / "script"
    include = Path(zipsgd_sim.__file__).parent
    subprocess.run(
        [
            "g++",
            "-std=c++20",
            "-Wall",
            "-Wextra",
            "-Werror",
            f"-I{include}",
            HERE / "sdram_script.cpp",
            "-o",
            made,
        ],
        check=True,
    )
    return made


def run(program: Path, script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program, model_text(CHIP, 1e9)], input=script, capture_output=True, text=True, check=False
    )


def test_words_come_back(program: Path) -> None:
    """From the cycle of the CAS latency on, also after a refresh and after clk_en was low."""
    reads = "read 1 16 - 0 wait 2 " + "look wait 1 " * 8
    closed = "wait 1 precharge 1 0 - 0 wait 1 "
    slept = f"{closed} sleep 0 0 - 0 {BEGIN} activate 1 7 - 0 wait 2 "
    done = run(program, WRITTEN + reads + slept + reads)
    assert done.stderr == ""
    assert done.stdout.split() == 2 * [str(word) for word in range(100, 108)]


def test_masked_bytes_stay(program: Path) -> None:
    script = f"{WRITTEN} write 1 16 65535 1 {WORDS} read 1 16 - 0 wait 2 look"
    assert int(run(program, script).stdout) == 0xFF00 | 100


def test_content_is_unknown_at_first(program: Path) -> None:
    words = run(program, f"{OPEN} read 1 0 - 0 wait 2 " + "look wait 1 " * 8).stdout.split()
    assert len(set(words)) > 4


@pytest.mark.parametrize(
    ("rule", "script"),
    [
        ("initialisation", "wait 18 precharge 0 1024 - 0"),
        ("initialisation", "wait 20 precharge 0 0 - 0"),
        ("initialisation", "wait 20 refresh 0 0 - 0"),
        ("initialisation", "wait 20 activate 0 0 - 0"),
        ("initialisation", "wait 20 precharge 0 1024 - 0 wait 1 refresh 0 0 - 0 wait 5 mode 0 51 - 0"),
        ("initialisation", f"{OPEN} sleep 0 0 - 0 read 1 0 - 0"),
        ("mode", BEGIN.replace("mode 0 51", "mode 0 50")),
        ("mode", BEGIN.replace("mode 0 51", "mode 1 51")),
        ("open bank", f"{OPEN} wait 9 activate 1 8 - 0"),
        ("open bank", f"{OPEN} wait 9 refresh 0 0 - 0"),
        ("open bank", f"{OPEN} wait 9 mode 0 51 - 0"),
        ("closed row", f"{OPEN} read 0 0 - 0"),
        ("closed row", f"{OPEN} wait 3 precharge 1 0 - 0 wait 3 write 1 0 0 0"),
        ("address", f"{BEGIN} activate 0 2048 - 0"),
        ("address", f"{OPEN} read 1 4 - 0"),
        ("address", f"{OPEN} read 1 256 - 0"),
        ("whole bursts", f"{OPEN} read 1 1024 - 0"),
        ("whole bursts", f"{OPEN} read 1 0 - 0 wait 6 read 1 8 - 0"),
        ("whole bursts", f"{OPEN} read 1 0 - 0 wait 6 precharge 1 0 - 0"),
        ("whole bursts", f"{OPEN} read 1 0 - 0 wait 4 stop 0 0 - 0"),
        ("mask", f"{OPEN} read 1 0 - 1"),
        ("bus", f"{OPEN} write 1 0 - 0"),
        ("bus", f"{OPEN} write 1 0 5 0 wait 1"),
        ("bus", f"{BEGIN} nothing 0 0 5 0"),
        ("bus", f"{OPEN} read 1 0 - 0 wait 4 nothing 0 0 5 0"),
        ("bus", f"{OPEN} read 1 0 - 0 wait 10 write 1 8 5 0"),
        ("tREFI", f"{BEGIN} wait 393 refresh 0 0 - 0"),
        ("tREFI", f"{BEGIN} wait 392 refresh 0 0 - 0 wait 210"),
        ("longest tRAS", f"{OPEN} wait 50 read 1 0 - 0"),
        ("longest tRAS", f"{OPEN} wait 50 precharge 1 0 - 0"),
    ],
)
def test_a_broken_rule_ends_the_program(program: Path, rule: str, script: str) -> None:
    done = run(program, script)
    assert done.returncode == 4
    assert done.stderr.startswith(f"SDRAM: {rule} is broken in cycle "), done.stderr


def test_the_longest_wait_is_no_broken_rule(program: Path) -> None:
    """A write right after the bus has turned, a refresh right after the last chance, and each time to the cycle."""
    turned = (
        f"{OPEN} read 1 0 - 0 wait 11 write 1 8 5 0 {WORDS} wait 1 precharge 1 0 - 0 wait 1 refresh 0 0 - 0"
    )
    assert run(program, turned).stderr == ""
    assert run(program, f"{BEGIN} wait 392 refresh 0 0 - 0 wait 190").stderr == ""
