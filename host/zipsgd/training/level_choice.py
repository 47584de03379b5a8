"""What rounding to few levels costs, and the choice between even and optimal levels, where the user leaves it open.

A feature x that is rounded between the levels l and u has the variance v = E (u - x)(x - l), and adds w^2 v to the variance of
the residuals. Where the sum over the features is far above the variance that the residuals have anyway, the gradients consist
of rounding noise.
"""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling, Table
from zipsgd.data.naming import listed
from zipsgd.rows import in_memory

from .forecast import Forecast, rows_for
from .options import Options
from .rounding_noise import rounding_variance

__all__ = ["Rounding", "choose_levels"]

_Float = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)

_NOISY = 10.0
"""Rounding noise over the variance of the residuals from which on optimal levels are worth their table."""
_COARSE = 20.0
"""Rounding noise of a single column from which on it is named."""
_BETTER = 0.5
"""Optimal levels have at most this share of the noise of even ones where they are chosen."""
_MOST_PLANES = 4
"""Most base planes with optimal levels."""
_NAMED = 3


def _noise(found: Forecast, variance: _Float) -> _Float:
    """The rounding noise of each feature over the variance of the residuals, in the mean over the heads, shape (features,)."""
    residual = np.maximum(found.residual, np.finfo(np.float64).tiny)
    return np.asarray((found.weights**2 * variance[:, None] / residual).mean(axis=1))


def _optimal_noise(table: Table, options: Options, found: Forecast, kind: str) -> _Float:
    """The rounding noise of each feature on optimal levels, placed by a sample of the rows, shape (features,)."""
    from zipsgd.levels.placement import level_scale, level_table  # numba takes a second to import

    index = rows_for(*table.features.shape)
    scale = level_scale(options.level_bits)
    sample = table if index is None else table.take(index)
    values = Scaling.fit(sample, options.level_steps, kind, options.clip).rows(sample.features, scale)
    levels = level_table(values, options.planes, options.level_bits, shared=options.shared_levels)
    return _noise(found, rounding_variance(in_memory(values) / scale, options.planes, levels, scale))


@dataclass(frozen=True)
class Rounding:
    """Levels for a run, and the columns for which they are too coarse.

    Parameters
    ----------
    optimal : bool
        Whether levels are optimal ones instead of even ones.
    coarse : tuple of str
        Columns whose rounding adds far more than the residuals' own variance.
    """

    optimal: bool
    coarse: tuple[str, ...] = ()


def choose_levels(table: Table, options: Options, found: Forecast, kind: str, available: bool) -> Rounding:
    """The levels that the options ask for; with "auto", optimal ones where even ones would drown the gradients in noise.

    The columns for which the levels are too coarse all the same are part of the result.

    Parameters
    ----------
    table : Table
        The rows.
    options : Options
        How to train.
    found : Forecast
        The model that SGD will reach.
    kind : str
        Kind of scaling.
    available : bool
        Whether the device has a table of levels. If not, "auto" chooses even ones, and says so where optimal ones would help.

    Returns
    -------
    Rounding
        The levels.
    """
    optimal, auto = options.levels == "optimal", options.levels == "auto"
    even = _noise(found, rounding_variance(found.values, max(1, options.planes)))
    if options.planes == 0:
        return Rounding(True)
    if even.sum() < _NOISY:
        return Rounding(optimal)
    noise = even
    if optimal or (auto and options.planes <= _MOST_PLANES and options.refetch == "never"):
        placed = _optimal_noise(table, options, found, kind)
        better = bool(placed.sum() <= _BETTER * even.sum())
        if auto:
            _log.info(
                "%s: rounding to even levels adds %.3g times the variance of the residuals, to optimal ones %.3g times%s",
                table.source,
                even.sum(),
                placed.sum(),
                "; this device has no table of levels, so that even ones are used"
                if better and not available
                else "",
            )
            optimal = better and available
        noise = placed if optimal else even
    return Rounding(optimal, _coarse(table, options, noise))


def _coarse(table: Table, options: Options, noise: _Float) -> tuple[str, ...]:
    """The columns whose rounding noise is far above the residuals, the worst first.

    A warning names them, unless the automatic step size tells what noise will cost.
    """
    noisy = np.flatnonzero(noise[:-1] > _COARSE)
    names = tuple(table.names[j] for j in noisy[np.argsort(-noise[noisy], kind="stable")])
    if names and (options.classify or options.step_size is not None):
        _log.warning(
            "%s: at %d base bit%s most values of %s share a level: use %smore base bits",
            table.source,
            options.planes,
            "s" * (options.planes > 1),
            listed(list(map(repr, names)), _NAMED),
            "--levels auto or " * (options.levels == "uniform"),
        )
    return names
