"""Polynomial losses of the golden model: exact where possible, unbiased, and within their range."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.golden.dot import dot
from zipsgd.golden.gradient import gradient
from zipsgd.golden.loss import arguments, polynomial_loss
from zipsgd.golden.polynomial import Polynomial, horner
from zipsgd.golden.quantise import quantise
from zipsgd.golden.run import LimitError, RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE, REACH_MAX
from zipsgd.protocol.registers import LOSS_WORDS
from zipsgd.protocol.run import Flag, Loss

BUILD = Build(polynomial=7)
ONE = 1 << BUILD.residual_frac
CUBIC = Polynomial((-0.5, 0.9, 0.1, -0.6), 1, 0.69)


@given(
    st.lists(st.integers(-(1 << 14), 1 << 14), min_size=2, max_size=8),
    st.integers(-(1 << 17), (1 << 17) - 1),
)
def test_horner_is_the_polynomial_except_for_rounding(words: list[int], t: int) -> None:
    count = len(words) - 1
    got = int(horner(words, np.full((1, count), t), BUILD)[0])
    x = Fraction(t, 1 << (BUILD.residual_bits - 1))
    exact = sum(word * x**i for i, word in enumerate(words))
    assert abs(got - exact) <= Fraction(count, 2)


@given(
    st.lists(st.integers(-(1 << 17), 1 << 17), min_size=2, max_size=8).filter(
        lambda words: sum(map(abs, words)) < 1 << 17
    ),
    st.lists(st.sampled_from([-(1 << 17), (1 << 17) - 1, 0, 77777]), min_size=7, max_size=7),
)
def test_no_sum_exceeds_the_sum_of_the_coefficients(words: list[int], t: list[int]) -> None:
    got = horner(words, np.array([t[: len(words) - 1]]), BUILD)
    assert abs(int(got[0])) <= sum(map(abs, words))


@pytest.mark.parametrize("loss", [Loss.POLYNOMIAL_MARGIN, Loss.POLYNOMIAL_RESIDUAL])
@pytest.mark.parametrize("reach", range(REACH_MAX + 1))
def test_derivative_and_loss_of_exact_arguments(loss: Loss, reach: int) -> None:
    """If all z are equal, the results are l' and l at this z."""
    polynomial = Polynomial(CUBIC.derivative, reach, CUBIC.constant)
    rng = np.random.default_rng(3)
    labels = rng.choice([-LABEL_ONE, LABEL_ONE], 300)
    z = np.repeat(rng.integers(-300, 300, (300, 1)), 4, axis=1) << 2
    t, flags = arguments(z, labels, 3, reach, loss, BUILD)
    exact = z[:, 0] * 2.0 ** (-BUILD.q3_frac - 2)
    s = np.sign(labels)
    x = s * exact if loss == Loss.POLYNOMIAL_MARGIN else exact - labels / 2.0**15
    inside = np.abs(x) < 1 << reach
    assert bool(flags) == (not inside.all())
    assert flags in (0, Flag.RESIDUAL)
    x = np.clip(x, -(1 << reach), (1 << reach) - (1 << reach) * 2.0 ** (1 - BUILD.residual_bits)) / (
        1 << reach
    )
    derivative, total = polynomial_loss(t, labels, loss, polynomial.words(BUILD), BUILD)
    slope = np.polynomial.polynomial.polyval(x, polynomial.derivative)
    value = np.polynomial.polynomial.polyval(x, polynomial.loss)
    sign = s if loss == Loss.POLYNOMIAL_MARGIN else 1
    np.testing.assert_allclose(derivative / ONE, np.stack([sign * slope] * 2, axis=1), atol=4 / ONE)
    assert total / ONE**2 == pytest.approx(value.sum(), abs=300 * 4 / ONE)


