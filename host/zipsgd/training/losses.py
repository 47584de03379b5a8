"""The loss compiler: any smooth derivative as a polynomial that the device evaluates (ZipML, section 4).

    >>> import numpy as np
    >>> from zipsgd.training.losses import compile_loss
    >>> soft = compile_loss("soft", lambda r: np.tanh(2 * r) / 2, of="residual", degree=5, radius=1)
    >>> print(soft)
    soft: a polynomial of degree 5 in the residual from -1 to 1, off by at most 0.0065

The derivative's Chebyshev series, cut off at the degree, comes close to the polynomial of the least maximum error.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import Chebyshev
from numpy.polynomial import Polynomial as PowerSeries

from zipsgd.golden.polynomial import Polynomial
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_DEGREE, REACH_MAX
from zipsgd.protocol.run import Loss

__all__ = ["CompiledLoss", "compile_loss", "logistic", "pseudo_huber"]

_Float = npt.NDArray[np.float64]
_GRID = 1025
"""Points at which fit and function are compared."""
_SERIES = 256
"""Degree up to which a function's Chebyshev series is known before it is cut off."""
_KINDS = {"margin": Loss.POLYNOMIAL_MARGIN, "residual": Loss.POLYNOMIAL_RESIDUAL}


@dataclass(frozen=True)
class CompiledLoss:
    """A loss as the device has it.

    ``loss``: of the margin, or of the residual z - b. ``scale``: the margin is scale s z, with s = +-1 the label's sign, and
    what the device minimises is l / scale. ``polynomial``: the derivative. ``error``: how far the polynomial is from the
    derivative within the radius at most, the rounding of coefficients and sums on the device included. ``exact``: the
    derivative itself at evenly spaced points from -radius to radius. ``odds``: whether scores are logarithms of odds.
    """

    name: str
    loss: Loss
    scale: float
    polynomial: Polynomial
    error: float
    exact: tuple[float, ...] = field(repr=False)
    odds: bool = False

    @property
    def radius(self) -> float:
        """The device cuts arguments off there."""
        return self.scale * (1 << self.polynomial.reach)

    @property
    def samples_per_value(self) -> int:
        """Independent quantisations that an estimate without bias takes."""
        return self.polynomial.degree + 1

    @property
    def curvature(self) -> float:
        """The derivative's steepest slope in z, 1 for least squares: steps may be larger in inverse proportion."""
        slope = PowerSeries(self.polynomial.derivative).deriv()
        return float(np.abs(slope(np.linspace(-1, 1, _GRID))).max()) / (1 << self.polynomial.reach)

    def derivative(self, t: npt.ArrayLike) -> _Float:
        """The polynomial, at margins or residuals ``t``."""
        inside = np.clip(np.asarray(t, dtype=np.float64) / self.radius, -1, 1)
        return np.asarray(PowerSeries(self.polynomial.derivative)(inside))

    def value(self, t: npt.ArrayLike) -> _Float:
        """Its integral, the loss; straight on beyond the radius."""
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
            axes[0].figure.savefig(path, dpi=120)
        return axes

    def __str__(self) -> str:
        of = "margin" if self.loss == Loss.POLYNOMIAL_MARGIN else "residual"
        return (
            f"{self.name}: a polynomial of degree {self.polynomial.degree} in the {of} from -{self.radius:g} to "
            f"{self.radius:g}, off by at most {self.error:.2g}"
        )


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
    """Fit a polynomial to a loss's derivative, and see that the device can evaluate it.

    Parameters
    ----------
    name : for messages.
    derivative : l'(t), of an array of margins or residuals. That of the logistic loss is -1 / (1 + exp(t)).
    of : "margin", the score times the label's sign, or "residual", the score less the label, of labels in [-1, 1].
    degree : of the polynomial, 1 to 7. Its estimate takes degree + 1 samples per value.
    radius : the fit is good from -radius to radius, where the device cuts arguments off. Of residuals 1, 2 or 4.
    constant : l(0), which only shows in the loss that training reports.
    tolerance : the largest error to accept.
    build : whose widths count; by default the usual ones.

    Raises
    ------
    ValueError
        An argument out of its range; a derivative that is not finite; coefficients that could overflow; an error above
        ``tolerance``. The message says what to change.
    """
    if of not in _KINDS:
        raise ValueError(f'of must be "margin" or "residual", not {of!r}')
    if not (isinstance(degree, Integral) and 1 <= degree <= MOST_DEGREE):
        raise ValueError(f"degree must be in 1..{MOST_DEGREE}, not {degree!r}")
    radii = [1 << reach for reach in range(REACH_MAX + 1)]
    if of == "residual" and radius not in radii:
        raise ValueError(f"radius must be one of {', '.join(map(str, radii))} of residuals, not {radius}")
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius must be a positive number, not {radius}")
    # Margins are scaled so that the device's z covers [-1, 1], which leaves the model the most room
    scale, reach = (1.0, radii.index(int(radius))) if of == "residual" else (float(radius), 0)
    degree = int(degree)
    build = Build(polynomial=degree) if build is None else build
    points = np.linspace(-radius, radius, _GRID)
    exact = np.broadcast_to(np.asarray(derivative(points), dtype=np.float64), points.shape)
    if not np.all(np.isfinite(exact)):
        where = points[~np.isfinite(exact)][0]
        raise ValueError(
            f"{name}: the derivative is not finite at {where:g}, and must be from -{radius:g} to {radius:g}"
        )
    falls, why = {
        "margin": (exact, "a loss falls where the margin grows, and this derivative is nowhere below 0"),
        "residual": (
            -exact * points,
            "a loss grows with the residual on either side of 0, and this derivative nowhere has the residual's sign",
        ),
    }[of]
    if falls.min() >= 0:
        raise ValueError(f"{name}: {why}; is its sign right?")
    series = Chebyshev.interpolate(
        lambda t: np.broadcast_to(np.asarray(derivative(t), dtype=np.float64), t.shape),
        _SERIES,
        [-radius, radius],
    )
    powers = (
        series.truncate(degree + 1).convert(kind=PowerSeries, domain=[-radius, radius], window=[-1, 1]).coef
    )
    coefficients = np.pad(powers, (0, degree + 1 - powers.size))
    polynomial = Polynomial(tuple(map(float, coefficients)), reach, constant / scale)
    try:
        words = polynomial.words(build)
    except ValueError as too_large:
        raise ValueError(f"{name}: {too_large}") from None
    rounded = np.array(words.derivative) * 2.0**-build.residual_frac
    error = _largest(PowerSeries(rounded)(points / radius) - exact)
    error += degree / 2 * 2.0**-build.residual_frac  # of the products
    if tolerance is not None and error > tolerance:
        raise ValueError(
            f"{name}: a polynomial of degree {degree} is off by up to {error:.2g}, more than {tolerance:g}: raise the degree "
            f"(to {MOST_DEGREE} at most), or take a smaller radius or a smoother function"
        )
    return CompiledLoss(name, _KINDS[of], scale, polynomial, error, tuple(map(float, exact)))


def _largest(off: _Float) -> float:
    """Of a function whose values at evenly spaced points are ``off``, the largest size: between points, too, where it may turn
    or jump, having come from both sides as fast as it does just beside them."""
    size, change = np.abs(off), np.abs(np.diff(off))
    between = np.maximum(size[1:-2], size[2:-1]) + np.minimum(change[:-2], change[2:])
    return float(max(size.max(), between.max()))


def logistic(degree: int = 5, radius: float = 4) -> CompiledLoss:
    """log(1 + exp(-t)) of the margin t."""
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
    """epsilon^2 (sqrt(1 + (r / epsilon)^2) - 1) of the residual r: squared near 0, absolute from about ``epsilon`` on, where
    the range of labels is from -1 to 1."""
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon must be a positive number, not {epsilon}")
    return compile_loss(
        "pseudo-Huber",
        lambda r: r / np.sqrt(1 + (r / epsilon) ** 2),
        of="residual",
        degree=degree,
        radius=radius,
    )
