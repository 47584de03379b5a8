"""What regressor and classifier share: parameters, and the run from rows to fitted attributes."""

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from zipsgd.backends import BACKENDS, Backend, open_backend
from zipsgd.data import Scaling, Table
from zipsgd.data.table import column_names
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Flag
from zipsgd.rows import RowSelection, ranges
from zipsgd.training import Options, Task, prepare
from zipsgd.training.content_order import content_order
from zipsgd.training.epochs import OVERFLOW, EpochReport, advice
from zipsgd.training.heads import Heads, build_of, translate
from zipsgd.training.objective import Objective
from zipsgd.training.refetching import samples_at_once
from zipsgd.training.weights import copies, draw

from . import history
from .checks import number, whole
from .penalty import regulariser

__all__ = ["BaseZip", "Data"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_BATCH = 16
_FEWEST_BATCHES = 32
"""Of an epoch, where batch_size is "auto" and rows are few."""


@dataclass(frozen=True)
class Data:
    """Rows to learn from, checked.

    ``X``: an array or a CSR matrix. ``y``: as the user gave it. ``targets``: the same for the device, float64 of shape (rows,
    heads). ``weights``: None for all alike.
    """

    X: Any
    y: Any
    targets: _Float
    weights: _Float | None

    def order(self) -> _Int:
        """Of :func:`zipsgd.training.content_order.content_order`."""
        return content_order(RowSelection(self.X, np.arange(self.X.shape[0])), self.targets)

    def part(self, rows: _Int) -> "Data":
        weights = None if self.weights is None else self.weights[rows]
        return Data(self.X[rows], self.y[rows], self.targets[rows], weights)


class _Best(NamedTuple):
    """The best epoch of a fit by its validation score, and what is to be kept of it."""

    score: float = -np.inf
    epoch: int = 0
    words: _Int = np.empty((0, 0), dtype=np.int64)
    mean: _Float = np.empty((0, 0))
    averaged: int = 0


class BaseZip(BaseEstimator, ABC):
    """Base of the estimators; not to be used by itself."""

    model_words_: _Int

    def __init__(
        self,
        *,
        loss: Any = "squared_error",
        base_bits: int = 2,
        samples_per_value: Any = "auto",
        levels: str = "uniform",
        batch_size: Any = "auto",
        step_size: Any = "auto",
        schedule: Any = "linear",
        penalty: str | None = None,
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        max_iter: int = 20,
        average: Any = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-3,
        warm_start: bool = False,
        random_state: Any = None,
        backend: str = "emulator",
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.base_bits = base_bits
        self.samples_per_value = samples_per_value
        self.levels = levels
        self.batch_size = batch_size
        self.step_size = step_size
        self.schedule = schedule
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.max_iter = max_iter
        self.average = average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.backend = backend
        self.verbose = verbose

    # What a subclass says

    @abstractmethod
    def _target_scale(self, target: _Float, former: Scaling | None) -> tuple[float, float]:
        """Centre and spread of a target's scaling; ``former``: what it was, which it must not be narrower than."""

    @abstractmethod
    def _outcome(self, decision: _Float) -> npt.NDArray[Any]:
        """Predictions, of the heads' outputs of shape (rows, heads)."""

    @abstractmethod
    def _rate(self, y: Any, predicted: npt.NDArray[Any], weights: _Float | None) -> float:
        """The validation score."""

    @abstractmethod
    def _set_coefficients(self, coef: _Float, intercept: _Float) -> None:
        """Set ``coef_`` and ``intercept_``, given with shapes (heads, features) and (heads,)."""

    @abstractmethod
    def _objective(self) -> Objective:
        """What the device minimises."""

    _of_classes = False
    """Whether targets say which class a row is: a validation share then has all of them in proportion."""
    _source = "X and y"
    """What messages call the rows."""
    _memory: int | None = None
    """As of :func:`zipsgd.training.prepare`."""

    # For users

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def plot_history(self, ax: Any = None) -> Any:
        """Draw loss and validation score by epoch with Matplotlib, on ``ax`` or a new figure; returns the axis."""
        check_is_fitted(self, "coef_")
        return history.plot(self.history_, ax)

    # For subclasses

    def _validated(self, X: Any, y: Any, *, reset: bool, **checks: Any) -> tuple[Any, Any]:
        """Arrays of ``X`` and ``y``; sparse rows as CSR, which Python may index however long they are."""
        X, y = validate_data(
            self, X, y, reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32], **checks
        )
        return X, y

    def _weights(self, weights: Any, X: Any) -> _Float | None:
        if weights is None:
            return None
        checked: _Float = _check_sample_weight(weights, X, dtype=np.float64, ensure_non_negative=True)
        return checked

    def _decide(self, X: Any) -> _Float:
        """Outputs of the heads, shape (rows, heads)."""
        check_is_fitted(self, "coef_")
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        return self._outputs(X)

    def _outputs(self, X: Any) -> _Float:
        outputs: _Float = X @ np.atleast_2d(self.coef_).T + np.atleast_1d(self.intercept_)
        return outputs

    def _fit(self, data: Data) -> Self:
        """Train for ``max_iter`` epochs, from the model there is if ``warm_start``."""
        epochs = whole("max_iter", self.max_iter, 1)
        self._begin(data, anew=not self.warm_start)
        validation = None
        if self.early_stopping:
            data, validation = self._split(data)
        return self._run(data, self.schedule, epochs, fresh_scaling=True, validation=validation)

    def _partial_fit(self, data: Data) -> Self:
        """Train for one epoch, from the model there is."""
        if self.early_stopping:
            raise ValueError("early_stopping must be False for partial_fit: it sees the rows in parts")
        self._begin(data, anew=False)
        # Nobody knows how many calls there will be, and so no straight line to an end
        schedule = "sqrt" if isinstance(self.schedule, str) and self.schedule == "linear" else self.schedule
        return self._run(data, schedule, 1, fresh_scaling=False)

    @property
    def _trained(self) -> bool:
        return hasattr(self, "coef_")

    def _begin(self, data: Data, *, anew: bool) -> None:
        """Forget what there was, or see that the data go on with it."""
        heads, features = data.targets.shape[1], data.X.shape[1]
        if self._trained and not anew:
            known = self.model_words_.shape
            if known != (heads, features + 1):
                raise ValueError(
                    f"there is a model of {known[1] - 1} features and {known[0]} outputs, and the data have {features} and "
                    f"{heads}: give data of the same shape, or fit anew with warm_start=False"
                )
            return
        state = self.random_state
        self.seed_ = int(state if isinstance(state, Integral) else check_random_state(state).randint(1 << 31))
        self.model_words_ = np.zeros((heads, features + 1), dtype=np.int64)
        self.scale_ = 0.0
        self.scalings_: list[Scaling] = []
        self.n_epochs_ = 0
        self.history_: list[history.Entry] = []
        self._averaged = 0
        self._mean = np.zeros((heads, features + 1))  # of models in the data's units

    def _split(self, data: Data) -> tuple[Data, Data]:
        """Rows to train on, and rows to rate models on."""
        whole("n_iter_no_change", self.n_iter_no_change, 1)
        number("tol", self.tol)
        if not 0 < number("validation_fraction", self.validation_fraction) < 1:
            raise ValueError(f"validation_fraction must be between 0 and 1, not {self.validation_fraction}")
        rows = data.order()
        if data.weights is not None:
            rows = rows[data.weights[rows] > 0]
        kept, held = train_test_split(
            rows,
            test_size=self.validation_fraction,
            random_state=self.seed_ % (1 << 32),
            stratify=data.y[rows] if self._of_classes else None,
        )
        return data.part(kept), data.part(held)

    def _options(self, schedule: Any, epochs: int, rows: int, unbiased: int) -> Options:
        """``unbiased``: samples per value without bias."""
        samples = self.samples_per_value
        if isinstance(samples, str):
            if samples != "auto":
                raise ValueError(f'samples_per_value must be "auto" or a number, not {samples!r}')
            samples = unbiased
        samples = whole("samples_per_value", samples, 0)
        batch = self.batch_size
        if isinstance(batch, str):
            if batch != "auto":
                raise ValueError(f'batch_size must be "auto" or a number of samples, not {batch!r}')
            batch = min(_BATCH, max(1, rows // _FEWEST_BATCHES))
        batch = whole("batch_size", batch, 1)
        if not isinstance(self.average, bool | np.bool_):
            whole("average", self.average, 0)
        step = self.step_size
        if isinstance(step, str) and step != "auto":
            raise ValueError(f'step_size must be "auto" or a number, not {step!r}')
        penalty = regulariser(self.penalty, self.alpha, self.l1_ratio)
        return Options(
            base_bits=whole("base_bits", self.base_bits, 0),
            samples_per_value=samples,
            batch_size=batch,
            step_size=None if isinstance(step, str) else number("step_size", step),
            schedule=schedule,
            epochs=epochs,
            seed=self.seed_,
            levels=self.levels,
            l2=penalty.l2,
            l1=penalty.l1,
        )

    def _build(self, task: Task, heads: int) -> Build | None:
        """What to open the backend with: for a task of so many heads, or None for whatever is on a board."""
        return build_of(task, heads) if self.backend in BACKENDS else None

    def _open(self, build: Build | None) -> Backend:
        return open_backend(self.backend, build, progress=self._say)

    def _on_samples(self, epoch: int) -> Callable[[int], None]:
        """What is told how many samples of an epoch, by its number from 1, have gone in."""
        return lambda samples: None

    def _on_epoch(self, report: EpochReport, entry: history.Entry) -> None:
        self._say(history.describe(entry))

    def _run(
        self, data: Data, schedule: Any, passes: int, *, fresh_scaling: bool, validation: Data | None = None
    ) -> Self:
        """Train for so many epochs, from ``model_words_``.

        ``fresh_scaling``: by these rows alone, rather than the one there is, made wider where they need it.
        """
        index, shares = data.order(), None
        if data.weights is not None:
            index, shares = copies(index, data.weights[index])
        restarts = isinstance(schedule, str) and schedule == "linear"
        before = 0 if restarts else self.n_epochs_
        objective = self._objective()
        options = self._options(schedule, before + passes, index.size, objective.samples_per_value)
        targets = data.targets[index]
        table = Table(RowSelection(data.X, index), targets[:, 0], self._names(), self._source)
        scalings = self._scalings(table, targets, options, fresh_scaling)
        task = prepare(
            table,
            options,
            memory=self._memory,
            scaling=scalings[0],
            curvature=objective.curvature,
            loss_scale=objective.scale,
        )
        config = replace(
            task.config, loss=objective.loss, polynomial=objective.polynomial, refetch=objective.refetch
        )
        task = replace(task, config=config)
        labels = np.stack([scaling.labels(target) for scaling, target in zip(scalings, targets.T)], axis=1)
        classes = targets.argmax(axis=1).astype(np.int16) if self._of_classes else None
        if hasattr(data.X, "toarray"):
            self._say(
                "sparse rows are made dense, a block at a time: the device takes every feature of a sample"
            )
        with ExitStack() as opened:
            build = self._build(task, len(scalings))
            if build is not None:  # before a virtual board is compiled
                task.config.check(build, samples_at_once(config, build, index.size))
            backend = self._open(build)
            opened.callback(backend.close)
            self._rescale(scalings, task.scale, backend.build)
            heads = Heads(task, labels, self.model_words_, backend, classes)
            penalty = options.regulariser.scaled(objective.scale)
            self.n_iter_ = 0
            best = _Best()
            for step in task.steps[before:]:
                order = None if shares is None else draw(shares, self.seed_, self.n_epochs_)
                size = task.step_size(step)
                step = replace(step, prox=penalty.prox(size, task.scale, backend.build))
                report, entry = self._epoch(heads, step, size, order, objective.scale)
                if validation is not None:
                    predicted = self._outcome(self._outputs(validation.X))
                    score = self._rate(validation.y, predicted, validation.weights)
                    entry["validation_score"] = score
                    if not score < best.score + self.tol:
                        best = _Best(
                            score, self.n_iter_, self.model_words_, self._mean.copy(), self._averaged
                        )
                self._on_epoch(report, entry)
                if validation is not None and self.n_iter_ - best.epoch >= self.n_iter_no_change:
                    break
        if validation is not None:
            self.model_words_, self._mean, self._averaged = best.words, best.mean, best.averaged
            self._refresh(self._models())
        if not OVERFLOW.isdisjoint(self.history_[-1]["flags"]):
            flags = self.history_[-1]["flags"]
            warnings.warn(
                f"values were saturated in training ({', '.join(flags)}): lower step_size (it was "
                f"{self.history_[0]['step_size']:.3g} at first), or raise base_bits{advice(flags)}",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

    def _epoch(
        self, heads: Heads, step: Step, size: float, order: _Int | None, unit: float
    ) -> tuple[EpochReport, history.Entry]:
        """Train all heads on the next epoch, and set the fitted attributes. ``unit``: of the device's loss, in the user's."""
        start = time.perf_counter()
        done = heads.epoch(self.n_epochs_, step, order, self._on_samples(self.n_epochs_ + 1))
        seconds = time.perf_counter() - start
        self.n_epochs_ += 1
        self.n_iter_ += 1
        self.model_words_ = heads.words.copy()
        models = self._models()
        if self.average and self.n_epochs_ >= int(self.average):
            self._averaged += 1
            self._mean += (models - self._mean) / self._averaged
        self._refresh(models)
        entry = {
            "epoch": self.n_epochs_,
            "loss": done.loss * unit,
            "step_size": size,
            "flags": [name for bit, name in Flag.NAMES.items() if done.result.flags & bit],
            "samples": done.samples,
            "seconds": seconds,
            "samples_per_second": done.samples * len(models) / seconds,
            "bits": done.sample_bits,
            **({"refetched": done.again / done.samples / len(models)} if heads.refetches else {}),
        }
        self.history_.append(entry)
        return EpochReport(self.n_epochs_, done.loss * unit, seconds, done.result), entry

    def _models(self) -> _Float:
        """In the data's units, shape (heads, features + 1)."""
        return np.stack(
            [
                np.append(*scaling.coefficients(words * self.scale_))
                for words, scaling in zip(self.model_words_, self.scalings_, strict=True)
            ]
        )

    def _refresh(self, models: _Float) -> None:
        """Set the coefficients: of ``models``, or of their mean where there is one."""
        used = self._mean if self._averaged else models
        self._set_coefficients(used[:, :-1].copy(), used[:, -1].copy())

    def _rescale(self, scalings: list[Scaling], scale: float, build: Build) -> None:
        """Make the models, if there are any, those of other scalings and of another device."""
        unit = scale * 2.0**-build.model_frac
        if self.scalings_:
            limit = 1 << (build.model_bits - 1)
            moved = [
                translate(words, self.scale_, old, new, unit, limit)
                for words, old, new in zip(self.model_words_, self.scalings_, scalings, strict=True)
            ]
            self.model_words_ = np.stack(moved)
        self.scalings_, self.scale_ = scalings, unit

    def _names(self) -> tuple[str, ...]:
        names = getattr(self, "feature_names_in_", None)
        return column_names(self.n_features_in_) if names is None else tuple(map(str, names))

    def _scalings(self, table: Table, targets: _Float, options: Options, fresh: bool) -> list[Scaling]:
        """One for each head, of the same features."""
        scaling = Scaling.fit(table, options.level_steps, constant=True)
        former = None if fresh or not self.scalings_ else self.scalings_
        if former is not None:
            low, high, _ = ranges(table.features)
            used = self.model_words_[:, :-1].any(axis=0)
            centre = np.where(used, former[0].centre, scaling.centre)
            needed = np.maximum(high - centre, centre - low)
            spread = np.where(used, np.maximum(former[0].spread, needed), scaling.spread)
            scaling = replace(scaling, centre=centre, spread=spread)
        scalings = []
        for head, target in enumerate(targets.T):
            middle, width = self._target_scale(target, None if former is None else former[head])
            scalings.append(replace(scaling, label_centre=middle, label_spread=width))
        return scalings

    def _say(self, message: str) -> None:
        if self.verbose:
            print(f"[{type(self).__name__}] {message}", flush=True)
