"""Trained models in the data's own units, and what it took to train them."""

import json
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from zipsgd.data import DataError
from zipsgd.rows import Rows, iterate_blocks
from zipsgd.training.epochs import OVERFLOW

__all__ = ["ClassifierResult", "Model", "Result", "class_name", "load_model", "winners"]

_Float = npt.NDArray[np.float64]


def winners(decision: _Float) -> npt.NDArray[np.int64]:
    """Numbers of classes, shape (rows,): of the largest of outputs, shape (rows, classes); of two by one's sign, (rows, 1)."""
    numbers: npt.NDArray[np.int64] = (
        decision.argmax(axis=1) if decision.shape[1] > 1 else (decision[:, 0] > 0).astype(np.int64)
    )
    return numbers


def class_name(label: float) -> str:
    """A class as it would stand in a file."""
    return np.format_float_positional(label, trim="-")


def _number(value: object) -> bool:
    """Whether it is a finite number that a float64 can hold."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _numbers(values: object) -> bool:
    """Whether it is a list of such numbers."""
    return isinstance(values, list) and all(map(_number, values))


@dataclass(kw_only=True)
class Model(ABC):
    """What is known of any trained model, and of the run that trained it.

    ``loss``: per epoch, while training. ``bits_per_value``: streamed. ``flags``: places where values were saturated.
    ``cycles``, ``plane_cycles``, ``starved_cycles``, ``sample_bytes``, ``link_bytes``: of all epochs, None where there are
    none, see :class:`zipsgd.backends.EpochResult`. ``rows``: trained on. ``seconds``: of all epochs, on this computer.
    ``step_sizes``: of each epoch, as the device rounded them. ``columns`` and ``label``: their names. ``held_out``: rows that
    were not trained on; ``held_out_score``: of the final model on them, None where there are none, or all labels are the same.
    """

    FORMAT: ClassVar[str]
    """What a file says that it is."""
    MEASURE: ClassVar[str]
    """The score's name."""

    loss: list[float]
    bits_per_value: int
    flags: list[str]
    cycles: int | None
    plane_cycles: int | None
    starved_cycles: int | None
    sample_bytes: int | None
    link_bytes: int | None
    rows: int
    seconds: float
    step_sizes: list[float]
    columns: list[str]
    label: str
    backend: str
    build: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    held_out: int = 0
    held_out_score: float | None = None

    @abstractmethod
    def predict(self, features: Rows) -> _Float:
        """Predictions in the data's units, shape (rows,), for features of shape (rows, columns)."""

    @abstractmethod
    def score(self, features: Rows, labels: npt.NDArray[np.floating]) -> float:
        """How good the predictions are: R2, or accuracy."""

    @abstractmethod
    def outcome(self) -> str:
        """What the model is worth on the rows that it was trained on."""

    @property
    def spoilt_by(self) -> list[str]:
        """Those of the flags that mean another model than SGD would give."""
        return self.flags

    @abstractmethod
    def texts(self, predictions: _Float) -> Iterable[str]:
        """Predictions as they are printed."""

    @abstractmethod
    def check(self) -> None:
        """Raises ValueError unless the fields, whatever they hold, are those of a model that can predict."""

    def evaluate(self, features: Rows, labels: npt.NDArray[np.floating]) -> None:
        """Set the score on rows that were held out."""
        score = self.score(features, labels)
        self.held_out, self.held_out_score = labels.size, None if math.isnan(score) else score

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON: data only, nothing in it runs."""
        Path(path).write_text(json.dumps({"format": self.FORMAT, **self.as_dict()}, indent=1) + "\n")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The model that :meth:`as_dict` gave. Raises ValueError for anything else."""
        missing = [
            f.name
            for f in fields(cls)
            if f.default is MISSING and f.default_factory is MISSING and f.name not in content
        ]
        if missing:
            raise ValueError(f"it has no {', '.join(missing)}")
        model = cls(**{f.name: content[f.name] for f in fields(cls) if f.name in content})
        model.check()
        return model

    def _outputs(self, features: Rows, coef: _Float, intercept: _Float) -> _Float:
        """Of linear models with ``coef`` of shape (columns, models): shape (rows, models)."""
        if len(features.shape) != 2 or features.shape[1] != len(coef):
            raise DataError(f"the model takes {len(coef)} columns, and the data have shape {features.shape}")
        outputs = np.empty((features.shape[0], coef.shape[1]))
        for part, block in iterate_blocks(features):
            outputs[part] = block @ coef + intercept
        return outputs

    def _check_columns(self, count: int) -> None:
        if not isinstance(self.columns, list) or len(self.columns) != count:
            raise ValueError("it does not name a column for each coefficient")


