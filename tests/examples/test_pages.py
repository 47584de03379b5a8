"""The Python of README.md and of the documentation's pages runs as it is written, on any data of the right kind."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ELSEWHERE = {'"/dev/ttyUSB1"': '"emulator"', '"cadata"': '"diabetes"'}
"""What a page may ask for that a test has not: a board, and a set that is downloaded."""


def names() -> dict[str, Any]:
    """Data that pages take for granted."""
    rng = np.random.default_rng(1)
    X, y = rng.uniform(-1, 1, (60, 4)), rng.integers(0, 2, 60)
    return {
        **{
            "X": X,
            "y": y,
            "X_test": X,
            "y_test": y,
            "X_new": X,
            "parts": [(X[:30], y[:30]), (X[30:], y[30:])],
        },
        **{"values": rng.uniform(0, 5, 60), "w": np.ones(60)},
    }


@pytest.mark.parametrize(
    ("page", "blocks", "files"),
    [
        ("README.md", 2, set()),
        ("docs/first_light.md", 1, set()),
        ("docs/tutorials/host.md", 7, {"houses.csv", "model.json", "run.csv", "sweep.png"}),
        ("docs/losses.md", 1, set()),
        ("docs/levels.md", 3, set()),
        ("docs/estimators.md", 8, {"run.csv"}),
        ("docs/tomography.md", 1, set()),
        ("docs/sensor.md", 2, set()),
    ],
)
def test_a_page_runs(
    page: str, blocks: int, files: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert len(found) == blocks
    space = names()
    for block in found:
        for here, there in ELSEWHERE.items():
            block = block.replace(here, there)
        exec(compile(block, page, "exec"), space)
    assert {path.name for path in tmp_path.iterdir()} == files


def test_the_way_from_the_example_to_a_build_is_that_of_the_page(tmp_path: Path) -> None:
    """Its commands, but for those that need tools or a board; and the error that it shows."""
    page = (ROOT / "docs" / "my_board.md").read_text()
    shutil.copytree(ROOT / "examples", tmp_path / "examples")

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        command = command.replace("zipsgd ", f"'{sys.executable}' -m zipsgd ", 1)
        return subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    commands = re.findall(r"^    \$ (.*)$", page.partition("## Build\n")[0], re.MULTILINE)
    copied, listed, prepared, reported, built = commands
    assert run(copied).returncode == 0
    assert "my-board " in run(listed).stdout.splitlines()[-1]
    assert "wrote build/my-board/build.json" in run(prepared).stdout
    assert (tmp_path / "build" / "my-board" / "my-board.v").exists()
    assert "predicted_epoch:" in run(reported).stdout.splitlines()
    mine = tmp_path / "my_board.py"
    mine.write_text(mine.read_text().replace("block_rams=30", "block_rams=0"))
    said = " ".join(run(built).stderr.split())
    assert said.startswith("zipsgd: my_board.py, line ")
    assert said in " ".join(page.split())
