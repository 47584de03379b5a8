"""The evidence of a finished run: how good its model is, and which values were saturated how often."""

from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import transcode
from zipsgd.golden.quantise import fixed_point, quantise_fixed_point
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, MODEL_INT
from zipsgd.protocol.run import Flag, Loss

from .guard import FEW_EPOCHS, Evidence, Finding, clearly_worse, findings
from .least_squares import LeastSquares, difference, solve
from .loop import Run
from .probe import Probe, probe_rows
from .task import Task

__all__ = ["examine"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_RESIDUAL_END = 4.0
"""Residuals are saturated to [-4, 4)."""
_NEAR = 1 - 2.0**-6
"""From this share of its range on, a weight counts as at the end, if weights were saturated."""


def examine(run: Run, build: Build, *, whole: bool = True) -> list[Finding]:
    """Judge a finished run by the rule of :mod:`.guard`.

    Parameters
    ----------
    run : Run
        The run.
    build : Build
        The build that it ran on.
    whole : bool
        Whether the run saw the whole set. Of a part of one, only saturation is judged: what is best for a part need not be
        best for the set.

    Returns
    -------
    list of Finding
        What is wrong; empty for a healthy run.
    """
    task, options, flags = run.task, run.task.options, run.reports[-1].flags
    step = run.first_step + len(run.reports) - 1
    return findings(
        Evidence(
            track=run.track if whole and not options.patience else None,
            kept=run.kept,
            accuracy=task.numbers is not None,
            shares=_shares(run.trained, run.last.words * np.float64(2.0**-build.model_frac), step, flags),
            ends=_ends(run.last.words, build, Flag.NAMES[Flag.MODEL] in flags),
            step=run.reports[0].step_size,
            automatic=options.step_size is None,
            biased=options.biased,
            base_bits=options.planes,
            **(_outcome(run) if whole else {}),
        )
    )


def _outcome(run: Run) -> dict[str, Any]:
    """Compare the kept model with constants and with least squares: fields of :class:`.guard.Evidence`.

    Classes are judged together. Of several outputs, each comparison is that of the output for which it is worst.
    """
    probe, penalty = Probe.of_task(run.task, thorough=True), run.task.options.regulariser
    models = run.state.scaled_models()
    outputs = probe.outputs(models)
    losses, constants = probe.losses(outputs, models), probe.constants
    judged = slice(None)
    if probe.numbers is None:
        judged = slice(worst := int(np.argmax(losses - constants)), worst + 1)
    found: dict[str, Any] = {
        "rows": probe.rows,
        "loss": float(losses[judged].mean()),
        "constant": float(constants[judged].mean()),
        "zero": float(probe.losses(np.zeros_like(outputs))[judged].mean()),
        "empty": max(penalty.l1, penalty.l2) > 0 and not models[:, :-1].any(),
    }
    limited = (
        penalty.bound or penalty.radius or penalty.nonnegative or (probe.numbers is not None and penalty.l1)
    )
    exact = None if limited or len(run.reports) < FEW_EPOCHS else solve(probe)
    if exact is None:
        return found
    merits, references = probe.merits(outputs, models), exact.merits(probe)
    head = int(np.argmax(references - merits))
    found["compared"] = pair = (float(merits[head]), float(references[head]))
    regression = run.task.config.loss == Loss.SQUARED and probe.numbers is None
    if regression and clearly_worse(*pair, probe.rows, accuracy=False):
        found |= _difference(run.task, exact, models[head], head)
    return found


def _difference(task: Task, exact: LeastSquares, model: _Float, head: int) -> dict[str, Any]:
    """What a model of least squares lacks: fields of :class:`.guard.Evidence`."""
    gap = difference(exact, model, head)
    limit = float(1 << MODEL_INT) * task.scale
    return {
        "columns": [task.table.names[column] for column in gap.columns],
        "unfinished": gap.unfinished,
        "squeezed": gap.squeezed,
        "far": float(np.abs(exact.models[head]).max()) / limit,
    }


def _ends(words: _Int, build: Build, flagged: bool) -> int:
    """Number of weights at the end of their range."""
    limit = 1 << (build.model_bits - 1)
    near = _NEAR * limit if flagged else limit - 1
    return int(np.count_nonzero((words >= near) | (words <= -near)))


def _shares(task: Task, models: _Float, step: int, flags: list[str]) -> dict[str, float]:
    """The shares of the values that ``flags`` speak of which are saturated, for some rows and the last epoch's step.

    The device only says whether any value was saturated. So some rows are quantised once more, and the device's sums are
    computed in float64.
    """
    asked = [name for name in ("residual", "delta", "gradient") if name in flags]
    config = task.config
    if (
        not asked or config.polynomial is not None
    ):  # arguments beyond the reach of a polynomial belong to the loss
        return {}
    rows = probe_rows(task.values.shape)
    first, second = _quantised(task, rows)
    labels = task.labels[rows] * np.float64(2.0**-LABEL_FRAC)
    residuals = first @ models.T - labels
    slopes = np.clip(residuals, -_RESIDUAL_END, _RESIDUAL_END)
    if config.loss.hinge:
        active = residuals * np.sign(labels) < 0
        slopes = np.where(active, slopes if config.loss == Loss.SQUARED_HINGE else -np.sign(labels), 0.0)
        residuals = residuals * active
    shares = {"residual": 0.0}
    if config.loss != Loss.HINGE:  # whose slope does not depend on the residual's size
        shares["residual"] = float(np.mean(np.abs(residuals) >= _RESIDUAL_END))
    deltas = task.steps[step].value * slopes
    shares["delta"] = float(np.mean(np.abs(deltas) >= 1))
    starts = np.arange(0, len(rows), config.batch)
    sums = (np.add.reduceat(delta[:, None] * second, starts, axis=0) for delta in np.clip(deltas, -1, 1).T)
    shares["gradient"] = float(np.mean([np.abs(each).max(axis=1) >= 1 for each in sums]))
    return {name: shares[name] for name in asked}


def _quantised(task: Task, rows: _Int) -> tuple[_Float, _Float]:
    """Two quantisations of some rows, as the device reads them."""
    config, levels = task.config, task.config.levels
    values = task.values[rows]
    fixed = fixed_point(values, config.p) if levels is None else levels.fixed_point(values)
    codes = quantise_fixed_point(
        fixed, task.labels[rows], config.p, config.m, seed=task.options.seed, epoch=0, rows=rows
    )
    if levels is not None:
        each = [part.base * np.float64(2.0 ** (1 - levels.bits)) for part in transcode(codes, levels)]
    else:
        ups = range(max(1, config.m))
        each = [(codes.base + (codes.up >> up & 1)) * np.float64(2.0 ** (1 - config.p)) for up in ups]
    return each[0], each[min(1, len(each) - 1)]
