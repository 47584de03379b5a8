"""The bench that says why there is no momentum."""

import numpy as np
import pytest

from zipsgd.data import Table
from zipsgd_bench import momentum


def test_small_run(small_table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(momentum, "EPOCHS", (8,))
    monkeypatch.setattr(momentum, "SETS", ("a small one",))
    monkeypatch.setattr(momentum, "load_set", lambda name: small_table)
    result = momentum.run()
    assert [row["beta"] for row in result["rows"]] == list(momentum.BETAS)
    assert result["rows"][0]["over no momentum"] == 1
    assert all(1 <= row["loss over optimum"] < np.inf for row in result["rows"])
    assert result["met"] == all(row["over no momentum"] >= 0.98 for row in result["rows"])


def test_a_step_that_runs_away_is_no_candidate() -> None:
    values = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    target = values @ [0.3, -0.2, 0.1]
    assert momentum._loss(values, target, 1e3, 0.0, 4, 0) == np.inf
    settled = [momentum._loss(values, target, 0.2, beta, 20, 0) for beta in (0.0, 0.9)]
    assert max(settled) < 1e-2 < np.mean(target**2)
