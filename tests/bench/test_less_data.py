"""The bench of bits a value at a small size; its goal is for ``zipsgd bench``."""

from pathlib import Path

import pytest

from zipsgd.data import Table
from zipsgd_bench import less_data
from zipsgd_bench.convergence import DRAWS


def test_small_run(small_table: Table, tmp_path: Path) -> None:
    begun: list[str] = []
    trials = less_data.Trials(small_table, seeds=(1,), epochs=3)
    rows = less_data.measure(trials, begun.append)
    assert len(begun) == len(less_data.PLANES)
    for estimator, kinds in less_data.PLANES.items():
        for kind in kinds:
            part = [row for row in rows if (row["estimator"], row["levels"]) == (estimator, kind)]
            first = 1 if kind == "uniform" else 0
            assert [row["p"] for row in part] == list(range(first, first + len(part)))
            assert all(row["bits a value"] == row["p"] + DRAWS[estimator] for row in part)
            assert all(row["ratio"] > less_data.DONE for row in part[:-1])
    less_data.plot({"sweep": {"small": rows, "again": rows}}, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_trials_have_the_same_steps(small_table: Table) -> None:
    """With enough planes nothing but rounding tells a run from float64 SGD, on whatever levels."""
    trials = less_data.Trials(small_table, seeds=(1, 2, 3), epochs=2)
    for options in ({"base_bits": 8}, {"base_bits": 4, "levels": "optimal"}):
        found = trials.losses(**options)
        assert found["lowest"] <= found["ratio"] <= found["highest"]
        assert found["ratio"] == pytest.approx(1, abs=0.01)


def test_levels_of_fewer_bits(small_table: Table) -> None:
    rows = less_data.by_level_bits(less_data.Trials(small_table, seeds=(1,), epochs=2))
    assert [(row["estimator"], row["p"]) for row in rows] == list(less_data.NARROW)
    assert all(row[f"v={v}"] > 0 for row in rows for v in less_data.LEVEL_BITS)


def test_variances(small_table: Table) -> None:
    rows = less_data.variances(small_table)
    assert [row["p"] for row in rows] == list(range(5))
    assert rows[0]["uniform"] is rows[0]["times less"] is None
    for row in rows[1:]:
        assert 0 < row["optimal"] < row["shared"] < row["uniform"]
        assert row["times less"] == row["uniform"] / row["optimal"]
        # Even levels' at random values is a sixth of the square of the gap
        assert row["uniform"] == pytest.approx(2.0 ** (2 - 2 * row["p"]) / 6, rel=0.2)


def test_the_fewest_bits_count() -> None:
    def row(kind: str, bits: int, ratio: float) -> dict[str, object]:
        return {"levels": kind, "bits a value": bits, "ratio": ratio}

    rows = [row("uniform", 3, 1.5), row("uniform", 5, 1.02), row("uniform", 6, 1.0)]
    assert less_data.needed(rows) == {"uniform": 5, "optimal": None, "shared": None, "times less": None}
    rows += [row("optimal", 2, 1.01), row("optimal", 3, 1.0), row("shared", 3, 1.03)]
    assert less_data.needed(rows) == {"uniform": 5, "optimal": 2, "shared": None, "times less": 2.5}
