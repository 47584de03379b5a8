"""The base class of both estimators: parameters, training, and fitted attributes."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from numbers import Integral
from operator import attrgetter, is_
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from zipsgd.data import Scaling, as_features
from zipsgd.data.clipping import outputs_of
from zipsgd.training.calibration import Calibration, calibrate
from zipsgd.training.callbacks import Callback, Callbacks
from zipsgd.training.evidence import examine
from zipsgd.training.loop import Run
from zipsgd.training.measuring import Validation
from zipsgd.training.opening import opened
from zipsgd.training.options import Options
from zipsgd.training.parts import connected, parts_of
from zipsgd.training.preparation import make_task
from zipsgd.training.seen import Seen
from zipsgd.training.session import Session
from zipsgd.training.state import State
from zipsgd.training.stream import next_task, train_part

from . import history
from .checks import batch_of, number, whole
from .convergence import warn
from .rows import Data
from .run_options import options_of

__all__ = ["BaseZip", "Data"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_KEPT = 1000
"""Epochs that ``partial_fit`` keeps in ``history_``, because a stream may have no end."""


class BaseZip(BaseEstimator, ABC):
    """Base class of the estimators, not for direct use."""

    model_words_: _Int
    _seen: Seen | None

    def __init__(
        self,
        *,
        loss: Any = "squared_error",
        bits: Any = None,
        base_bits: int | None = None,
        estimator: str = "auto",
        levels: str = "uniform",
        scaling: str = "auto",
        clip: float = 0.001,
        fit_intercept: bool = True,
        batch_size: Any = "auto",
        step_size: Any = "auto",
        schedule: Any = "linear",
        penalty: str | None = None,
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        positive: bool = False,
        max_iter: int = 20,
        average: Any = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        tol: float = 1e-3,
        keep: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        backend: Any = "emulator",
        resident: bool = False,
        shards: int | str = 1,
        rounds: int | None = None,
        measure: bool = False,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.bits = bits
        self.base_bits = base_bits
        self.estimator = estimator
        self.levels = levels
        self.scaling = scaling
        self.clip = clip
        self.fit_intercept = fit_intercept
        self.batch_size = batch_size
        self.step_size = step_size
        self.schedule = schedule
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.positive = positive
        self.max_iter = max_iter
        self.average = average
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.keep = keep
        self.warm_start = warm_start
        self.random_state = random_state
        self.backend = backend
        self.resident = resident
        self.shards = shards
        self.rounds = rounds
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

        To callbacks, the calls of ``partial_fit`` are the epochs of one run. It ends with :meth:`close`, with ``fit``, or when
        the callbacks are set anew.

        Parameters
        ----------
        callbacks : Callback or callable
            See :class:`zipsgd.Callback`; a plain function is called with each :class:`zipsgd.EpochReport`.

        Returns
        -------
        Self
            The estimator.
        """
        self._end_of_stream()
        self._callbacks = callbacks
        return self

    def close(self) -> None:
        """End a stream: close the backend that ``partial_fit`` has left open. The next call opens it again.

        The estimator need not be closed: the backend is also closed when the estimator is deleted, and at the end of the
        program. But until then a board is not free for others. An estimator is a context manager, which closes it at the end.
        """
        self._end_of_stream()
        session = self.__dict__.pop("_session", None)
        if session is not None:
            session.close()

    def _end_of_stream(self) -> None:
        """Tell the callbacks that the calls of ``partial_fit`` are over."""
        told = self.__dict__.pop("_told", None)
        if told is not None:
            told.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of_error: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open backend and what is kept for it."""
        left_out = ("_session", "_told", "_known_options")
        return {name: value for name, value in super().__getstate__().items() if name not in left_out}

    # For subclasses

    @classmethod
    @cache
    def _parameters(cls) -> Callable[[Self], tuple[Any, ...]]:
        """A function that returns the values of all parameters."""
        return attrgetter(*cls._get_param_names())

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
        clipped = self.scalings_[0].clipped
        return outputs_of(X, np.atleast_2d(self.coef_), np.atleast_1d(self.intercept_), clipped)

    def _fit(self, data: Data) -> Self:
        """Train for ``max_iter`` epochs, from the current model if ``warm_start`` is set."""
        epochs = whole("max_iter", self.max_iter, 1)
        state = self._begin(data, anew=not self.warm_start)
        held = None
        if self.early_stopping:
            data, held = self._split(data)
        return self._run(data, state, self.schedule, epochs, held)

    def _partial_fit(self, data: Data) -> Self:
        """Train for one epoch from the current model, with the scaling and the step size for all rows so far."""
        if self.early_stopping:
            raise ValueError("early_stopping must be False for partial_fit: it sees the rows in parts")
        state = self._begin(data, anew=False)
        samples = data.samples  # a part that is smaller than a mini-batch is a mini-batch of its own
        options = self._options_of_part(min(batch_of(self.batch_size, samples), samples))
        session = self.__dict__.setdefault("_session", Session())
        former = session.task
        table = data.table(getattr(self, "feature_names_in_", None), None if former is None else former.table)
        seen = self._seen if self._trained else None
        parts = session.parts(self.backend)
        task, seen = next_task(table, data.labels, options, data.weights, state, seen, former, parts)

        def keep(run: Run) -> None:
            self._seen, self.n_iter_ = seen, 0
            self._heard(run)
            del self.history_[:-_KEPT]

        told = self.__dict__.setdefault("_told", Callbacks(getattr(self, "_callbacks", ())))
        self.warnings_ = train_part(session, self.backend, task, state, seen.settled, told, keep)
        warn(self.warnings_, stacklevel=3)
        return self

    def _options_of_part(self, batch: int) -> Options:
        """The options of ``partial_fit``. As long as no parameter changes, they are the same object."""
        whole_numbers, values = (batch, self.seed_), self._parameters()(self)
        known = getattr(self, "_known_options", None)
        if known is not None and known[0] == whole_numbers and all(map(is_, known[1], values)):
            options: Options = known[2]
            return options
        # The number of calls is unknown, so a linear schedule would have no end
        schedule = "sqrt" if isinstance(self.schedule, str) and self.schedule == "linear" else self.schedule
        options = options_of(self, schedule, 1, batch)
        self._known_options = whole_numbers, values, options
        return options

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
        return data.split(self.validation_fraction, self.seed_, self._names)

    def _run(self, data: Data, state: State, schedule: Any, passes: int, held: Data | None) -> Self:
        """Train for ``passes`` epochs from ``state``, and set the fitted attributes after each epoch."""
        self.close()
        restarts = isinstance(schedule, str) and schedule == "linear"
        before = 0 if restarts else state.epochs
        options = options_of(self, schedule, before + passes, batch_of(self.batch_size, data.samples))
        options = replace(
            options,
            resident=bool(self.resident),
            shards=self.shards if isinstance(self.shards, str) else whole("shards", self.shards, 1),
            rounds=None if self.rounds is None else whole("rounds", self.rounds, 1),
        )
        table = data.table(getattr(self, "feature_names_in_", None))
        with connected(self.backend) as backend:
            task = make_task(table, data.labels, options, weights=data.weights, parts=parts_of(backend))
            self.scaling_ = task.kind
            validation = None
            if held is not None:
                validation = Validation(as_features(held.X, "X")[0], held.labels, held.weights)
            run = Run(task, state, validation, first_step=before)
            self.n_iter_ = 0
            self._seen = None
            with (
                Callbacks(getattr(self, "_callbacks", ())) as told,
                opened(backend, task) as device,
            ):
                told.begin(task, device.build)
                run.train(device, told, self._heard)
                build = device.build
        calibration = calibrate(task, run.state.scaled_models())
        models = run.state.models() if calibration is None else calibration.models(run.state.models())
        self._keep(run.state, models[:, :-1], models[:, -1], calibration)
        self.kept_epoch_ = state.epochs + run.kept
        self.warnings_ = examine(run, build)
        warn(self.warnings_, stacklevel=4)
        return self

    def _keep(
        self, state: State, coef: _Float, intercept: _Float, calibration: Calibration | None = None
    ) -> None:
        """Set the fitted attributes from a state of training and its models, which are calibrated if that is given."""
        self._calibration = calibration
        self.model_words_, self.n_epochs_ = state.words.copy(), state.epochs
        self.scalings_: list[Scaling] = list(state.scalings)
        self.scale_ = state.unit
        self._mean, self._averaged = state.mean, state.averaged
        self._set_coefficients(coef.copy(), intercept.copy())

    def _heard(self, run: Run) -> None:
        """Record a finished epoch."""
        self.n_iter_ += 1
        report = run.reports[-1]
        assert report.model is not None
        self._keep(run.state, report.model.coef, report.model.intercept)
        entry = history.entry_of(report, run.task.heads)
        self.history_.append(entry)
        if self.verbose:
            print(f"[{type(self).__name__}] {history.describe(entry)}", flush=True)
