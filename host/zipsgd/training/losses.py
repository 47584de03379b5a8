"""The loss compiler, which approximates the derivative of a smooth loss by a polynomial for the device (ZipML, section 4).

    >>> import numpy as np
    >>> from zipsgd.training.losses import compile_loss
    >>> soft = compile_loss("soft", lambda r: np.tanh(2 * r) / 2, of="residual", degree=5, radius=1)
    >>> print(soft)
    soft: a polynomial of degree 5 in the residual from -1 to 1, off by at most 0.0065

The polynomial is the Chebyshev series of the derivative, cut off at the degree. Its largest error is close to the smallest
possible one.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev
from numpy.polynomial import Polynomial as PowerSeries

from zipsgd.golden.polynomial import Polynomial
from zipsgd.output import save_figure
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_DEGREE, REACH_MAX
from zipsgd.protocol.plain import plain
from zipsgd.protocol.run import Loss

__all__ = ["CompiledLoss", "compile_loss", "logistic", "pseudo_huber"]

_Float = npt.NDArray[np.float64]
_GRID = 1025
"""Points at which the polynomial and the derivative are compared."""
_SERIES = 256
"""Degree of the Chebyshev series before it is cut off."""
_POOR = 0.25
"""Error, as a share of the largest absolute value of the derivative, above which a loss says that its fit is poor."""
_KINDS = {"margin": Loss.POLYNOMIAL_MARGIN, "residual": Loss.POLYNOMIAL_RESIDUAL}


@dataclass(frozen=True)
class CompiledLoss:
    """A loss whose derivative is a polynomial that the device can evaluate.

    Parameters
    ----------
    name : str
        Name for messages.
    loss : Loss
        Whether the loss is a function of the margin or of the residual z - b.
    scale : float
        The margin is scale s z, where z is the device's output and s = +-1 the sign of the label. The device minimises the
        loss divided by the scale. 1 for a loss of the residual.
    polynomial : Polynomial
        Derivative of the loss.
    error : float
        Largest distance of the polynomial from the exact derivative within the radius, including the rounding of coefficients
        and sums on the device.
    exact : tuple of float
        The exact derivative at evenly spaced points from -radius to radius.
    odds : bool
        Whether the outputs estimate logarithms of odds, as those of the logistic loss do.
    """

    name: str
    loss: Loss
    scale: float
    polynomial: Polynomial
    error: float
    exact: tuple[float, ...] = field(repr=False)
    odds: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The loss, ready for JSON.

        Returns
        -------
        dict[str, Any]
            Its name, kind, scale and coefficients.
        """
        plain = {
            "name": self.name,
            "kind": self.loss.name.lower(),
            "scale": self.scale,
            **asdict(self.polynomial),
        }
        return {**plain, "derivative": list(self.polynomial.derivative)}

    @property
    def radius(self) -> float:
        """float: Margins or residuals beyond [-radius, radius] are clipped on the device."""
        return self.scale * (1 << self.polynomial.reach)

    @property
    def samples_per_value(self) -> int:
        """int: Independent quantisations of a value that an unbiased gradient needs."""
        return self.polynomial.degree + 1

    @property
    def curvature(self) -> float:
        """float: Largest second derivative with respect to z, 1 for least squares. The step size is divided by it."""
        slope = PowerSeries(self.polynomial.derivative).deriv()
        return float(np.abs(slope(np.linspace(-1, 1, _GRID))).max()) / (1 << self.polynomial.reach)

    def derivative(self, t: npt.ArrayLike) -> _Float:
        """The derivative of the loss by the polynomial.

        Parameters
        ----------
        t : array_like
            Margins or residuals.

        Returns
        -------
        npt.NDArray[np.float64] of the shape of ``t``
            Values of the polynomial; constant beyond the radius.
        """
        inside = np.clip(np.asarray(t, dtype=np.float64) / self.radius, -1, 1)
        return np.asarray(PowerSeries(self.polynomial.derivative)(inside))

    def value(self, t: npt.ArrayLike) -> _Float:
        """The loss: the integral of the polynomial.

        Parameters
        ----------
        t : array_like
            Margins or residuals.

        Returns
        -------
        npt.NDArray[np.float64] of the shape of ``t``
            Values of the loss, which is linear beyond the radius.
        """
        scaled = np.asarray(t, dtype=np.float64) / self.radius
        inside = np.clip(scaled, -1, 1)
        beyond = (scaled - inside) * self.derivative(inside * self.radius)
        return np.asarray((PowerSeries(self.polynomial.loss)(inside) + beyond) * self.radius)

    def plot(self, axes: Any = None, path: str | Path | None = None) -> Any:
        """Draw the exact derivative, its polynomial, and the error.

        Parameters
        ----------
        axes : two matplotlib Axes or None
            Where to draw; None for a new figure.
        path : str, Path or None
            Where to save the figure.

        Returns
        -------
        two matplotlib Axes

        Raises
        ------
        ModuleNotFoundError
            Matplotlib is not installed.
        """
        if axes is None:
            from .plots import new_axes

            axes = new_axes(2, sharex=True, height_ratios=(3, 1), figsize=(6, 5))
        points = np.linspace(-self.radius, self.radius, len(self.exact))
        fit = self.derivative(points)
        axes[0].plot(points, self.exact, label=f"{self.name}, exact", color="0.6", linewidth=4)
        axes[0].plot(points, fit, label=f"degree {self.polynomial.degree}", color="C0")
        axes[0].set_ylabel("derivative of the loss")
        axes[0].legend()
        axes[1].plot(points, fit - np.array(self.exact), color="C3")
        axes[1].set_ylabel("error")
        axes[1].set_xlabel("margin" if self.loss == Loss.POLYNOMIAL_MARGIN else "residual")
        if path is not None:
            save_figure(axes[0].figure, path)
        return axes

    def __str__(self) -> str:
        of = "margin" if self.loss == Loss.POLYNOMIAL_MARGIN else "residual"
        said = (
            f"{self.name}: a polynomial of degree {self.polynomial.degree} in the {of} from -{self.radius:g} to "
            f"{self.radius:g}, off by at most {self.error:.2g}"
        )
        return f"{said}: a poor fit, off by {self._share:.0%} of the largest slope" if self.poor else said

    @property
    def poor(self) -> bool:
        """bool: Whether the polynomial is off by more than a quarter of the largest slope."""
        return self._share > _POOR

    @property
    def _share(self) -> float:
        """The error as a share of the largest absolute value of the derivative."""
        return self.error / max(map(abs, self.exact))


