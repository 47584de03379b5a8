"""The base class of both estimators: parameters, training, and fitted attributes."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from zipsgd.data import Scaling, Table, as_features
from zipsgd.training.calibration import Calibration, calibrate
from zipsgd.training.callbacks import Callback, Callbacks
from zipsgd.training.content_order import content_order
from zipsgd.training.epochs import OVERFLOW, EpochReport, advice
from zipsgd.training.holdout import stratified
from zipsgd.training.loop import Run
from zipsgd.training.measuring import Validation
from zipsgd.training.opening import opened
from zipsgd.training.options import Options
from zipsgd.training.preparation import make_task
from zipsgd.training.state import State
from zipsgd.training.targets import Labels
from zipsgd.training.weights import copies

from . import history
from .checks import number, whole
from .penalty import regulariser

__all__ = ["BaseZip", "Data"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_BATCH = 16
_FEWEST_BATCHES = 32
"""Least number of mini-batches in an epoch with batch_size="auto"; with few rows, mini-batches are smaller."""


@dataclass(frozen=True)
class Data:
    """Validated training rows.

    Parameters
    ----------
    X : array or CSR matrix of shape (rows, columns)
        Features.
    y : array of shape (rows,) or (rows, outputs)
        Labels as the user gave them.
    labels : Labels
        Labels for the device.
    weights : _Float of shape (rows,) or None
        Weights of the rows; None for equal weights.
    """

    X: Any
    y: Any
    labels: Labels
    weights: _Float | None

    def part(self, rows: _Int) -> "Data":
        """Select some of the rows.

        Parameters
        ----------
        rows : npt.NDArray[np.int64] of shape (selected,)
            Row numbers.

        Returns
        -------
        Data
            These rows.
        """
        weights = None if self.weights is None else self.weights[rows]
        return Data(self.X[rows], self.y[rows], self.labels.take(rows), weights)


class BaseZip(BaseEstimator, ABC):
    """Base class of the estimators, not for direct use."""

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
        backend: Any = "emulator",
        measure: bool = False,
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
        self.measure = measure
        self.verbose = verbose

    # What a subclass says

    @property
    @abstractmethod
    def _task_options(self) -> dict[str, Any]:
        """Fields of :class:`zipsgd.Options` that depend on the kind of estimator, such as the loss."""

    @property
    def _names(self) -> npt.NDArray[Any]:
        """The names of the classes, for messages."""
        return np.empty(0)

    @abstractmethod
    def _set_coefficients(self, coef: _Float, intercept: _Float) -> None:
        """Set ``coef_`` and ``intercept_``, given with shapes (heads, features) and (heads,)."""

    # For users

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def plot_history(self, ax: Any = None) -> Any:
        """Draw the loss and the validation score by epoch.

        Parameters
        ----------
        ax : matplotlib Axes or None
            Where to draw; None for a new figure.

        Returns
        -------
        matplotlib Axes
            The axes.

        Raises
        ------
        ModuleNotFoundError
            Matplotlib is not installed.
        """
        check_is_fitted(self, "coef_")
        return history.plot(self.history_, ax)

    def set_callbacks(self, *callbacks: Callback | Any) -> Self:
        """Set the callbacks of ``fit`` and ``partial_fit``. Without arguments, the callbacks are removed.

        Parameters
        ----------
        callbacks : Callback or callable
            See :class:`zipsgd.Callback`; a plain function is called with each :class:`zipsgd.EpochReport`.

        Returns
        -------
        Self
            The estimator.
        """
        self._callbacks = callbacks
        return self

    # For subclasses

    def _validated(self, X: Any, y: Any, *, reset: bool, **checks: Any) -> tuple[Any, Any]:
        """Validated arrays of ``X`` and ``y``. Sparse rows become a CSR matrix, which can be indexed by rows."""
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
        """The outputs of the heads, shape (rows, heads)."""
        check_is_fitted(self, "coef_")
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32])
        outputs: _Float = X @ np.atleast_2d(self.coef_).T + np.atleast_1d(self.intercept_)
        return outputs

    def _fit(self, data: Data) -> Self:
        """Train for ``max_iter`` epochs, from the current model if ``warm_start`` is set."""
        epochs = whole("max_iter", self.max_iter, 1)
        state = self._begin(data, anew=not self.warm_start)
        held = None
        if self.early_stopping:
            data, held = self._split(data)
        return self._run(data, state, self.schedule, epochs, held)

    def _partial_fit(self, data: Data) -> Self:
        """Train for one epoch from the current model, with its scaling, which is widened where rows exceed its range."""
        if self.early_stopping:
            raise ValueError("early_stopping must be False for partial_fit: it sees the rows in parts")
        state = self._begin(data, anew=False)
        # The number of calls is unknown, so a linear schedule would have no end
        schedule = "sqrt" if isinstance(self.schedule, str) and self.schedule == "linear" else self.schedule
        return self._run(data, state, schedule, 1, keep_scaling=True)

    @property
    def _trained(self) -> bool:
        return hasattr(self, "coef_")

    def _begin(self, data: Data, *, anew: bool) -> State:
        """The model to begin with: the current one, or zeros if there is none or ``anew`` is set."""
        heads, features = data.labels.heads, data.X.shape[1]
        if self._trained and not anew:
            known = self.model_words_.shape
            if known != (heads, features + 1):
                raise ValueError(
                    f"there is a model of {known[1] - 1} features and {known[0]} outputs, and the data have {features} and "
                    f"{heads}: give data of the same shape, or fit anew with warm_start=False"
                )
            return State(
                self.model_words_,
                self.n_epochs_,
                tuple(self.scalings_),
                self.scale_,
                self._mean,
                self._averaged,
            )
        state = self.random_state
        self.seed_ = int(state if isinstance(state, Integral) else check_random_state(state).randint(1 << 31))
        self.history_: list[history.Entry] = []
        return State.new(heads, features + 1)

    def _split(self, data: Data) -> tuple[Data, Data]:
        """Rows to train on, and rows to measure models on."""
        if not 0 < number("validation_fraction", self.validation_fraction) < 1:
            raise ValueError(f"validation_fraction must be between 0 and 1, not {self.validation_fraction}")
        rows = content_order(as_features(data.X, "X")[0], data.labels.values)
        if data.weights is not None:
            rows = rows[data.weights[rows] > 0]
        if data.labels.numbers is None:
            kept, held = train_test_split(
                rows, test_size=self.validation_fraction, random_state=self.seed_ % (1 << 32)
            )
            return data.part(kept), data.part(held)
        numbers, names = data.labels.numbers[rows].astype(np.int64), [str(each) for each in self._names]
        kept, held = stratified(numbers, self.validation_fraction, self.seed_, "X and y", names)
        return data.part(rows[kept]), data.part(rows[held])

    def _options(self, schedule: Any, epochs: int, rows: int) -> Options:
        samples = self.samples_per_value
        if isinstance(samples, str) and samples != "auto":
            raise ValueError(f'samples_per_value must be "auto" or a number, not {samples!r}')
        batch = self.batch_size
        if isinstance(batch, str):
            if batch != "auto":
                raise ValueError(f'batch_size must be "auto" or a number of samples, not {batch!r}')
            batch = min(_BATCH, max(1, rows // _FEWEST_BATCHES))
        average = self.average
        if not isinstance(average, bool | np.bool_):
            average = whole("average", average, 0)
        step = self.step_size
        if isinstance(step, str) and step != "auto":
            raise ValueError(f'step_size must be "auto" or a number, not {step!r}')
        penalty = regulariser(self.penalty, self.alpha, self.l1_ratio)
        return Options(
            base_bits=whole("base_bits", self.base_bits, 0),
            samples_per_value=None if isinstance(samples, str) else whole("samples_per_value", samples, 0),
            batch_size=whole("batch_size", batch, 1),
            step_size=None if isinstance(step, str) else number("step_size", step),
            schedule=schedule,
            epochs=epochs,
            seed=self.seed_,
            levels=self.levels,
            l2=penalty.l2,
            l1=penalty.l1,
            average=int(average),
            patience=whole("n_iter_no_change", self.n_iter_no_change, 1) if self.early_stopping else 0,
            tolerance=number("tol", self.tol),
            measure=bool(self.measure),
            sort_rows=True,
            **self._task_options,
        )

    def _run(
        self,
        data: Data,
        state: State,
        schedule: Any,
        passes: int,
        held: Data | None = None,
        *,
        keep_scaling: bool = False,
    ) -> Self:
        """Train for ``passes`` epochs from ``state``, and set the fitted attributes after each epoch."""
        restarts = isinstance(schedule, str) and schedule == "linear"
        before = 0 if restarts else state.epochs
        names = getattr(self, "feature_names_in_", None)
        features, made_up = as_features(data.X, "X and y")
        columns = made_up if names is None else tuple(map(str, names))
        table = Table(features, data.labels.values, tuple(columns), "X and y")
        options = self._options(schedule, before + passes, _rows_trained_on(data))
        task = make_task(
            table, data.labels, options, weights=data.weights, known=state if keep_scaling else None
        )
        validation = None
        if held is not None:
            validation = Validation(as_features(held.X, "X")[0], held.labels, held.weights)
        run = Run(task, state, validation, first_step=before)
        self.n_iter_ = 0
        own = _Listener(self, run)
        with Callbacks([own, *getattr(self, "_callbacks", ())]) as told, opened(self.backend, task) as device:
            told.begin(task, device.build)
            run.train(device, told)
        self._keep(run.state, None if keep_scaling else calibrate(task, run.state.scaled_models()))
        self._warn(run.reports[-1].flags)
        return self

    def _keep(self, state: State, calibration: Calibration | None = None) -> None:
        """Set the fitted attributes from a state of training, with models that are calibrated if that is given."""
        self.model_words_, self.n_epochs_ = state.words.copy(), state.epochs
        self.scalings_: list[Scaling] = list(state.scalings)
        self.scale_ = state.unit
        self._mean, self._averaged = state.mean, state.averaged
        self._calibration = calibration
        models = state.models() if calibration is None else calibration.models(state.models())
        self._set_coefficients(models[:, :-1].copy(), models[:, -1].copy())

    def _heard(self, report: EpochReport, run: Run) -> None:
        """Record a finished epoch."""
        self.n_iter_ += 1
        self._keep(run.state)
        entry = history.entry_of(report, run.task.heads)
        self.history_.append(entry)
        if self.verbose:
            print(f"[{type(self).__name__}] {history.describe(entry)}", flush=True)

    def _warn(self, flags: list[str]) -> None:
        if not OVERFLOW.isdisjoint(flags):
            warnings.warn(
                f"values were saturated in training ({', '.join(flags)}): lower step_size (it was "
                f"{self.history_[0]['step_size']:.3g} at first), or raise base_bits{advice(flags)}",
                ConvergenceWarning,
                stacklevel=5,
            )


def _rows_trained_on(data: Data) -> int:
    """Number of samples of an epoch, including the copies that whole weights stand for."""
    rows = np.arange(data.X.shape[0])
    return rows.size if data.weights is None else copies(rows, data.weights)[0].size


class _Listener(Callback):
    """Updates the attributes of an estimator after each epoch."""

    def __init__(self, estimator: BaseZip, run: Run) -> None:
        self._estimator, self._run = estimator, run

    def on_epoch(self, report: EpochReport) -> None:
        self._estimator._heard(report, self._run)