@dataclass(kw_only=True)
class Result(Model):
    """A model that was trained by least squares.

    ``loss``: the mean squared residual, in the label's scaled units. ``final_loss``: the same of the final model on the
    unquantised set. ``coef`` and ``intercept``: in the data's units. ``model_words``: the device's integers, the intercept's
    last. The rest is in :class:`Model`.
    """

    FORMAT = "zipsgd model 1"
    MEASURE = "R2"

    final_loss: float
    coef: list[float]
    intercept: float
    model_words: list[int]

    def predict(self, features: Rows) -> _Float:
        """Predictions in the data's units, shape (rows,), for features of shape (rows, columns)."""
        return self._outputs(features, np.array(self.coef)[:, None], np.array([self.intercept]))[:, 0]

    def score(self, features: Rows, labels: npt.NDArray[np.floating]) -> float:
        """The share of the labels' variance that the model explains, R2; NaN where they do not vary."""
        spread = float(np.var(labels))
        error = float(np.mean((self.predict(features) - labels) ** 2))
        return 1 - error / spread if spread else math.nan

    def outcome(self) -> str:
        return f"loss {self.final_loss:.6f} (mean squared residual, labels scaled to [-1, 1])"

    def texts(self, predictions: _Float) -> Iterable[str]:
        return (f"{value:.9g}" for value in predictions)

    def check(self) -> None:
        if not _numbers(self.coef) or not _number(self.intercept):
            raise ValueError("its coefficients are not numbers")
        self._check_columns(len(self.coef))


@dataclass(kw_only=True)
class ClassifierResult(Model):
    """A classifier: linear models of +-1, one for each class, or for two classes one alone that is above 0 for the second.

    ``loss``: the mean of ``loss_name`` (of :data:`zipsgd.training.objective.CLASS_LOSSES`) over rows and models. ``flags``: of the last
    epoch.
    ``accuracy``: of the final model on the unquantised rows that it was trained on. ``classes``: labels, ascending. ``coef``:
    models x columns, and ``intercept``: models, for features in their own units. ``model_words``: models x (columns + 1), the
    device's integers, the intercept's last. ``refetched``: of each epoch of a run that leaves samples out, the share of them,
    which came again at all base bits. The rest is in :class:`Model`.
    """

    FORMAT = "zipsgd classifier 1"
    MEASURE = "accuracy"

    loss_name: str
    accuracy: float = math.nan
    classes: list[float]
    coef: list[list[float]]
    intercept: list[float]
    model_words: list[list[int]]
    refetched: list[float] = field(default_factory=list)

    def predict(self, features: Rows) -> _Float:
        """Labels of the classes, shape (rows,), for features of shape (rows, columns)."""
        outputs = self._outputs(features, np.array(self.coef).T, np.array(self.intercept))
        return np.array(self.classes, dtype=np.float64)[winners(outputs)]

    def score(self, features: Rows, labels: npt.NDArray[np.floating]) -> float:
        """The share of rows whose class is right."""
        return float(np.mean(self.predict(features) == labels))

    def outcome(self) -> str:
        return f"accuracy {self.accuracy:.4f} on the {self.rows:,} rows trained on, of {len(self.classes)} classes,"

    @property
    def spoilt_by(self) -> list[str]:
        return [flag for flag in self.flags if flag in OVERFLOW]

    def texts(self, predictions: _Float) -> Iterable[str]:
        return map(class_name, predictions)

    def check(self) -> None:
        if not _numbers(self.classes) or len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError("its classes are not two or more different numbers")
        models = 1 if len(self.classes) == 2 else len(self.classes)
        if (
            not isinstance(self.coef, list)
            or not all(map(_numbers, self.coef))
            or not _numbers(self.intercept)
        ):
            raise ValueError("its coefficients are not numbers")
        if not len(self.coef) == len(self.intercept) == models:
            raise ValueError(f"its {len(self.classes)} classes take {models} models, and it has others")
        for row in self.coef:
            self._check_columns(len(row))


_KINDS: tuple[type[Model], ...] = (Result, ClassifierResult)


def load_model(path: str | Path) -> Model:
    """A model that :meth:`Model.save` wrote. Raises :class:`DataError` for anything else."""
    try:
        content = json.loads(Path(path).read_text())
        said = content.pop("format", None) if isinstance(content, dict) else None
        kind = next((kind for kind in _KINDS if said == kind.FORMAT), None)
        if kind is None:
            raise ValueError(
                f"it does not say that it is a {' or a '.join(repr(kind.FORMAT) for kind in _KINDS)}"
            )
        return kind.from_dict(content)
    except FileNotFoundError:
        raise DataError(f"no model file {path}; 'zipsgd train --save' writes one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is no model of 'zipsgd train --save': {error}") from None
