"""The mean of the device's whole step with one draw, at a fixed model.

A step has a mini-batch with all rows, so that its mean is exact: the gradient of the rows as they are. All random numbers
count: those of the quantisation, of Q3, of deltas, of Q4 and of the growth, whose turns go on from step to step. With the
squared hinge, the growth also depends on the last sample of the mini-batch, so the order of the rows is random.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.emulator import Emulator
from zipsgd.golden.diagonal import Diagonal, Growth
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.levels.placement import level_table
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, LABEL_ONE
from zipsgd.protocol.run import Loss
from zipsgd.training.rounding_noise import rounding_variance

__all__ = ["Case", "block_means", "cases"]

_ROWS, _FEATURES = 256, 6
_LEVEL_BITS = 8
_STEP = 0.02

_Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A step at a fixed model, and its exact mean.

    Parameters
    ----------
    what : str
        Loss, base planes and levels.
    values : npt.NDArray[np.float32] of shape (rows, features)
        Values in [-1, 1].
    labels : npt.NDArray[np.int16] of shape (rows,)
        Labels in units of 2^-15.
    master : npt.NDArray[np.int64] of shape (features,)
        Words of the model.
    config : RunConfig
        Configuration of the device, with the diagonal.
    gradient, bias : _Float of shape (features,)
        The exact gradient, as a mean over the rows, and what one draw adds to it without the diagonal.
    """

    what: str
    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int16]
    master: npt.NDArray[np.int64]
    config: RunConfig
    gradient: _Float
    bias: _Float


def cases() -> list[Case]:
    """Least squares and the squared hinge, on even and on optimal levels.

    Returns
    -------
    list[Case]
        One for each loss, kind of levels and number of base planes.
    """
    rng = np.random.default_rng(20)
    few = rng.beta(0.5, 2, (_ROWS // 4, _FEATURES)) * 1.8 - 0.9
    values = np.round(np.repeat(few, 4, axis=0) * 2**12) / 2**12
    values[:, -1] = 1
    build = Build(diagonal=1)
    model = rng.uniform(-0.1, 0.1, _FEATURES)
    found = []
    for loss in (Loss.SQUARED, Loss.SQUARED_HINGE):
        labels = rng.integers(-(1 << 13), 1 << 13, _ROWS)
        if loss == Loss.SQUARED_HINGE:
            # A score is near 1.5. So one of four equal rows is within the margin, however its values are rounded
            labels = np.where(np.arange(_ROWS) % 4, LABEL_ONE, -LABEL_ONE)
            model[-1] = 1.5
        master = np.rint(model * 2**build.model_frac).astype(np.int64)
        x, b = master * 2.0**-build.model_frac, labels * 2.0**-LABEL_FRAC
        counted = np.ones(_ROWS) if loss == Loss.SQUARED else (labels < 0) * 1.0
        for planes, optimal in ((1, False), (2, False), (0, True), (1, True)):
            scaled = values.astype(np.float32)
            if optimal:
                scaled *= np.float32(1 - 2.0 ** (1 - _LEVEL_BITS))  # the highest level is below 1
            levels = level_table(scaled, planes, _LEVEL_BITS) if optimal else None
            variance = rounding_variance(scaled, planes, levels)
            exact = scaled.astype(np.float64)
            config = RunConfig(
                _FEATURES, planes, 1, _ROWS, levels=levels, loss=loss, diagonal=Diagonal.nearest(variance)
            )
            kind = "optimal" if optimal else "even"
            found.append(
                Case(
                    f"{loss.name.lower().replace('_', ' ')}, p={planes}, {kind} levels",
                    scaled,
                    labels.astype(np.int16),
                    master,
                    config,
                    exact.T @ (counted * (exact @ x - b)) / _ROWS,
                    counted.mean() * variance * x,
                )
            )
    return found


def block_means(case: Case, draws: int, blocks: int) -> list[_Float]:
    """Means of the step, over its size: blocks of steps from the same model.

    Parameters
    ----------
    case : Case
        The step.
    draws : int
        Least number of quantised samples.
    blocks : int
        Number of blocks of equal size.

    Returns
    -------
    list of _Float of shape (features,)
        The mean of each block, which estimates minus the gradient.

    Raises
    ------
    AssertionError
        A sum saturated, so that the mean is none of the device's.
    """
    build = Build(diagonal=1, hinge=1, max_batch=_ROWS)
    step = Step.nearest(_STEP / _ROWS)
    diagonal = case.config.diagonal
    assert diagonal is not None
    share = step.value * _ROWS * diagonal.unit
    count = -(-draws // (blocks * _ROWS))
    rng = np.random.default_rng(21)
    means, first = [], None
    for block in range(blocks):
        total = np.zeros(_FEATURES, dtype=np.int64)
        for number in range(block * count, (block + 1) * count):
            emulator = Emulator(build, case.master, case.config, seed=20, epoch=number)
            if first is not None:
                emulator.adopt(first)
            grown = replace(step, growth=Growth.nearest(share, turns=number))
            order = rng.permutation(_ROWS)
            emulator.epoch_rows(case.values, case.labels, order, seed=20, epoch=number, step=grown)
            if emulator.flags:
                raise AssertionError("the fixed point of this bench must not saturate")
            first = first or emulator
            total += emulator.master - case.master
        means.append(total / count * 2.0**-build.model_frac / (step.value * _ROWS))
    return means