def compile_loss(
    name: str,
    derivative: Callable[[_Float], npt.ArrayLike],
    *,
    of: str,
    degree: int = 3,
    radius: float = 4,
    constant: float = 0.0,
    tolerance: float | None = None,
    build: Build | None = None,
) -> CompiledLoss:
    """Fit a polynomial to the derivative of a loss, and check that the device can evaluate it.

    Parameters
    ----------
    name : str
        Name for messages.
    derivative : callable
        The derivative l'(t), not the loss itself, for an array of margins or residuals. For the logistic loss it is
        -1 / (1 + exp(t)). A factor of the loss acts like a factor of a ``step_size`` that is given; the automatic step size
        undoes it.
    of : str
        "margin" for a function of the score times the label's sign, or "residual" for a function of the score minus the
        label, where labels are scaled to [-1, 1].
    degree : int
        Degree of the polynomial, 1 to 7. An unbiased gradient needs degree + 1 samples per value.
    radius : float
        The fit holds from -radius to radius; the device clips arguments beyond. For residuals it must be 1, 2 or 4.
    constant : float
        l(0). It affects only the loss that training reports.
    tolerance : float or None
        Largest error to accept; None for any.
    build : Build or None
        Widths of the device; None for the default widths.

    Returns
    -------
    CompiledLoss
        The loss, for ``zipsgd.train(loss=...)``.

    Raises
    ------
    ValueError
        An argument is out of range; the derivative does not accept arrays, is not finite, or has the wrong sign, as the loss
        itself would have; the coefficients could overflow; or the error is above ``tolerance``. The message says what to
        change.
    """
    if of not in _KINDS:
        raise ValueError(f'of must be "margin" or "residual", not {of!r}')
    degree, radius, constant, tolerance = map(plain, (degree, radius, constant, tolerance))
    if not (isinstance(degree, int) and 1 <= degree <= MOST_DEGREE):
        raise ValueError(f"degree must be in 1..{MOST_DEGREE}, not {degree!r}")
    radii = [1 << reach for reach in range(REACH_MAX + 1)]
    if of == "residual" and radius not in radii:
        raise ValueError(f"radius must be one of {', '.join(map(str, radii))} of residuals, not {radius}")
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius must be a positive number, not {radius}")
    # Margins are scaled so that the device's z covers [-1, 1]: so the model uses as little of its range as possible
    scale, reach = (1.0, radii.index(int(radius))) if of == "residual" else (float(radius), 0)
    build = Build(polynomial=degree) if build is None else build
    points = np.linspace(-radius, radius, _GRID)
    exact = _values(name, derivative, points)
    if not np.all(np.isfinite(exact)):
        where = points[~np.isfinite(exact)][0]
        raise ValueError(
            f"{name}: the derivative is not finite at {where:g}, and must be from -{radius:g} to {radius:g}"
        )
    _check_sign(name, of, points, exact)
    series = Chebyshev.interpolate(
        lambda t: _values(name, derivative, t),
        _SERIES,
        [-radius, radius],
    )
    powers = (
        series.truncate(degree + 1).convert(kind=PowerSeries, domain=[-radius, radius], window=[-1, 1]).coef
    )
    coefficients = np.pad(powers, (0, degree + 1 - powers.size))
    polynomial = Polynomial(tuple(map(float, coefficients)), reach, constant / scale)
    smaller = ["a smaller radius"] if of == "margin" or radius > radii[0] else []
    try:
        words = polynomial.words(build)
    except ValueError as too_large:
        cures = ["a lower degree", *smaller, "a loss of a smaller scale"]
        raise ValueError(f"{name}: {too_large}: choose {' or '.join(cures)}") from None
    rounded = np.array(words.derivative) * 2.0**-build.residual_frac
    error = _largest(PowerSeries(rounded)(points / radius) - exact)
    error += degree / 2 * 2.0**-build.residual_frac  # rounding of the products
    if tolerance is not None and error > tolerance:
        higher = [f"a higher degree ({MOST_DEGREE} at most)"] if degree < MOST_DEGREE else []
        raise ValueError(
            f"{name}: a polynomial of degree {degree} is off by up to {error:.2g}, more than {tolerance:g}: choose "
            f"{' or '.join([*higher, *smaller, 'a smoother function'])}"
        )
    return CompiledLoss(name, _KINDS[of], scale, polynomial, error, tuple(map(float, exact)))


