"""What rounding to few levels costs, and the choice between even and optimal levels, where the user leaves it open.

A feature x that is rounded between the levels l and u has the variance v = E (u - x)(x - l), and adds w^2 v to the variance of
the residuals. Where the sum over the features is far above the variance that the residuals have anyway, the gradients consist
of rounding noise.
"""

import logging

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling, Table
from zipsgd.golden.levels import LevelTable
from zipsgd.rows import in_memory

from .forecast import Forecast, rows_for
from .options import Options

__all__ = ["noise_of", "optimal_are_better", "warn_of_noise"]

_Float = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)

_NOISY = 10.0
"""Rounding noise over the variance of the residuals from which on optimal levels are worth their table."""
_BETTER = 0.5
"""Optimal levels have at most this share of the noise of even ones where they are chosen."""
_MOST_PLANES = 4
"""Most base planes with optimal levels."""
_NAMED = 3


def _even_variance(values: _Float, base_bits: int) -> _Float:
    """Mean variance of each feature on even levels, shape (features,)."""
    unit = 2.0 ** (1 - base_bits)
    above = (values + 1) / unit
    above -= np.floor(above)
    return np.asarray((above * (1 - above)).mean(axis=0) * unit**2)


def _table_variance(values: _Float, table: LevelTable) -> _Float:
    """Mean variance of each feature on its levels, shape (features,)."""
    levels = table.values * 2.0 ** (1 - table.bits)
    found = np.empty(values.shape[1])
    for j, (column, own) in enumerate(zip(values.T, levels, strict=True)):
        upper = np.clip(np.searchsorted(own, column, side="right"), 1, own.size - 1)
        found[j] = np.mean((own[upper] - column) * (column - own[upper - 1]))
    return found


def noise_of(found: Forecast, base_bits: int) -> _Float:
    """The rounding noise of each feature on even levels over the variance of the residuals, in the mean over the heads.

    Parameters
    ----------
    found : Forecast
        The model that SGD will reach.
    base_bits : int
        Base planes, 1 to 8.

    Returns
    -------
    _Float of shape (features,)
        Ratios; the intercept's is 0.
    """
    return _noise(found, _even_variance(found.values, base_bits))


def _noise(found: Forecast, variance: _Float) -> _Float:
    residual = np.maximum(found.residual, np.finfo(np.float64).tiny)
    return np.asarray((found.weights**2 * variance[:, None] / residual).mean(axis=1))


def optimal_are_better(table: Table, options: Options, found: Forecast, kind: str, available: bool) -> bool:
    """Whether even levels would drown the gradients in noise, and optimal ones would not.

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
        Whether the device has a table of levels. If not, and it would help, this is logged.

    Returns
    -------
    bool
        True if there is such a table, and rounding to optimal levels has at most half the noise.
    """
    index = rows_for(*table.features.shape)
    even = float(noise_of(found, options.base_bits).sum())
    if index is None or options.base_bits > _MOST_PLANES or options.refetch != "never" or even < _NOISY:
        return False
    from zipsgd.levels.placement import level_scale, level_table  # numba takes a second to import

    scale = level_scale(options.level_bits)
    sample = table.take(index)
    values = Scaling.fit(sample, options.level_steps, kind, options.clip).rows(sample.features, scale)
    levels = level_table(values, options.base_bits, options.level_bits, shared=options.shared_levels)
    variance = _table_variance(in_memory(values).astype(np.float64), levels) / scale**2
    optimal = float(_noise(found, variance).sum())
    better = optimal <= _BETTER * even
    _log.info(
        "%s: rounding to even levels adds %.3g times the variance of the residuals, to optimal ones %.3g times%s",
        table.source,
        even,
        optimal,
        "; this device has no table of levels, so that even ones are used"
        if better and not available
        else "",
    )
    return better and available


def warn_of_noise(table: Table, options: Options, found: Forecast) -> tuple[str, ...]:
    """Warn of columns whose rounding noise on even levels is far above the residuals.

    Parameters
    ----------
    table : Table
        The rows.
    options : Options
        How to train.
    found : Forecast
        The model that SGD will reach.

    Returns
    -------
    tuple of str
        The columns.
    """
    noise = noise_of(found, options.base_bits)[:-1]
    noisy = np.flatnonzero(noise > _NOISY)
    if not noisy.size:
        return ()
    worst = noisy[np.argsort(-noise[noisy])][:_NAMED]
    ratios = np.ptp(found.values[:, worst], axis=0) / found.values[:, worst].std(axis=0)
    named = ", ".join(
        f"{table.names[j]!r} (its range is {ratio:,.0f} times its standard deviation)"
        for j, ratio in zip(worst, ratios, strict=True)
    )
    _log.warning(
        "%s: at %d base bits most values of %s share a level, and rounding adds up to %.0f times the variance of the "
        "residuals. Use --levels auto, more --base-bits, --scaling quantile, or a logarithm of the column (in Python: "
        "levels='auto' and so on)",
        table.source,
        options.base_bits,
        named + (f" and {noisy.size - _NAMED} more columns" if noisy.size > _NAMED else ""),
        noise[worst[0]],
    )
    return tuple(table.names[j] for j in noisy)
