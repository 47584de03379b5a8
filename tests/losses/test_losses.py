"""The loss compiler: errors hold on the device, losses fit their derivatives, and messages say what to change."""

import doctest
import math
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib import image
from matplotlib.figure import Figure
from sklearn.base import clone

from zipsgd import train
from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.golden.polynomial import horner
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Loss
from zipsgd.training import losses
from zipsgd.training.losses import CompiledLoss, compile_loss, logistic, pseudo_huber
from zipsgd.training.objective import CLASS_LOSSES, find_objective

Derivative = Callable[[np.ndarray], np.ndarray]

ONE_BIT = 2.0**-15
"""The last of a residual."""
FUNCTIONS: dict[str, tuple[Derivative, str, float]] = {
    "logistic": (lambda t: -1 / (1 + np.exp(t)), "margin", 4),
    "half a logistic": (lambda t: -1 / (2 + 2 * np.exp(t)), "margin", 5.5),
    "exponential": (lambda t: -np.exp(-t), "margin", 1),
    "soft": (lambda r: np.tanh(2 * r) / 2, "residual", 1),
    "pseudo-Huber": (lambda r: r / np.sqrt(9 + r**2), "residual", 4),
    "with kinks": (lambda r: np.clip(r / 8, -0.08, 0.05), "residual", 2),
    "with a jump": (lambda r: np.where(r < 0.3, -0.05, 0.05), "residual", 1),
}


def compiled(name: str, degree: int) -> CompiledLoss:
    derivative, of, radius = FUNCTIONS[name]
    return compile_loss(name, derivative, of=of, degree=degree, radius=radius)


def on_the_device(loss: CompiledLoss, build: Build) -> tuple[np.ndarray, np.ndarray]:
    """Arguments all over the range, and the derivative that the device has there."""
    limit = 1 << (build.residual_bits - 1)
    t = np.append(np.arange(-limit, limit, 7), limit - 1)
    degree = loss.polynomial.degree
    sums = horner(loss.polynomial.words(build).derivative, np.repeat(t[:, None], degree, axis=1), build)
    return t / limit * loss.radius, sums * 2.0**-build.residual_frac


@pytest.mark.parametrize("degree", range(1, 8))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_device_is_no_further_off_than_the_error(name: str, degree: int) -> None:
    loss = compiled(name, degree)
    t, found = on_the_device(loss, Build(polynomial=degree))
    largest = np.abs(found - FUNCTIONS[name][0](t)).max()
    assert largest <= loss.error < 1.02 * largest + degree * ONE_BIT
    np.testing.assert_allclose(loss.derivative(t), found, atol=(degree + 1) * ONE_BIT)


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"with a jump"}))
def test_errors_fall_with_the_degree(name: str) -> None:
    """Of a function that is odd but for a constant, with every other degree."""
    errors = [compiled(name, degree).error for degree in range(1, 8)]
    assert errors[6] < 0.9 * errors[4] < 0.9 * errors[2] < 0.9 * errors[0]


@pytest.mark.parametrize("degree", [1, 4])
def test_polynomials_are_exact_but_for_roundings(degree: int) -> None:
    for derivative in (lambda t: np.float64(-0.7), lambda t: t / 2 - 1.2):
        loss = compile_loss("line", derivative, of="margin", degree=degree, radius=2)
        assert loss.error < 4 * ONE_BIT
        assert loss.polynomial.degree == degree


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_loss_is_the_integral_of_the_derivative(name: str) -> None:
    """Within the radius and beyond it."""
    loss = compiled(name, 5)
    t, step = np.linspace(-3 * loss.radius, 3 * loss.radius, 6001, retstep=True)
    slopes = np.diff(loss.value(t)) / step
    np.testing.assert_allclose(slopes, loss.derivative((t[1:] + t[:-1]) / 2), atol=step)
    assert loss.value(0) == 0
    inside = np.abs(t) <= loss.radius
    exact = np.cumsum(FUNCTIONS[name][0](t[inside])) * step
    found = loss.value(t[inside])
    assert np.abs(found - found[0] - exact + exact[0]).max() < 2 * loss.radius * loss.error + 2 * step


def test_the_logistic_loss() -> None:
    t = np.linspace(-4, 4, 200)
    loss = logistic(7)
    np.testing.assert_allclose(loss.value(t), np.log1p(np.exp(-t)), atol=0.005)
    assert loss.value(0) == pytest.approx(np.log(2), abs=1e-12)
    assert (loss.loss, loss.radius, loss.samples_per_value) == (Loss.POLYNOMIAL_MARGIN, 4, 8)
    assert loss.curvature == pytest.approx(4 / 4, rel=0.02)  # in z, of which the margin is four times


