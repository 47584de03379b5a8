"""The bench of the device's quantisation, at a small size."""

import numpy as np
import pytest

from zipsgd import Options, Table
from zipsgd.golden import device_quantiser as golden
from zipsgd.golden.rounding import align_draw
from zipsgd_bench import device_quantiser
from zipsgd_bench.device_training import compare


def test_means_are_exact() -> None:
    rows = device_quantiser.means(20_000)
    assert len(rows) == len(device_quantiser.PLANES) * len(device_quantiser.FRACTIONS)
    assert all(row["within 4"] for row in rows)


def test_a_bias_and_a_dependence_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(golden, "align_draw", lambda bits, drop: align_draw(bits, drop - 3))
        assert not any(
            row["within 4"] for row in device_quantiser.means(20_000) if row["above its level"] > 0.3
        )
    monkeypatch.setattr(
        golden, "crossed", lambda states: np.repeat(states[..., :1], 2, axis=-1)
    )  # one draw for both
    for row in device_quantiser.means(20_000):
        assert abs(row["first rounding"]) < 4
        assert abs(row["both"]) > 4 or min(row["above its level"], 1 - row["above its level"]) < 0.01


def test_a_model_learns_from_raw_words() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(2000, 5)) * [1, 10, 0.1, 3, 1] + 4
    table = Table(X, X @ [1, 0.2, -7, 0.5, 1] + rng.normal(size=2000), tuple("abcde"), "y", "made")
    options = Options(epochs=8, scaling="range", keep="last", measure=True)
    for row in compare(table, options, (("one-draw", 3), ("double", 4)), (8, 16), (1,)):
        assert row["saturated"] == 0
        assert row["device over host"] == pytest.approx(1, abs=0.05), row
        assert 1 <= row["device over least squares"] < 1.3, row
