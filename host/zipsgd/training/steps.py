"""Step sizes: the largest first step that is safe, and the schedules by which steps shrink."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import PHASE_BITS, THRESHOLD_BITS
from zipsgd.rows import Rows, evenly_spaced, iterate_blocks

__all__ = [
    "SAMPLED",
    "SCHEDULES",
    "Spread",
    "check_schedule",
    "factor",
    "largest_step",
    "safe_step",
    "spread_of",
    "step_sizes",
]

_Float = npt.NDArray[np.float64]

SCHEDULES: dict[str, Callable[[float, int], float]] = {
    "linear": lambda epoch, epochs: 1 - epoch / epochs,
    "constant": lambda epoch, epochs: 1.0,
    "sqrt": lambda epoch, epochs: (1 + epoch) ** -0.5,
    "inverse": lambda epoch, epochs: 1 / (1 + epoch),
}
"""Schedules by name: functions of the epoch, counted from 0, and the number of epochs. They return the ratio of the epoch's
step size to the first one. All but "linear" depend only on the epoch."""

_SHARE = 0.5
"""The largest safe step as a share of the estimated largest stable step."""
_MOST_STEP = 0.9
"""Largest step per sample, because a device's step is below 1 (:class:`zipsgd.golden.loss.Step`)."""
_MOST_THRESHOLD = 0.9 * 2.0 ** (THRESHOLD_BITS - PHASE_BITS - Build().model_frac)
"""Largest L1 threshold per mini-batch, for a device of the default widths (:class:`zipsgd.golden.prox.Prox`)."""
SAMPLED = 2048
"""Most rows from which the largest eigenvalue is estimated."""
_SAMPLED_VALUES = 1 << 25
"""Most values of these rows, which are in memory."""
_POWER_STEPS = 20
"""Iterations of the power method."""


def check_schedule(schedule: str | Sequence[float]) -> None:
    """Check that a schedule is valid.

    Parameters
    ----------
    schedule : str or sequence of float
        A name of :data:`SCHEDULES`, or a factor for each epoch.

    Raises
    ------
    ValueError
        The name is unknown, or the factors are missing, not positive or not finite.
    """
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            raise ValueError(
                f"schedule must be one of {', '.join(SCHEDULES)}, or a factor for each epoch, not {schedule!r}"
            )
    elif not schedule or not all(0 < each < float("inf") for each in schedule):
        raise ValueError(
            f"schedule must be a name, or positive factors, one for each epoch, not {schedule!r}"
        )


def factor(schedule: str | Sequence[float], epoch: float, epochs: int) -> float:
    """The ratio of an epoch's step size to the first one.

    Parameters
    ----------
    schedule : str or sequence of float
        A name of :data:`SCHEDULES`, or a factor for each epoch; the last factor holds for all further epochs.
    epoch : float
        The epoch, counted from 0; a fraction where a run does not come in whole epochs.
    epochs : int
        Number of epochs of the run.

    Returns
    -------
    float
        The ratio.
    """
    if isinstance(schedule, str):
        return SCHEDULES[schedule](epoch, epochs)
    return schedule[min(int(epoch), len(schedule) - 1)]


class Spread(NamedTuple):
    """What the largest safe step depends on, of scaled rows.

    Parameters
    ----------
    length : float
        Mean squared length of a row, with the intercept's column of ones.
    variance : float
        Mean over rows of the sum of the variances of a row's quantised values, in units of the squared distance between levels.
    largest : float
        Largest eigenvalue of A^T A / rows.
    """

    length: float
    variance: float
    largest: float


def step_sizes(first: float, schedule: str | Sequence[float], epochs: int) -> list[float]:
    """The step size of each epoch.

    Parameters
    ----------
    first : float
        Step size of the first epoch.
    schedule : str or sequence of float
        See :func:`factor`.
    epochs : int
        Number of epochs of the run.

    Returns
    -------
    list of float
        Step sizes.
    """
    return [first * factor(schedule, epoch, epochs) for epoch in range(epochs)]