def test_the_pseudo_huber_loss() -> None:
    r = np.linspace(-1, 1, 200)
    loss = pseudo_huber(0.5, degree=7)
    np.testing.assert_allclose(loss.value(r), 0.25 * (np.sqrt(1 + 4 * r**2) - 1), atol=0.002)
    assert loss.loss == Loss.POLYNOMIAL_RESIDUAL
    assert loss.curvature == pytest.approx(1, rel=0.05)
    assert pseudo_huber(1, degree=3, radius=4).radius == 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_curvature_is_the_steepest_slope_in_z(name: str) -> None:
    loss = compiled(name, 3)
    t, step = np.linspace(-loss.radius, loss.radius, 20001, retstep=True)
    steepest = np.abs(np.diff(loss.derivative(t))).max() / step * loss.scale
    assert loss.curvature == pytest.approx(steepest, rel=1e-3)


def test_samples_without_bias() -> None:
    assert [find_objective(name, classify=True).samples_per_value for name in CLASS_LOSSES] == [2, 2, 6, 2]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"of": "score"}, r'^of must be "margin" or "residual", not \'score\'$'),
        ({"degree": 0}, r"^degree must be in 1\.\.7, not 0$"),
        ({"degree": 8}, r"^degree must be in 1\.\.7, not 8$"),
        ({"degree": 2.5}, r"^degree must be in 1\.\.7, not 2\.5$"),
        ({"of": "residual", "radius": 3}, r"^radius must be one of 1, 2, 4 of residuals, not 3$"),
        ({"radius": 0}, r"^radius must be a positive number, not 0$"),
        ({"radius": -1}, r"^radius must be a positive number, not -1$"),
        ({"radius": float("inf")}, r"^radius must be a positive number, not inf$"),
        ({"radius": float("nan")}, r"^radius must be a positive number, not nan$"),
        ({"derivative": np.log}, r"^it: the derivative is not finite at -4, and must be from -4 to 4$"),
        (
            {"derivative": lambda t: 1 / np.where(t == 2, np.nan, 9), "radius": 2},
            r"^it: the derivative is not finite at 2, and must be from -2 to 2$",
        ),
        (
            {"derivative": lambda t: 5 * t, "radius": 1},
            r"^it: the absolute coefficients of the polynomial's derivative add up to 5, and must stay below 4, .*: choose a "
            r"lower degree or a smaller radius or a loss of a smaller scale$",
        ),
        (
            {"derivative": lambda t: 5 * t, "of": "residual", "radius": 1},
            r": choose a lower degree or a loss of a smaller scale$",
        ),
        *(
            (
                {"derivative": derivative},
                r"^it: a loss falls as the margin grows, so its derivative must be below 0, and not above 0 at the lower end; "
                rf"it is {ends}\. Give the derivative, not the loss itself, and check its sign$",
            )
            for derivative, ends in (
                (lambda t: 1 / (1 + np.exp(-t)), r"0\.018 at -4 and 0\.982 at 4"),
                (lambda t: np.log1p(np.exp(-t)), r"4\.02 at -4 and 0\.0181 at 4"),
                (lambda t: np.maximum(0, 1 - t), r"5 at -4 and 0 at 4"),
                (np.zeros_like, r"0 at -4 and 0 at 4"),
            )
        ),
        *(
            (
                {"derivative": derivative, "of": "residual", "radius": 1},
                r"^it: a loss grows with the residual on either side of 0, so its derivative must not be above 0 at the lower "
                rf"end of the range, nor below 0 at the upper end; it is {ends}\. Give the derivative, not the loss "
                r"itself, and check its sign$",
            )
            for derivative, ends in (
                (lambda t: t**2 / 2, r"0\.5 at -1 and 0\.5 at 1"),
                (np.abs, r"1 at -1 and 1 at 1"),
                (lambda t: -t, r"1 at -1 and -1 at 1"),
                (np.zeros_like, r"0 at -1 and 0 at 1"),
            )
        ),
        *(
            (
                {"derivative": derivative, "of": "residual", "radius": 1},
                r"^it: the derivative gets an array of numbers, and must return as many: use np\.where, np\.clip, np\.tanh and "
                r"the like in place of if, min, max and math \(",
            )
            for derivative in (
                lambda r: r if abs(r) < 1 else 1,
                lambda r: max(r, 0),
                math.tanh,
                lambda r: [-1.0, 1.0],
            )
        ),
        ({"constant": 15.9}, r"^it: the absolute coefficients of the polynomial's loss add up to "),
        (
            {"tolerance": 0.01},
            r"^it: a polynomial of degree 3 is off by up to 0\.076, more than 0\.01: choose a higher degree \(7 at most\) or a "
            r"smaller radius or a smoother function$",
        ),
        (
            {
                "tolerance": 0.01,
                "of": "residual",
                "radius": 1,
                "degree": 7,
                "derivative": lambda r: np.sign(r) / 16,
            },
            r" of degree 7 is off by up to .*, more than 0\.01: choose a smoother function$",
        ),
    ],
)
def test_what_cannot_be_compiled_is_named(changes: dict[str, object], says: str) -> None:
    arguments = {"derivative": lambda t: np.tanh(t) / 3, "of": "margin", "degree": 3, "radius": 4, **changes}
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=says):
        compile_loss("it", **arguments)


