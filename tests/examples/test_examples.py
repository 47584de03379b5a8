"""Each example runs in small, prints what it promises, and writes its figure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SEEN = {
    "first_light",
    "precision_sweep",
    "sparse_model",
    "digits_classifier",
    "custom_loss",
    "virtual_board_waveform",
    "core_in_your_design",
    "sdram_alone",
    "my_board",
    "train_beside_a_sensor",
}
LENGTHS = {"core_in_your_design": 110, "sdram_alone": 110, "train_beside_a_sensor": 150}
"""Most lines of the examples that have a design of their own."""


def run(name: str, folder: Path) -> list[str]:
    """Lines that the example prints, run in ``folder``."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", "--small"],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def numbers(line: str) -> list[float]:
    return [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?", line)]


def after(lines: list[str], start: str) -> str:
    """The rest of the one line that begins with ``start``."""
    (line,) = [line for line in lines if line.startswith(start)]
    return line.removeprefix(start)


def picture(path: Path, width: int, height: int) -> npt.NDArray[np.float64]:
    """The picture's colours, of which there are some."""
    pixels: npt.NDArray[np.float64] = image.imread(path)[..., :3]
    assert pixels.shape == (height, width, 3)
    assert np.ptp(pixels, axis=2).max() > 0.3
    return pixels


def read_groups(path: Path) -> dict[str, set[str]]:
    """Names of signals by group of a save file."""
    groups: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("-"):
            names = groups.setdefault(line[1:], set())
        elif line[0] not in "@[":
            names.add(line.rpartition(".")[2].partition("[")[0])
    return groups


def test_every_example_is_seen_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SEEN


@pytest.mark.parametrize("name", sorted(SEEN))
def test_it_is_short_and_says_what_comes_out(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text()
    assert "You learn" in text
    assert "What comes out" in text
    assert len(text.splitlines()) < LENGTHS.get(name, 60)


def test_first_light(tmp_path: Path) -> None:
    lines = run("first_light", tmp_path)
    exact, draw, naive = (numbers(after(lines, run)) for run in ("float64  ", "one draw", "naive"))
    assert (exact[0], draw[0], naive[0]) == (64, 3, 3)
    assert exact[1] < draw[1] < 1.02 * exact[1] < 1.1 * exact[1] < naive[1]  # losses
    assert naive[2] < draw[2] < exact[2]  # R2
    for name, true in {"size": 2, "rooms": 10, "age": -1}.items():
        found, said = numbers(after(lines, name))
        assert said == true
        assert found == pytest.approx(true, rel=0.15)
    assert numbers(after(lines, "R2 on new rows"))[0] > 0.94


def test_precision_sweep(tmp_path: Path) -> None:
    lines = run("precision_sweep", tmp_path)
    assert lines[0] == "final loss over that of float64 SGD"
    assert numbers(after(lines, "base bits")) == [1, 2, 3]
    naive = numbers(after(lines, "naive, uniform levels"))
    double = numbers(after(lines, "double sampling, uniform levels"))
    optimal = numbers(after(lines, "double sampling, optimal levels"))
    assert naive == sorted(naive, reverse=True)
    assert naive[0] > 2
    one_draw = numbers(after(lines, "one draw, uniform levels"))
    assert max(double + optimal + one_draw) < 1.1
    assert all(one < other for one, other in zip(double, naive, strict=True))
    picture(tmp_path / after(lines, "wrote "), 2280, 540)


def test_sparse_model(tmp_path: Path) -> None:
    lines = run("sparse_model", tmp_path)
    found = [line for line in lines if line.startswith("l1 ")]
    kept, lasso = (
        [set(numbers(line.partition(":")[2])) for line in lines if line.startswith(start)]
        for start in ("    zipsgd, weights above 1 % of the largest:", "    scikit-learn's Lasso, likewise:")
    )
    zeros = [numbers(line.partition(", ")[2])[0] for line in found]
    scores = [numbers(line.partition("R2")[2])[0] for line in found]
    assert len(kept) == len(lasso) == 4
    assert all(len(one ^ other) <= 1 for one, other in zip(kept, lasso, strict=True))
    assert kept[2] == {0, 1, 2, 3, 4}
    assert kept[0] > kept[1] > kept[2] > kept[3]
    assert zeros == sorted(zeros)
    assert zeros[-1] == 20 - len(kept[-1])
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.9


def test_digits_classifier(tmp_path: Path) -> None:
    lines = run("digits_classifier", tmp_path)
    table = [numbers(line) for line in lines if re.match(r" +\d+  ", line)]
    assert [row[0] for row in table] == [1, 2, 3, 4, 5]
    assert min(table[-1][1:]) > 0.94
    assert table[-1][1] > table[0][1]
    assert "4 bits a value, 359 rows held out" in lines
    counts = [numbers(line) for line in lines if "taken for" in line]
    assert len(counts) == 3
    assert all(digit != other for digit, other, _ in counts)
    assert [count for _, _, count in counts] == sorted((count for _, _, count in counts), reverse=True)
    assert counts[-1][2] > 0
    pixels = picture(tmp_path / after(lines, "wrote "), 1200, 528)
    red, blue = pixels[..., 0], pixels[..., 2]
    assert (red - blue).max() > 0.3  # weights of both signs
    assert (blue - red).max() > 0.3


def test_custom_loss(tmp_path: Path) -> None:
    lines = run("custom_loss", tmp_path)
    squares, own = numbers(after(lines, "least squares")), numbers(after(lines, "asymmetric  "))
    assert (squares[0], own[0]) == (5, 9)  # bits a value
    assert own[1] < 0.75 * squares[1]  # predictions too low
    assert own[2] < 0.75 * squares[2]  # shortfall
    assert own[3] > 1.25 * squares[3]  # excess
    assert own[2] * 5 + own[3] < squares[2] * 5 + squares[3]  # about what it minimises
    assert re.search(r"degree 5 in the residual from -1 to 1, off by at most 0\.02\d$", lines[0])
    picture(tmp_path / after(lines, "wrote "), 720, 600)


def test_virtual_board_waveform(tmp_path: Path) -> None:
    lines = run("virtual_board_waveform", tmp_path)
    board, emulator = (numbers(after(lines, name)) for name in ("sim ", "emulator "))
    assert board[:2] == emulator[:2]
    cycles, planes = board[2:]
    assert planes == 24 * 3 * 4  # samples, chunks of 4 lanes, planes
    assert planes < cycles
    assert len(emulator) == 2
    assert "all bits are the same" in lines
    folder = tmp_path / "build/examples"
    shown = read_groups(folder / "board.gtkw")
    told = [re.match(r"  group (\w+) +([\w, ]+):", line) for line in lines if line.startswith("  group ")]
    assert len(told) == 4
    for match in told:
        assert match
        group, signals = match.groups()
        assert set(signals.split(", ")) <= shown[group]
    with (folder / "board.vcd").open() as waveform:
        assert any("$enddefinitions" in line for line in waveform)
        assert sum(1 for _ in waveform) > 10_000
    for path in re.findall(r"build/examples/\S+", "\n".join(lines)):
        assert (tmp_path / path).exists()


def test_core_in_your_design(tmp_path: Path) -> None:
    head, *rows = run("core_in_your_design", tmp_path)
    assert head.split()[0] == "epoch"
    table = [numbers(row) for row in rows]
    assert [row[0] for row in table] == [1, 2]
    assert all(gateware == golden and not different for _, gateware, golden, different in table)
    assert 0 < table[1][1] < 0.9 * table[0][1]


def test_train_beside_a_sensor(tmp_path: Path) -> None:
    head, *lines = run("train_beside_a_sensor", tmp_path)
    assert head.split()[0] == "epoch"
    table = [numbers(row) for row in lines[:2]]
    assert [row[0] for row in table] == [1, 2]
    assert all(gateware == golden for _, gateware, golden in table)
    assert table[1][1] < 0.5 * table[0][1]
    assert after(lines, "words that differ: ") == "0 of 11"
    assert after(lines, "values out of range: ") == "0, golden model: 0"
    played, learnt = (numbers(after(lines, f"echoes {which}:")) for which in ("played", "learnt"))
    assert len(played) == len(learnt) == 10
    assert max(abs(one - other) for one, other in zip(played, learnt, strict=True)) < 0.2


def test_my_board(tmp_path: Path) -> None:
    """It is no program, but a file for ``zipsgd build`` and ``zipsgd report``."""
    for words in (["build", "--prepare-only", "--board"], ["report"]):
        done = subprocess.run(
            [sys.executable, "-m", "zipsgd", *words, EXAMPLES / "my_board.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[0].split() == ["board", "my-board"]
    assert (tmp_path / "build" / "my-board" / "my-board.v").exists()


def test_sdram_alone(tmp_path: Path) -> None:
    lines = [line for line in run("sdram_alone", tmp_path) if not line.startswith("building")]
    good, *first, bad, _, last = lines
    assert good == "a good chip"
    assert bad == "a word in 10000 is stored wrongly"
    table = [numbers(line) for line in (*first, last)]
    assert all(98 < share < 99 for _, _, share, _ in table)
    assert sum(words for words, *_ in table[:2]) == pytest.approx(2 * 8 * 4096, abs=64)
    assert [errors for *_, errors in table[:2]] == [0, 0]
    assert 0 < table[2][3] < 20
