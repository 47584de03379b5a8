"""The bench of streams, at a small size."""

import numpy as np
import pytest

from zipsgd_bench import stream


def test_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "ROWS", 250)
    monkeypatch.setattr(stream, "SEEDS", (1,))
    result = stream.run()
    told = [(row["stream"], row["bits"], row["estimator"]) for row in result["rows"]]
    assert told == [(s.name, s.bits, estimator) for s in stream.STREAMS for estimator in stream.ESTIMATORS]
    for row in result["rows"]:
        assert row["worst difference"] == pytest.approx(row["R2"] - row["R2, SGD"])
        assert row["us a call"] > 0
    one, double = (np.array([row["R2"] for row in result["rows"][start::2]]) for start in range(2))
    assert np.all(one != double)
    counted = [row["worst difference"] for row in result["rows"] if row["met"] is not None]
    assert len(counted) == 2 * sum(each.counts for each in stream.STREAMS)
    assert result["met"] == (min(counted) >= -0.02)


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
