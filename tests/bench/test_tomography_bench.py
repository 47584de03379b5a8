"""The bench of tomography, on a tiny scan."""

from functools import partial
from pathlib import Path

import pytest
from store_build import BUILD

from zipsgd_bench import tomography
from zipsgd_bench.progress import Steps
from zipsgd_bench.tomography_runs import Configuration, Study, few_bits_of
from zipsgd_sim.board import VirtualBoard

TINY = Study(
    "foam",
    12,
    10,
    4,
    (
        *few_bits_of("uniform", "one-draw", 2, 6),
        *few_bits_of("uniform", "naive", 2),
        Configuration("optimal", "one-draw", 1, 2),
    ),
    photons=1e5,
)


def test_small_run(tmp_path: Path) -> None:
    result = tomography.run([TINY], [], [])
    exact, two, six, naive, then = result["rows"]
    assert exact["over float"] == exact["times fewer than float32, whole runs"] == 1
    assert 0.99 < six["over float"] < two["over float"] < naive["over float"]
    assert six["epochs until near float"] <= 4
    pixels = tomography.rays_of(TINY)["unknowns"]
    assert two["bytes a ray"] == 2 + 2 * -(-(pixels + 1) // 8)
    assert then["bytes a ray"] == 2 + 1.5 * -(-(pixels + 1) // 8)
    assert exact["bytes a ray"] == 4 * (pixels + 1)
    errors = result["errors by epoch"][TINY.name]
    assert [len(each) for each in errors.values()] == [4] * 5
    assert errors["uniform one-draw 6"][-1] == six["error"]
    assert result["met"] == all(row["met"] for row in result["goals"])
    fewer = result["goals"][-2]
    near = [row for row in (two, six, then) if row["over float"] <= 1.1]
    assert fewer["found"] == max(row["times fewer than float32, whole runs"] for row in near)
    tomography.plot(result, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_a_board_has_the_bits_of_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rays lie in the store of a board without a proximal step."""
    monkeypatch.setattr("zipsgd_sim.board.VirtualBoard", partial(VirtualBoard, optimise=1))
    study = Study("foam", 8, 5, 2)
    with Steps(2) as steps:
        rows = tomography.on_boards([study], [("a small build", BUILD, None)], steps)
    assert [row["differing words"] for row in rows] == [0, 0]
    assert [row["estimator"] for row in rows] == ["one-draw", "double"]
    assert all(row["cycles"] > 0 and row["error"] < 1 for row in rows)
    assert {row["samples"] for row in rows} == {"in the store"}


def test_rays() -> None:
    row = tomography.rays_of(Study("foam", 64, 4, 1))
    assert row["dense, float32"] == 4 * row["unknowns"]
    assert row["dense, 4 bits"] == 4 * -(-row["unknowns"] // 8) > row["sparse, float32"]
    assert row["sparse, float32"] == pytest.approx(6 * row["pixels met"])


def test_goals() -> None:
    def row(estimator: str, error: float) -> dict[str, object]:
        told = {"study": "s", "levels": "uniform", "estimator": estimator, "bits": 3, "then": None}
        return {**told, "error": error, "over float": error, "times fewer than float32, whole runs": 10.0}

    rows = [row("one-draw", 1.0), row("naive", 2.0), row("double", 2.5)]
    goals = tomography._goals(rows, [{"differing words": 1}])
    assert [goal["met"] for goal in goals] == [True, False, True, False]
