"""Optional parts of the golden model: proximal steps, hinge losses, and heads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.golden.loss import derivatives, loss_sum, residuals, targets
from zipsgd.golden.prox import NO_PROX, Phases, Prox, apply_prox, ball_shift
from zipsgd.golden.quantise import Codes
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE, LFSR_BITS, SHRINK_SHIFT_MAX
from zipsgd.protocol.run import Loss
from zipsgd.protocol.samples import SampleLayout

BUILD = Build(prox=1, hinge=1, heads=8)
UNIT = 2.0**BUILD.model_frac


# Proximal step


@given(st.floats(2.0**-24, 0.5))
def test_shrinkage_is_within_a_hundredth_of_the_request(share: float) -> None:
    prox = Prox.nearest(BUILD, shrink=share)
    assert abs(prox.shrink / share - 1) < 0.01
    batches = 1 << 16
    phases = Phases()
    shrinks = sum(phases.next(prox)[0] > 0 for _ in range(batches))
    assert shrinks == prox.shrink_rate


@given(st.floats(2.0**-27, 2.0**-5))
def test_thresholds_are_within_a_hundredth_of_the_request(threshold: float) -> None:
    prox = Prox.nearest(BUILD, threshold=threshold)
    phases = Phases()
    batches = 4096
    total = sum(phases.next(prox)[1] for _ in range(batches))
    assert abs(total - batches * threshold * UNIT) <= 1 + 0.01 * batches * threshold * UNIT
    if threshold * UNIT >= 1:
        assert abs(total / (batches * threshold * UNIT) - 1) < 0.01


@pytest.mark.parametrize("shift", range(1, SHRINK_SHIFT_MAX + 1))
def test_shrinkage_is_exact_on_average(shift: int) -> None:
    """Over all draws that matter, the mean of the subtracted amount is exact."""
    draws = np.arange(1 << shift) << (LFSR_BITS - SHRINK_SHIFT_MAX)
    for x in (-(1 << 23), -12345, -1, 0, 1, 99999, (1 << 23) - 1):
        left = apply_prox(np.full(draws.size, x), draws, shift, 0, NO_PROX)
        assert int(left.sum()) == (x << shift) - x
        assert np.all(np.abs(left) <= abs(x))


@given(
    st.lists(st.integers(-(1 << 23), (1 << 23) - 1), min_size=1, max_size=9),
    st.integers(0, 1 << 16),
    st.integers(0, (1 << 23) - 1),
    st.booleans(),
    st.booleans(),
)
def test_threshold_and_box(
    words: list[int], threshold: int, bound: int, nonnegative: bool, spare: bool
) -> None:
    nonnegative = nonnegative and bound > 0

    def expected(word: int) -> int:
        soft = max(abs(word) - threshold, 0) * (1 if word > 0 else -1)
        return max(0 if nonnegative else -bound, min(bound, soft)) if bound else soft

    x = np.array(words)
    got = apply_prox(x, np.zeros_like(x), 0, threshold, Prox(0, 0, 0, bound, nonnegative, spare))
    wanted = [expected(word) for word in words]
    if spare:
        wanted[-1] = words[-1]
    assert got.tolist() == wanted
    assert x.tolist() == words
    assert apply_prox(x, np.zeros_like(x), 0, 0, NO_PROX).tolist() == words


def test_weights_that_are_not_negative() -> None:
    """Without a bound of one's own, the box reaches up to the model's largest word."""
    prox = Prox.nearest(BUILD, nonnegative=True)
    top = (1 << (BUILD.model_bits - 1)) - 1
    assert prox == Prox(bound=top, nonnegative=True)
    words = np.array([-top - 1, -1, 0, 1, top])
    assert apply_prox(words, np.zeros_like(words), 0, 0, prox).tolist() == [0, 0, 0, 1, top]
    assert Prox.nearest(BUILD, nonnegative=True, bound=0.5).bound == 1 << (BUILD.model_frac - 1)
    with pytest.raises(ValueError, match="nonnegative needs a bound"):
        Prox(nonnegative=True)


@given(
    st.lists(st.integers(-2048, 2047), min_size=2, max_size=40).filter(any),
    st.floats(0.01, 3.0),
    st.booleans(),
)
def test_a_model_outside_its_ball_shrinks_towards_it_and_not_beyond(
    words: list[int], share: float, spare: bool
) -> None:
    q3 = np.array(words)
    used = q3[:-1] if spare else q3
    length = float(np.linalg.norm(used))
    radius = share * length * 2.0**-BUILD.q3_frac
    prox = Prox.nearest(BUILD, radius=radius, spare_last=spare)
    shift = ball_shift(q3, prox, BUILD)
    held = float(prox.ball_square << BUILD.ball_drop) ** 0.5
    if length <= held or not prox.ball_square:
        assert shift == 0
    elif shift:
        lacking = 1 - held / length
        assert lacking / 8 <= 2.0**-shift <= lacking
    else:
        assert length < held * (1 + 2.0**-12)


def test_invalid_parameters_are_named() -> None:
    with pytest.raises(ValueError, match=r"L2 strength must be 0 or in \[2\^-24, 1/2\], not 0\.6"):
        Prox.nearest(BUILD, shrink=0.6)
    with pytest.raises(ValueError, match=r"L1 strength must be 0 or in .*, not 0\.5"):
        Prox.nearest(BUILD, threshold=0.5)
    with pytest.raises(ValueError, match=r"a bound must be 0, for none, or a positive number, not -1"):
        Prox.nearest(BUILD, bound=-1)
    with pytest.raises(ValueError, match=r"a radius must be 0, for none, or a positive number, not inf"):
        Prox.nearest(BUILD, radius=float("inf"))
    with pytest.raises(ValueError, match=r"shrink_shift must be in 0\.\.15, not 16"):
        Prox(shrink_shift=16)


# Hinges


@pytest.mark.parametrize("loss", [Loss.SQUARED, Loss.HINGE, Loss.SQUARED_HINGE])
def test_losses_and_derivatives(loss: Loss) -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice([-LABEL_ONE, LABEL_ONE], 500)
    z = rng.integers(-700, 700, (500, 1))  # at p = 1, in units of 2^-8: on both sides of the margin
    r, flags = residuals(z, labels, 1, BUILD)
    within, derivative = derivatives(r, labels, loss, BUILD)
    assert not flags
    one = 2.0**BUILD.residual_frac
    b, exact = np.sign(labels), labels / 2.0**15
    margin = -b * (z[:, 0] * 2.0**-BUILD.q3_frac - exact)  # 1 - b z, as near as labels come to 1
    slopes = {
        Loss.SQUARED: -b * margin,
        Loss.HINGE: np.where(margin > 0, -b, 0),
        Loss.SQUARED_HINGE: np.where(margin > 0, -b * margin, 0),
    }
    values = {
        Loss.SQUARED: margin**2,
        Loss.HINGE: np.maximum(margin, 0),
        Loss.SQUARED_HINGE: np.maximum(margin, 0) ** 2,
    }
    np.testing.assert_array_equal(derivative[:, 0] / one, slopes[loss])
    assert loss_sum(within, derivative) / one**2 == pytest.approx(values[loss].sum(), rel=1e-12)
    assert 0 < np.count_nonzero(within) <= 500


# Heads


def test_targets_of_classes_and_of_outputs() -> None:
    classes = np.array([2, 0, 7])
    one = LABEL_ONE
    assert targets(classes, 3, True).tolist() == [[-one, -one, one], [one, -one, -one], [-one, -one, -one]]
    assert targets(np.arange(6).reshape(3, 2), 2, False).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert targets(np.arange(3), 1, False).tolist() == [[0], [1], [2]]


def test_labels_of_other_heads_follow_the_planes() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(-(1 << 15), 1 << 15, (4, 3)).astype(np.int16)
    base = rng.integers(-2, 2, (4, 11)).astype(np.int8)
    up = rng.integers(0, 4, (4, 11)).astype(np.uint8)
    for lanes in (4, 8):
        layout = SampleLayout(11, 2, 2, lanes, 3)
        woven = weave(Codes(base, up, labels, 2, 2), layout)
        single = weave(Codes(base, up, labels[:, 0], 2, 2), SampleLayout(11, 2, 2, lanes))
        assert woven.shape[1] == layout.size
        np.testing.assert_array_equal(woven[:, :-4], single)
        np.testing.assert_array_equal(np.ascontiguousarray(woven[:, -4:]).view("<i2"), labels[:, 1:])
