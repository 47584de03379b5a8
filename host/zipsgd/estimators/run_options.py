"""The options of a run, from an estimator's parameters."""

from typing import Any

import numpy as np

from zipsgd.training.options import Options

from .checks import number, whole
from .penalty import regulariser

__all__ = ["options_of"]


def options_of(estimator: Any, schedule: Any, epochs: int, batch: int) -> Options:
    """The options of a run.

    Parameters
    ----------
    estimator : BaseZip
        The estimator, whose seed is known.
    schedule : str or list of float
        How the step size shrinks.
    epochs : int
        Passes over the data.
    batch : int
        Samples of a mini-batch.

    Returns
    -------
    Options
        The options.

    Raises
    ------
    ValueError
        A parameter is out of its range.
    """
    average = estimator.average
    if not isinstance(average, bool | np.bool_):
        average = whole("average", average, 0)
    step = estimator.step_size
    if isinstance(step, str) and step != "auto":
        raise ValueError(f'step_size must be "auto" or a number, not {step!r}')
    penalty = regulariser(estimator.penalty, estimator.alpha, estimator.l1_ratio)
    return Options(
        bits=estimator.bits,
        base_bits=None if estimator.base_bits is None else whole("base_bits", estimator.base_bits, 0),
        estimator=estimator.estimator,
        batch_size=batch,
        step_size=None if isinstance(step, str) else number("step_size", step),
        schedule=schedule,
        epochs=epochs,
        seed=estimator.seed_,
        levels=estimator.levels,
        scaling=estimator.scaling,
        clip=number("clip", estimator.clip),
        intercept=bool(estimator.fit_intercept),
        l2=penalty.l2,
        l1=penalty.l1,
        nonnegative=bool(estimator.positive),
        average=int(average),
        patience=whole("n_iter_no_change", estimator.n_iter_no_change, 1) if estimator.early_stopping else 0,
        tolerance=number("tol", estimator.tol),
        keep=estimator.keep,
        measure=bool(estimator.measure),
        sort_rows=True,
        **estimator._task_options,
    )