def _values(name: str, derivative: Callable[[_Float], npt.ArrayLike], points: _Float) -> _Float:
    """The derivative at the points."""
    try:
        return np.broadcast_to(np.asarray(derivative(points), dtype=np.float64), points.shape)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: the derivative gets an array of numbers, and must return as many: use np.where, np.clip, np.tanh and "
            f"the like in place of if, min, max and math ({error})"
        ) from error


def _check_sign(name: str, of: str, points: _Float, exact: _Float) -> None:
    """Raise an error for a wrong sign, and for a loss given in place of its derivative.

    A loss of the residual is higher at both ends of the range than next to them, or constant there. It may have its least value
    anywhere, as an asymmetric loss has. A loss of the margin must not rise at the lower end.
    """
    none = 1e-9 * float(np.abs(exact).max())  # a rounding error at an end where the loss is constant
    if of == "margin":
        right = exact[0] <= none and exact.min() < 0
        rule = "a loss falls as the margin grows, so its derivative must be below 0, and not above 0 at the lower end"
    else:
        right = exact[0] <= none and exact[-1] >= -none and (exact * points).max() > 0
        rule = (
            "a loss grows with the residual on either side of 0, so its derivative must not be above 0 at the lower end of the "
            "range, nor below 0 at the upper end"
        )
    if not right:
        raise ValueError(
            f"{name}: {rule}; it is {exact[0]:.3g} at {points[0]:g} and {exact[-1]:.3g} at {points[-1]:g}. Give the "
            f"derivative, not the loss itself, and check its sign"
        )


def _largest(off: _Float) -> float:
    """An upper estimate of the largest absolute value of a function, from its values ``off`` at evenly spaced points.

    Between two points the function may rise, and even jump. It is assumed to change there at most as much as in the intervals
    on either side.
    """
    size, change = np.abs(off), np.abs(np.diff(off))
    between = np.maximum(size[1:-2], size[2:-1]) + np.minimum(change[:-2], change[2:])
    return float(max(size.max(), between.max()))


def logistic(degree: int = 5, radius: float = 4) -> CompiledLoss:
    """The logistic loss, log(1 + exp(-t)) of the margin t.

    Parameters
    ----------
    degree : int
        Degree of the polynomial, 1 to 7.
    radius : float
        The fit holds for margins from -radius to radius.

    Returns
    -------
    CompiledLoss
        The loss, whose outputs estimate logarithms of odds.
    """
    fit = compile_loss(
        "logistic",
        lambda t: -1 / (1 + np.exp(t)),
        of="margin",
        degree=degree,
        radius=radius,
        constant=float(np.log(2)),
    )
    return replace(fit, odds=True)


def pseudo_huber(epsilon: float = 0.5, degree: int = 5, radius: float = 1) -> CompiledLoss:
    """The pseudo-Huber loss, epsilon^2 (sqrt(1 + (r / epsilon)^2) - 1) of the residual r.

    Parameters
    ----------
    epsilon : float
        Residual from which on the loss grows about linearly; below it is about quadratic. Labels are scaled to [-1, 1].
    degree : int
        Degree of the polynomial, 1 to 7.
    radius : float
        The fit holds for residuals from -radius to radius: 1, 2 or 4.

    Returns
    -------
    CompiledLoss
        The loss.

    Raises
    ------
    ValueError
        ``epsilon`` is not a positive number.
    """
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be a positive number, not {epsilon}")
    return compile_loss(
        "pseudo-Huber",
        lambda r: r / np.sqrt(1 + (r / epsilon) ** 2),
        of="residual",
        degree=degree,
        radius=radius,
    )
