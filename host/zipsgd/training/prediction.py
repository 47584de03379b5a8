"""Predictions on a device: its datapath computes the scores of rows, and the host makes outputs of them.

Rows come in one of two ways. By default a value takes ``bits`` base planes and no up plane. A base is the level below the
value, and the host adds half a level: the score is that of values in the middle of their intervals. With ``as_trained``, rows
are quantised as those that the model was trained on, up bits included.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import BACKENDS, Backend, BackendOptions, EpochResult, EpochSamples, Stored, open_backend
from zipsgd.golden.loss import Step
from zipsgd.golden.order import block_windows, row_order
from zipsgd.memory import default_memory
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Flag
from zipsgd.protocol.samples import heads_of_passes
from zipsgd.rows import iterate_blocks

from .prediction_rows import PredictionRows
from .result import Result
from .scoring_model import ScoringModel
from .task import shuffled

__all__ = ["Prediction", "predict"]

_log = logging.getLogger(__name__)

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_STILL = Step(0, 0)
"""The step of an epoch that leaves the model as it is."""
_ROUNDING = 1e-6
"""Scaled values beyond 1 by less than this are rounding errors."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predictions of a device.

    Parameters
    ----------
    predictions : npt.NDArray[np.float64] of shape (rows,) or (rows, outputs), or npt.NDArray[np.str_] of shape (rows,)
        Numbers in the label's units, or labels of the predicted classes.
    outputs : _Float of shape (rows, heads)
        Outputs of all heads, see :meth:`.result.Result.outputs`.
    scores : _Int of shape (rows, heads)
        The scores as the device gave them, in units of the last base plane times Q3's last bit.
    bits : int
        Bits sent for a value.
    epochs : int
        Epochs that the device ran: each has as many rows as it has room for scores.
    result : EpochResult
        Flags and counts of all epochs together.
    backend : str
        Name of the backend.
    build : Build
        Build of the device.
    """

    predictions: npt.NDArray[Any]
    outputs: _Float
    scores: _Int
    bits: int
    epochs: int
    result: EpochResult
    backend: str
    build: Build

    @property
    def flags(self) -> list[str]:
        """list of str: Names of the places where words were saturated that matter for scores. Residuals, which compare scores
        with labels, are not among them. The model is scaled so that there are none."""
        told = self.result.flags & ~Flag.RESIDUAL
        return [name for bit, name in Flag.NAMES.items() if told & bit]


def predict(
    model: Result,
    X: Any,
    y: npt.ArrayLike | None = None,
    *,
    backend: str | BackendOptions | Backend = "emulator",
    bits: int | None = None,
    as_trained: bool = False,
    resident: bool = False,
    memory: int | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Prediction:
    """Predict on a device.

    Parameters
    ----------
    model : Result
        The trained model.
    X : array, data frame or sparse matrix of shape (rows, columns)
        Features in their own units. A value beyond the range that training scaled to [-1, 1] counts as
        its end.
    y : array of shape (rows,) or (rows, outputs), or None
        Labels, which are part of a sample. They matter only for whether the rows lie in the device's store already, see
        ``as_trained``.
    backend : str, BackendOptions or Backend
        As in :func:`zipsgd.train`. The build must have ``score_words``.
    bits : int or None
        Bits of a value, 1 to 8. None: as many as the build allows.
    as_trained : bool
        Quantise rows as in training: at its bits, its levels and with up bits, which the model's seed determines.
    resident : bool
        Take the rows from the device's store, and load them if they are not there. With ``as_trained``, all rows of a training
        with ``resident``, in their order and with their labels, are there already.
    memory : int or None
        Bytes for the scaled rows, as in :func:`zipsgd.train`.
    progress : callable
        Called with the number of rows that are done, averaged over the passes of the heads.

    Returns
    -------
    Prediction
        The predictions, and what they took.

    Raises
    ------
    LimitError
        The build gives no scores back, or has no room for the model.
    DataError, ValueError
        The rows do not fit the model, or the arguments contradict each other.
    DeviceError
        There is no device, or it was lost.
    """
    rows = model.arranged(X)
    sent = PredictionRows.of(
        model,
        rows,
        y,
        bits=bits,
        as_trained=as_trained,
        memory=default_memory() if memory is None else memory,
    )
    _tell_of_range(model, rows)
    with _opened(backend, partial(sent.build, resident=resident), sent.check) as device:
        sent.check(device.build)
        return _predict(model, sent, device, resident, progress)


def _tell_of_range(model: Result, rows: Any) -> None:
    """Log how many rows have values that the device clips, except in columns that any prediction clips."""
    scaling = model.samples.scalings[0]
    free = np.ones(scaling.centre.size, dtype=np.bool_)
    free[[each.column for each in model.clipped_columns]] = False
    free &= np.any(np.atleast_2d(model.coef) != 0, axis=0)
    beyond = 0
    for _, block in iterate_blocks(rows):
        far = np.abs((block[:, free] - scaling.centre[free]) / scaling.spread[free]) > 1 + _ROUNDING
        beyond += int(np.count_nonzero(far.any(axis=1)))
    if beyond:
        _log.info(
            "%s of %s rows have values beyond the range that was scaled to [-1, 1] in training, and the device clips them",
            f"{beyond:,}",
            f"{rows.shape[0]:,}",
        )


@contextmanager
def _opened(
    backend: str | BackendOptions | Backend,
    make: Callable[[Mapping[str, Any]], Build],
    check: Callable[[Build], None],
) -> Iterator[Backend]:
    """An open backend, closed at the end unless it was passed in open. What emulates or simulates gets a build that ``make``
    makes, unless the user chose one, which is checked before it is compiled."""
    if isinstance(backend, str):
        backend = BackendOptions(backend)
    if not isinstance(backend, BackendOptions):
        yield backend
        return
    if isinstance(backend.build, Build):
        check(backend.build)
    else:
        backend = backend.with_build(make(backend.build or {}) if backend.name in BACKENDS else None)
    device = open_backend(backend)
    try:
        yield device
    finally:
        device.close()


def _windows(rows: int, most: int, stored: _Int | None) -> Iterator[tuple[_Int, Stored | None]]:
    """The row numbers of each epoch, and where they are in the store."""
    if stored is None:
        for start in range(0, rows, most):
            yield np.arange(start, min(start + most, rows)), None
        return
    for window in block_windows(rows, most):
        yield stored[row_order(window, rows)], Stored(stored, window)


def _predict(
    model: Result, sent: PredictionRows, device: Backend, resident: bool, progress: Callable[[int], None]
) -> Prediction:
    build = device.build
    scoring = ScoringModel.of(model, build, sent.value_bits(build))
    count, heads, features = len(sent), len(scoring.words), scoring.words.shape[1]
    scores = np.zeros((count, heads), dtype=np.int64)
    total, epochs = EpochResult(0, 0, 0, 0, 0, 0, 0), 0
    stored = shuffled(count, sent.seed, 0) if resident else None
    sizes = heads_of_passes(build, features, heads)
    master = scoring.master(build)
    for turn, (size, end) in enumerate(zip(sizes, accumulate(sizes), strict=True)):
        part = slice(end - size, end)
        config, labels = sent.form(build, size)
        device.begin(config, master[part].reshape(config.model_shape()), sent.seed)
        done = turn * count
        for order, place in _windows(count, config.most_rows(build), stored):
            samples = EpochSamples(sent.values, labels, order, sent.seed, 0, sent.memory, place)
            epoch = device.epoch(samples, _STILL, partial(_told, progress, len(sizes), done))
            assert epoch.scores is not None
            scores[order, part] = epoch.scores
            total += epoch
            epochs += 1
            done += order.size
    outputs = scoring.outputs(scores, sent.unit(build), middle=sent.middle)
    found = Prediction(
        model.predicted(outputs), outputs, scores, sent.bits(build), epochs, total, device.name, build
    )
    if found.flags:
        _log.warning("words were saturated: %s; the predictions may be wrong", ", ".join(found.flags))
    return found


def _told(progress: Callable[[int], None], passes: int, before: int, count: int) -> None:
    progress((before + count) // passes)
