"""What a stream knows of its rows, and the conversion of models when its range grows."""

import numpy as np
import pytest

from zipsgd.data import Scaling
from zipsgd.training.growth import converted, grown
from zipsgd.training.seen import Seen
from zipsgd.training.state import State
from zipsgd.training.steps import factor, largest_step, safe_step

RNG = np.random.default_rng(5)
UNIT = 2.0**-20
LIMIT = 1 << 23


def scaling_of(centre, spread, label_centre=0.0, label_spread=1.0):
    return Scaling(np.array(centre, float), np.array(spread, float), label_centre, label_spread)


def seen_in_parts(rows, labels, size):
    seen = Seen.none(rows.shape[1], labels.shape[1])
    for start in range(0, len(rows), size):
        seen = seen.with_rows(rows[start : start + size], labels[start : start + size])
    return seen


@pytest.mark.parametrize("size", [1, 7, 200])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_running_statistics_are_those_of_all_rows(size, kind):
    rows = (RNG.normal(size=(200, 3)) * [1, 1e-3, 50] + [0, 1e3, -7]).astype(kind)
    labels = RNG.normal(size=(200, 2))
    seen = seen_in_parts(rows, labels, size)
    for found, values in ((seen.features, rows.astype(np.float64)), (seen.labels, labels)):
        np.testing.assert_array_equal(found.low, values.min(axis=0))
        np.testing.assert_array_equal(found.high, values.max(axis=0))
        np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=1e-10)
        squares, unit = found.values[3:]
        np.testing.assert_allclose(squares / 200 * unit**2, values.var(axis=0), rtol=1e-7)
    assert seen.rows == 200
    assert seen.settled
    assert not Seen.none(3, 2).with_rows(rows[:23], labels[:23]).settled


def test_the_step_of_a_stream_is_that_of_all_rows():
    rows = RNG.normal(size=(600, 4))
    scaling = scaling_of(rows.mean(axis=0), np.abs(rows - rows.mean(axis=0)).max(axis=0))
    seen = Seen.none(4, 1)
    for start in range(0, 600, 100):
        part = rows[start : start + 100]
        seen = seen.with_rows(part, np.zeros((100, 1))).with_spread(scaling.features(part), 2, 2)
    found = safe_step(seen.spread(scaling.centre, scaling.spread), 4, 2)
    assert found == pytest.approx(largest_step(scaling.features(rows), 4, 2), rel=0.05)


@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1e200, 1e307])
def test_statistics_of_very_small_and_very_large_values(unit):
    rows = RNG.uniform(-1, 1, size=(300, 1)) * unit
    seen = seen_in_parts(rows, np.zeros((300, 1)), 3)
    assert seen.spread(np.zeros(1), np.array([unit])).length == pytest.approx(1 + 1 / 3, rel=0.1)


def test_a_schedule_takes_parts_of_epochs():
    assert factor("sqrt", 3.0, 1) == 0.5
    assert factor("sqrt", 0.5, 1) == pytest.approx(1.5**-0.5)
    assert factor([1.0, 0.25], 0.9, 1) == 1.0


def test_only_what_exceeds_its_range_grows():
    """The first column exceeds it, the third one varies for the first time, and the last one is near its end."""
    known = scaling_of([0, 0, 5, 0], [1, 2, 1, 1], 2.0, 3.0)
    before = seen_in_parts(np.array([[-1.0, -1, 5, -0.9], [1, 1, 5, 0.9]]), np.array([[-1.0], [5]]), 2)
    inside = before.with_rows(np.array([[0.5, 0.0, 5.0, 0.95]]), np.array([[4.0]]))
    assert grown((known,), before, inside, numbers=True) == (known,)
    wider = before.with_rows(np.array([[9.0, 0.0, 5.1, 0.0]]), np.array([[50.0]]))
    (found,) = grown((known,), before, wider, numbers=False)
    assert found.centre.tolist() == pytest.approx([3, 0, 5 + 0.1 / 3, 0])  # the mean of all rows so far
    assert found.spread.tolist() == pytest.approx([6 * 1.25, 2, 0.2 / 3 * 1.25, 0.9 * 1.25])
    assert (found.label_centre, found.label_spread) == (2.0, 3.0)
    (found,) = grown((known,), before, wider, numbers=True)
    assert (found.label_centre, found.label_spread) == pytest.approx((18, 32 * 1.25))


def test_a_converted_model_is_the_same_model():
    old = scaling_of([1, -2], [3, 0.5], 10.0, 4.0)
    new = scaling_of([2, -2], [6, 2], 30.0, 16.0)
    state = State(np.array([[200_000, -300_000, 50_000]]), 3, (old,), UNIT, np.zeros((1, 3)))
    moved = converted(state, (new,), LIMIT, settled=True)
    np.testing.assert_allclose(moved.models(), state.models(), rtol=1e-4)
    assert converted(state, state.scalings, LIMIT, settled=True) is state


def test_a_weight_learnt_from_a_small_range_does_not_explode():
    """A column of noise whose range grows a thousandfold, while that of the labels stays."""
    old, new = scaling_of([0.0], [1e-3]), scaling_of([0.5], [1.0])
    state = State(np.array([[300_000, 100_000]]), 3, (old,), UNIT, np.zeros((1, 2)))
    moved = converted(state, (new,), LIMIT, settled=True)
    assert moved.words[0, 0] == 2 / UNIT
    before, after = (state.models()[0, 1], moved.models()[0, 1])  # the output at 0, the former centre
    assert after == pytest.approx(before, abs=1e-5)
    early = converted(state, (new,), LIMIT, settled=False)
    assert early.words[0, 0] == 300_000
    large = State(np.array([[3_000_000, 0]]), 3, (old,), UNIT, np.zeros((1, 2)))
    assert converted(large, (new,), LIMIT, settled=True).words[0, 0] == 3_000_000


def test_ranges_of_a_trained_model():
    """A column without a weight in any head counts as one that has not varied."""
    known = scaling_of([1, 2], [3, 4], 5.0, 6.0)
    state = State(np.array([[7, 0, 1]]), 2, (known,), UNIT, np.zeros((1, 3)))
    seen = Seen.of_model(state)
    assert seen.features.low.tolist() == [-2, 2]
    assert seen.features.high.tolist() == [4, 2]
    assert seen.settled
    assert (seen.labels.low[0], seen.labels.high[0], seen.epochs) == (-1, 11, 2)