def _largest_eigenvalue(values: Rows) -> float:
    """The largest eigenvalue of A^T A / rows, by power iteration on evenly spaced rows."""
    count, features = values.shape
    rows = evenly_spaced(count, min(SAMPLED, max(1, _SAMPLED_VALUES // features)))
    block = values[rows].astype(np.float64)
    if rows.size == 1:
        return float(np.vdot(block, block))
    vector: _Float = np.random.default_rng(0).normal(size=(block.shape[1],))
    length = 0.0
    for _ in range(_POWER_STEPS):
        moved: _Float = block.T @ (block @ vector) / rows.size
        length = float(np.linalg.norm(moved))
        vector = moved / length
    return length


def spread_of(values: Rows, base_bits: int, samples_per_value: int) -> Spread:
    """Measure what the largest safe step depends on, in one pass over the rows.

    Parameters
    ----------
    values, base_bits, samples_per_value
        See :func:`largest_step`.

    Returns
    -------
    Spread
        Length, variance and largest eigenvalue.
    """
    unit = 2.0 ** (1 - base_bits)
    squared = variance = 0.0
    for _, block in iterate_blocks(values):
        squared += float(np.einsum("ij,ij->", block, block, dtype=np.float64))
        if samples_per_value:
            above = (block + 1) / np.float32(unit)  # from the lowest level
            above -= np.floor(above)
            variance += float(np.sum(above * (1 - above), dtype=np.float64))
    rows = values.shape[0]
    return Spread(squared / rows, variance / rows, _largest_eigenvalue(values))


def safe_step(
    spread: Spread,
    batch_size: int = 1,
    base_bits: int = 8,
    curvature: float = 1.0,
    l2: float = 0.0,
    l1: float = 0.0,
) -> float:
    """The largest step that is safe for rows whose spread is known.

    Parameters
    ----------
    spread : Spread
        See :func:`spread_of`.
    batch_size, base_bits, curvature, l2, l1
        See :func:`largest_step`.

    Returns
    -------
    float
        Step size of the first epoch, for features in [-1, 1].
    """
    unit = 2.0 ** (1 - base_bits)
    length = spread.length + spread.variance * unit**2
    slope = curvature * (spread.largest + 2 * length / batch_size) + l2
    most = _MOST_STEP * batch_size
    if l1:
        most = min(most, _MOST_THRESHOLD / l1)
    return float(f"{min(_SHARE / slope, most) if slope else most:.1e}")


def largest_step(
    values: Rows,
    batch_size: int = 1,
    base_bits: int = 8,
    samples_per_value: int = 2,
    curvature: float = 1.0,
    l2: float = 0.0,
    l1: float = 0.0,
) -> float:
    """The largest step that is safe: half of 1 / (c (lambda + 2 T / B) + l2).

    c is the curvature of the loss. lambda is the largest eigenvalue of A^T A / rows, which limits the step of gradient
    descent. T is the mean squared length of a quantised sample: the noise of a mini-batch of B samples grows with T / B, and
    limits the step of SGD further. The step is smaller where a device could not do it. It is rounded to two digits, so that
    rounding errors of the sums do not change it.

    Parameters
    ----------
    values : Rows of shape (rows, features)
        Values in [-1, 1], including the intercept's column of ones, so that no sample has the length 0.
    batch_size : int
        Samples of a mini-batch.
    base_bits : int
        Base planes of a value. Optimal levels have less variance than the uniform levels that are assumed here.
    samples_per_value : int
        Quantised samples per value; only whether it is 0 matters.
    curvature : float
        Largest second derivative of the loss with respect to the output: 1 for least squares and the squared hinge, about 1
        for the scaled logistic loss. A hinge has none, and 1/2 is used.
    l2, l1 : float
        Strengths of the penalties, in the units of the device's loss and model.

    Returns
    -------
    float
        Step size of the first epoch, for features in [-1, 1].
    """
    spread = spread_of(values, base_bits, samples_per_value)
    return safe_step(spread, batch_size, base_bits, curvature, l2, l1)
