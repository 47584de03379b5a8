"""The Python of README.md and of the documentation's pages runs as it is written, on any data of the right kind."""

import re
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
