"""The automatic step size: as large as is stable, or smaller where noise would cost more than speed gains."""

import logging

import numpy as np
import numpy.typing as npt

from zipsgd.data.naming import listed
from zipsgd.golden.loss import Step
from zipsgd.protocol.numbers import LABEL_FRAC, STEP_EXP_MAX
from zipsgd.rows import evenly_spaced

from .expected_loss import NoisyLeastSquares
from .rounding_noise import rounding_variance
from .steps import safe_step, spread_of, step_sizes
from .task import Task
from .two_values import two_valued

__all__ = ["automatic_steps"]

_Float = npt.NDArray[np.float64]

_log = logging.getLogger(__name__)

_MOST_COARSE = 3
"""Most columns with coarse levels that the warning names."""
_HALVINGS = 6
"""The smallest candidate is the largest step divided by 2 to this power."""
_PER_HALVING = 2
"""Candidates for each halving."""
_CAUTION = 2.0
"""Factor of the noise in the comparison of steps. The mean over seeds, which is computed, hides seeds that are much worse where
noise feeds on itself."""
_NEAR, _NEAR_CLASSES = 1.01, 1.25
"""The largest step is taken whose expected loss is at most this many times the least one. For classes, a squared error is only
a stand-in for the loss: large steps lead to large margins, and in measurements to better accuracy."""
_NEAR_SHARE = 0.002
"""Share of the targets' variance that is added to the limit."""
_NOTEWORTHY = 0.015
"""Expected loss through noise, as a share of the targets' variance, from which a message is logged."""
_WEAK, _NOISY = 1e-3, 1e-2
"""A combination of columns is nearly constant, but noisy, if its curvature is below the first share of the largest one, and its
noise above the second one."""
_MOST_NAMED, _PART = 4, 0.1
"""Most columns of such a combination that are named, and their least part in it, relative to the largest one."""
_SAMPLED_VALUES = 1 << 20
"""Most values of the sample from which the loss is expected."""


def automatic_steps(task: Task) -> list[float]:
    """Step size of each epoch, where the user chose none.

    It begins with the largest step that is safe, see :func:`zipsgd.training.steps.largest_step`. On collinear columns, that
    step may be too large, because noise grows with the number of steps. So the loss is computed that is to be expected with
    this step and with smaller ones, see :mod:`zipsgd.training.expected_loss`, and the largest step is taken whose loss is near
    the least one.

    Parameters
    ----------
    task : Task
        The task. Its own step sizes are not read.

    Returns
    -------
    list of float
        Step sizes for features in [-1, 1], rounded to two digits.
    """
    options, config = task.options, task.config
    objective, penalty = options.objective, options.device_regulariser
    values = task.values if task.scale == 1 else task.scalings[0].rows(task.table.features)
    # Rounding adds no noise where all values are levels
    samples = 0 if config.levels is not None and two_valued(values) else config.m
    spread = spread_of(values, config.p, samples)
    if config.diagonal is not None and config.levels is not None:
        # Less than that of even levels, which is assumed otherwise
        variance = float(config.diagonal.words.sum()) * config.diagonal.unit / task.scale**2
        spread = spread._replace(variance=variance / 4.0 ** (1 - config.p))
    largest = safe_step(spread, config.batch, config.p, objective.curvature, penalty.l2, penalty.l1)
    rows, features = values.shape
    chosen = evenly_spaced(rows, 1 + _SAMPLED_VALUES // features)
    sample = values[chosen].astype(np.float64)
    targets: _Float = task.labels[chosen] * np.float64(2.0**-LABEL_FRAC)
    if options.classify:
        targets = np.sign(targets)
    noisy = NoisyLeastSquares.fit(
        sample,
        targets,
        rounding_variance(sample, config.p, config.levels, task.scale) if config.m else np.zeros(features),
        both_orders=config.m > 1 and not options.one_sided,
    )
    factors = step_sizes(1.0, options.schedule, options.epochs)
    least = Step(1, STEP_EXP_MAX).value * config.batch * task.scale**2 / min(factors)
    smaller = [
        float(f"{largest * 2.0 ** (-i / _PER_HALVING):.1e}") for i in range(1, _HALVINGS * _PER_HALVING + 1)
    ]
    candidates = [largest, *(size for size in smaller if size >= least)]
    sizes = objective.curvature * np.outer(candidates, factors)

    def expected(sizes: _Float, noise: float) -> _Float:
        steps = rows / config.batch
        return noisy.unexplained(sizes, steps, config.batch, l2=penalty.l2 / objective.curvature, noise=noise)

    cautious = expected(sizes, _CAUTION)
    near = _NEAR_CLASSES if options.classify else _NEAR
    first = int(np.flatnonzero(cautious <= near * cautious.min() + _NEAR_SHARE)[0])
    if first:
        _log.debug("automatic step: %.2g in place of %.2g, because of noise", candidates[first], largest)
    with_noise, without = expected(sizes[first : first + 1], 1.0)[0], expected(sizes[:1], 0.0)[0]
    if not options.classify and with_noise - without > _NOTEWORTHY:
        _log.warning(_costly(noisy, with_noise, without, task))
    return step_sizes(candidates[first], options.schedule, options.epochs)


def _costly(noisy: NoisyLeastSquares, with_noise: float, without: float, task: Task) -> str:
    """What to say of a run in which noise is expected to cost much, and of what causes it."""
    config = task.config
    text = (
        f"with {config.p + config.m} bits a value, noise is expected to lower R2 from {1 - without:.3f} to "
        f"{1 - with_noise:.3f}"
    )
    if task.coarse:
        text += f", as most values of {listed(list(map(repr, task.coarse)), _MOST_COARSE)} share a level"
    text += f": use more base bits{' or --levels auto' * (task.options.levels == 'uniform')}"
    weak = np.flatnonzero(
        (noisy.curvatures < _WEAK * noisy.curvatures.max()) & (noisy.noises > _NOISY * noisy.noises.max())
    )
    weak = weak[weak < noisy.directions.shape[1]]
    if not weak.size:
        return text
    parts = np.abs(noisy.directions[:-1, weak[0]])  # without the intercept
    columns = [column for column in np.argsort(-parts)[:_MOST_NAMED] if parts[column] > _PART * parts.max()]
    named = ", ".join(repr(task.table.names[column]) for column in sorted(columns))
    return f"{text}, or leave out one of {named}, which nearly determine each other"