def _estimates(
    polynomial: Polynomial, p: int, m: int, one_sided: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """The mean estimate of a gradient over many quantisations, its standard error, and the mean loss."""
    rng = np.random.default_rng(5)
    features, count = 6, 60_000
    values = np.repeat(rng.uniform(-1, 1, (1, features)), count, axis=0)
    q3 = rng.integers(-100, 100, features)
    labels = np.full(count, -LABEL_ONE, dtype=np.int16)
    codes = quantise(values, labels, p, m, seed=1, epoch=0, rows=np.arange(count))
    t, flags = arguments(dot(codes, q3), labels, p, polynomial.reach, Loss.POLYNOMIAL_MARGIN, BUILD)
    assert not flags
    derivative, total = polynomial_loss(t, labels, Loss.POLYNOMIAL_MARGIN, polynomial.words(BUILD), BUILD)
    single = np.array(
        [
            gradient(
                type(codes)(codes.base[i : i + 1], codes.up[i : i + 1], codes.labels[i : i + 1], p, m),
                derivative[i : i + 1],
                one_sided,
                BUILD,
            )
            for i in range(4000)
        ]
    )
    mean = gradient(codes, derivative, one_sided, BUILD) / count
    margin = -float(values[0] @ q3) * 2.0**-BUILD.q3_frac / (1 << polynomial.reach)
    slope = -np.polynomial.polynomial.polyval(margin, polynomial.derivative)
    unit = 2.0**-BUILD.p_max / ONE
    loss = total / ONE**2 / count - np.polynomial.polynomial.polyval(margin, polynomial.loss)
    return mean * unit - slope * values[0], single.std(axis=0) * unit / count**0.5, loss


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("p", [1, 2])
def test_independent_quantisations_give_gradients_without_bias(p: int, one_sided: bool) -> None:
    """One quantisation for all factors gives a bias, which shows that the test can fail."""
    off, error, loss = _estimates(CUBIC, p, CUBIC.degree + 1, one_sided)
    assert np.abs(off / error).max() < 4.5
    assert abs(loss) < 0.02
    off, error, _ = _estimates(CUBIC, p, 1, one_sided)
    assert np.abs(off / error).max() > 7


def test_degree_one_is_least_squares() -> None:
    """The derivative z - b, at a reach of 2, is 2 (z - b) / 2."""
    line = Polynomial((0.0, 2.0), 1)
    rng = np.random.default_rng(4)
    labels = rng.integers(-(1 << 14), 1 << 14, 200)
    z = rng.integers(-200, 200, (200, 2)) << 4
    t, _ = arguments(z, labels, 5, 1, Loss.POLYNOMIAL_RESIDUAL, BUILD)
    derivative, _ = polynomial_loss(t, labels, Loss.POLYNOMIAL_RESIDUAL, line.words(BUILD), BUILD)
    residual = (z << BUILD.z_shift(5)) - (labels << (BUILD.residual_frac - 15))[:, None]
    assert np.abs(derivative - residual).max() <= 1


def test_window_words() -> None:
    words = CUBIC.window_words(BUILD)
    assert words[:4] == [round(c * ONE) for c in CUBIC.derivative]
    assert words[4:LOSS_WORDS] == [0] * 12
    assert words[LOSS_WORDS:] == [round(c * ONE) for c in (0.345, -0.5, 0.45, 0.1 / 3, -0.15)]


def test_invalid_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="a degree of 1 to 7, not 0"):
        Polynomial((1.0,))
    with pytest.raises(ValueError, match=r"reach must be in 0\.\.2, not 3"):
        Polynomial((1.0, 1.0), 3)
    with pytest.raises(ValueError, match="must be finite"):
        Polynomial((1.0, float("nan")))
    with pytest.raises(ValueError, match=r"derivative add up to 4\.5, and must stay below 4"):
        Polynomial((0.5, 4.0)).words(BUILD)
    with pytest.raises(ValueError, match="loss add up to"):
        Polynomial((0.5, 1.0), 0, 3.5).words(BUILD)
    with pytest.raises(ValueError, match="POLYNOMIAL_MARGIN needs a polynomial"):
        RunConfig(8, 2, 2, 1, loss=Loss.POLYNOMIAL_MARGIN)
    config = RunConfig(8, 2, 4, 1, loss=Loss.POLYNOMIAL_MARGIN, polynomial=CUBIC)
    config.check(BUILD)
    with pytest.raises(
        LimitError, match="degree 3, but this build supports degrees up to 2: take a build with polynomial=3"
    ):
        config.check(Build(polynomial=2))
    with pytest.raises(LimitError, match="degree 3, but this build supports no polynomials"):
        config.check(Build())
    with pytest.raises(LimitError, match=r"samples per value m must be in 0\.\.4"):
        RunConfig(8, 2, 5, 1, loss=Loss.POLYNOMIAL_MARGIN, polynomial=CUBIC).check(BUILD)
