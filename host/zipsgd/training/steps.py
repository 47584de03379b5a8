"""Step sizes: how large the first one is where nobody says, and how they shrink by epoch."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import PHASE_BITS, THRESHOLD_BITS
from zipsgd.rows import Rows, iterate_blocks

__all__ = ["SCHEDULES", "check_schedule", "default_step_size", "factor"]

_Float = npt.NDArray[np.float64]

SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "linear": lambda epoch, epochs: 1 - epoch / epochs,
    "constant": lambda epoch, epochs: 1.0,
    "sqrt": lambda epoch, epochs: (1 + epoch) ** -0.5,
    "inverse": lambda epoch, epochs: 1 / (1 + epoch),
}
"""Step size of an epoch over that of the first, by name. All but "linear" depend on the epoch's number alone."""

_SHARE = 0.5
"""Of what the estimate of the largest stable step allows."""
_MOST_STEP = 0.9
"""Of a sample: a device's steps are below 1 (:class:`zipsgd.golden.loss.Step`)."""
_MOST_THRESHOLD = 0.9 * 2.0 ** (THRESHOLD_BITS - PHASE_BITS - Build().model_frac)
"""Of a mini-batch, as devices of the usual widths have it (:class:`zipsgd.golden.prox.Prox`)."""
_SAMPLED = 2048
"""Rows from which the largest eigenvalue is estimated, at most."""
_POWER_STEPS = 20


def check_schedule(schedule: str | Sequence[float]) -> None:
    """Raises ValueError for what :func:`factor` does not take."""
    if isinstance(schedule, str):
        if schedule not in SCHEDULES:
            raise ValueError(
                f"schedule must be one of {', '.join(SCHEDULES)}, or a factor for each epoch, not {schedule!r}"
            )
    elif not schedule or not all(0 < each < float("inf") for each in schedule):
        raise ValueError(
            f"schedule must be a name, or positive factors, one for each epoch, not {schedule!r}"
        )


def factor(schedule: str | Sequence[float], epoch: int, epochs: int) -> float:
    """Step size of ``epoch``, counted from 0, over the first one's. Of a tuple, the last factor goes on for ever."""
    if isinstance(schedule, str):
        return SCHEDULES[schedule](epoch, epochs)
    return schedule[min(epoch, len(schedule) - 1)]


def _largest_eigenvalue(values: Rows) -> float:
    """Of A^T A / rows, by power iteration on evenly spaced rows."""
    count = values.shape[0]
    rows = np.unique(np.linspace(0, count - 1, min(count, _SAMPLED)).astype(np.int64))
    block = values[rows].astype(np.float64)
    vector: _Float = np.random.default_rng(0).normal(size=(block.shape[1],))
    length = 0.0
    for _ in range(_POWER_STEPS):
        moved: _Float = block.T @ (block @ vector) / rows.size
        length = float(np.linalg.norm(moved))
        vector = moved / length
    return length


def default_step_size(
    values: Rows,
    batch_size: int = 1,
    base_bits: int = 8,
    samples_per_value: int = 2,
    curvature: float = 1.0,
    l2: float = 0.0,
    l1: float = 0.0,
) -> float:
    """Half of 1 / (c (lambda + 2 T / B) + l2), c the loss's curvature, to two digits; less if a device could not do it.

    ``lambda`` is the largest eigenvalue of A^T A / rows, which bounds the step of gradient descent; ``T`` the mean squared
    length of a quantised sample, by which the noise of a mini-batch of B samples grows, and the bound of SGD shrinks. Two
    digits, so that the last bits of a sum do not reach the step.

    Parameters
    ----------
    values : within [-1, 1], shape (rows, features), the constant column among them, so that no sample's length is 0.
    batch_size, base_bits, samples_per_value : of the run, as in :class:`zipsgd.training.Options`. Optimal levels have less
        variance than the even ones counted here.
    curvature : the loss's largest second derivative in z: 1 of least squares and a squared hinge, about 1 of the logistic loss
        by its scale; a hinge is given 1/2.
    l2, l1 : strengths of the penalties, in the units of the device's loss and model.
    """
    unit = 2.0 ** (1 - base_bits)
    squared = variance = 0.0
    for _, block in iterate_blocks(values):
        squared += float(np.einsum("ij,ij->", block, block, dtype=np.float64))
        if samples_per_value:
            above = (block + 1) / np.float32(unit)  # from the lowest level
            above -= np.floor(above)
            variance += float(np.sum(above * (1 - above), dtype=np.float64))
    length = (squared + variance * unit**2) / values.shape[0]
    slope = curvature * (_largest_eigenvalue(values) + 2 * length / batch_size) + l2
    most = _MOST_STEP * batch_size
    if l1:
        most = min(most, _MOST_THRESHOLD / l1)
    return float(f"{min(_SHARE / slope, most) if slope else most:.1e}")
