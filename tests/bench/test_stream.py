"""The bench of streams, at a small size."""

import numpy as np
import pytest

from zipsgd_bench import stream


def test_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ROWS", 250)
    monkeypatch.setattr(stream, "SEEDS", (1,))
    result = stream.run()
    assert [row["stream"] for row in result["rows"]] == [each.name for each in stream.STREAMS]
    for row in result["rows"]:
        assert row["worst difference"] == pytest.approx(row["R2"] - row["R2, SGD"])
        assert row["us a call"] > 0
    counted = [row for row, each in zip(result["rows"], stream.STREAMS) if each.counts]
    assert result["met"] == all(row["worst difference"] >= -0.02 for row in counted)


def test_streams_are_what_they_are_called() -> None:
    rows = {each.name: each.rows(1)[0] for each in stream.STREAMS}
    first, last = (np.abs(part).max() for part in np.array_split(rows["range grows"], 2))
    assert last > 5 * first
    still = rows["constant stretches"][:250]
    assert [bool(np.ptp(column) == 0) for column in still.T] == [True, False] * 5


def test_a_model_that_runs_away_has_a_score() -> None:
    class RunsAway:
        def partial_fit(self, X: object, y: object) -> None: ...

        def predict(self, X: np.ndarray) -> np.ndarray:
            return np.full(len(X), np.nan)

    score, _ = stream._measured(RunsAway(), np.zeros((10, 1)), np.arange(10.0), 2)
    assert -np.inf < score < -1e100