@pytest.mark.parametrize(
    ("derivative", "of", "radius"),
    [
        (lambda r: np.where(r < 0, -0.1, 0.9), "residual", 1),
        (lambda r: np.clip(r - 0.4, -0.1, 0.9), "residual", 1),
        (lambda r: np.maximum(r, 0), "residual", 2),
        (lambda r: np.minimum(r, 0), "residual", 2),
        (lambda r: np.sin(np.pi * r) / 4, "residual", 1),
        (lambda t: np.where(np.abs(t) < 1, -0.5, 0), "margin", 2),
    ],
    ids=["quantile", "least value beside 0", "flat below 0", "flat above 0", "constant at both ends", "ramp"],
)
def test_unusual_losses_compile(derivative: Derivative, of: str, radius: float) -> None:
    loss = compile_loss("it", derivative, of=of, degree=3, radius=radius)
    assert np.abs(loss.exact).max() > 0


def test_a_tolerance_that_is_kept() -> None:
    derivative, of, radius = FUNCTIONS["logistic"]
    kept = compile_loss("it", derivative, of=of, radius=radius, tolerance=0.03)
    assert kept.error == logistic(3).error


@pytest.mark.parametrize("epsilon", [0, -1, float("inf"), float("nan")])
def test_a_bad_epsilon_is_named(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be a positive number, not"):
        pseudo_huber(epsilon)


def test_a_build_of_its_own() -> None:
    """Whose words are finer."""
    line = {"derivative": lambda t: t / 3, "of": "margin", "degree": 1, "radius": 1}
    fine = Build(polynomial=3, q3_bits=16)
    assert compile_loss("it", **line, build=fine).error < compile_loss("it", **line).error / 4


def test_plots(tmp_path: Path) -> None:
    loss = logistic()
    figure = Figure()
    axes = figure.subplots(2, 1)
    assert loss.plot(axes) is axes
    exact, fit = axes[0].lines
    assert np.abs(exact.get_ydata() - fit.get_ydata()).max() == pytest.approx(
        np.abs(axes[1].lines[0].get_ydata()).max()
    )
    assert np.abs(axes[1].lines[0].get_ydata()).max() < loss.error
    own = pseudo_huber().plot(path=tmp_path / "huber.png")
    assert [axis.get_xlabel() for axis in own] == ["", "residual"]
    assert image.imread(tmp_path / "huber.png").shape == (600, 720, 4)


def test_in_words() -> None:
    assert str(logistic()) == (
        "logistic: a polynomial of degree 5 in the margin from -4 to 4, off by at most 0.0065"
    )
    sharp = compile_loss("sharp", lambda r: np.sign(r) / 4, of="residual", degree=1, radius=1)
    assert str(sharp) == (
        "sharp: a polynomial of degree 1 in the residual from -1 to 1, off by at most 0.25: a poor fit, off by 100% of the "
        "largest slope"
    )


def test_pickles_and_clones() -> None:
    for loss, estimator in ((logistic(), ZipClassifier), (pseudo_huber(), ZipRegressor)):
        assert pickle.loads(pickle.dumps(loss)) == loss
        copy = clone(estimator(loss=loss)).loss
        assert copy == loss
        assert hash(copy) == hash(loss)


def test_the_example() -> None:
    assert doctest.testmod(losses) == (0, 4)


def test_the_width_of_huber_is_a_choice(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(90, 3))
    y = X @ [1, 2, 3] + rng.normal(size=90)
    words = {
        epsilon: train(X, y, loss="huber", epsilon=epsilon, epochs=2).model_words
        for epsilon in (None, 0.25, 0.5)
    }
    assert words[None] == words[0.5] != words[0.25]
    assert words[0.25] == train(X, y, loss=pseudo_huber(0.25), epochs=2).model_words
    assert not caplog.messages
    train(X, y, loss="huber", epsilon=0.1, epochs=1)
    assert "a poor fit, off by 37% of the largest slope" in caplog.messages[-1]
    with pytest.raises(ValueError, match="epsilon is the width of the loss 'huber'"):
        train(X, y, epsilon=0.1)
