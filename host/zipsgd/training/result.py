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

from zipsgd.data import DataError, as_features
from zipsgd.rows import iterate_blocks

from .epochs import OVERFLOW
from .scores import r2, winners

__all__ = ["ClassifierResult", "RegressionResult", "Result", "class_name", "load_model"]

_Float = npt.NDArray[np.float64]


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
class Result(ABC):
    """A trained model, and the run that trained it.

    Parameters
    ----------
    loss : list of float
        Of each epoch: mean loss while training, of scaled targets, as the device saw it.
    final_loss : float
        Loss of the final model on the unquantised rows that it was trained on, in the same units.
    train_score : float
        R2 or accuracy of the final model on these rows; NaN for labels that do not vary.
    loss_name : str
        What was minimised.
    bits_per_value : int
        Planes streamed for each value, p + m.
    flags, last_flags : list of str
        Places where values were saturated: in any epoch, and in the last one.
    cycles, plane_cycles, starved_cycles, sample_bytes, link_bytes : int or None
        Of all epochs, see :class:`zipsgd.backends.EpochResult`; None where there is no device.
    rows : int
        Trained on.
    seconds : float
        Of all epochs, on this computer.
    step_sizes : list of float
        Of each epoch, for features in [-1, 1], as the device rounded them.
    refetched : list of float
        Of each epoch of a run that fetches samples again: the share of samples that came again.
    exact_losses, scores, validation_losses, validation_scores : list of float
        Of each epoch, where they were measured: see :class:`zipsgd.training.epochs.EpochReport`.
    columns, label : list of str, str
        Names of the features and of the label.
    coef, intercept, model_words : list
        The model in the data's units, and the device's integers, the intercept's last.
    backend, build, options : str, dict, dict
        What it was trained with.
    held_out, held_out_score : int, float or None
        Rows that were not trained on, and the final model's score on them.
    """

    FORMAT: ClassVar[str]
    """What a file says that it is."""
    MEASURE: ClassVar[str]
    """The score's name."""

    loss: list[float]
    final_loss: float
    train_score: float
    loss_name: str
    bits_per_value: int
    flags: list[str]
    last_flags: list[str]
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
    coef: list[Any]
    intercept: Any
    model_words: list[Any]
    backend: str
    build: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    refetched: list[float] = field(default_factory=list)
    exact_losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    held_out: int = 0
    held_out_score: float | None = None

    @abstractmethod
    def predict(self, features: Any) -> _Float:
        """Predictions in the data's units, for features of shape (rows, columns)."""

    @abstractmethod
    def score(self, features: Any, labels: npt.ArrayLike) -> float:
        """How good the predictions are: R2 or accuracy."""

    @abstractmethod
    def outcome(self) -> str:
        """What the model is worth on the rows that it was trained on."""

    @property
    @abstractmethod
    def spoilt_by(self) -> list[str]:
        """Those of the flags that mean another model than SGD would give."""

    @abstractmethod
    def texts(self, predictions: _Float) -> Iterable[str]:
        """Predictions as they are printed."""

    @abstractmethod
    def check(self) -> None:
        """Raises ValueError unless the fields, whatever they hold, are those of a model that can predict."""

    def evaluate(self, features: Any, labels: npt.ArrayLike) -> None:
        """Set the score on rows that were held out."""
        score = self.score(features, labels)
        self.held_out, self.held_out_score = len(np.asarray(labels)), None if math.isnan(score) else score

    def as_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self)

    def save(self, path: str | Path) -> None:
        """Write the model as JSON: data only, nothing in it runs."""
        Path(path).write_text(json.dumps({"format": self.FORMAT, **self.as_dict()}, indent=1) + "\n")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The model that :meth:`as_dict` gave.

        Raises
        ------
        ValueError
            For anything else.
        """
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

    def outputs(self, features: Any) -> _Float:
        """Outputs of all models, shape (rows, models), for features of shape (rows, columns)."""
        coef, intercept = np.atleast_2d(self.coef), np.atleast_1d(self.intercept)
        rows, _ = as_features(features, "the data")
        if len(rows.shape) != 2 or rows.shape[1] != coef.shape[1]:
            raise DataError(f"the model takes {coef.shape[1]} columns, and the data have shape {rows.shape}")
        outputs = np.empty((rows.shape[0], len(coef)))
        for part, block in iterate_blocks(rows):
            outputs[part] = block @ coef.T + intercept
        return outputs

    def _check_models(self, count: int) -> None:
        """Raises ValueError unless there are ``count`` models of numbers, with a name for each column."""
        rows = self.coef
        if not isinstance(rows, list) or not all(map(_numbers, rows)) or not _numbers(self.intercept):
            raise ValueError("its coefficients are not numbers")
        if not len(rows) == len(self.intercept) == count:
            raise ValueError(f"it takes {count} models, and it has others")
        for row in rows:
            self._check_columns(len(row))

    def _check_columns(self, count: int) -> None:
        if not isinstance(self.columns, list) or len(self.columns) != count:
            raise ValueError("it does not name a column for each coefficient")


@dataclass(kw_only=True)
class RegressionResult(Result):
    """A model of numbers.

    ``coef`` and ``intercept`` are a list of numbers and a number; of several outputs, a list of such lists and a list. So is
    ``model_words``. The rest is in :class:`Result`.
    """

    FORMAT = "zipsgd model 2"
    MEASURE = "R2"

    @property
    def several(self) -> bool:
        """Whether there are several outputs."""
        return isinstance(self.intercept, list)

    def predict(self, features: Any) -> _Float:
        """Predictions in the data's units, shape (rows,) or (rows, outputs), for features of shape (rows, columns)."""
        outputs = self.outputs(features)
        return outputs if self.several else outputs[:, 0]

    def score(self, features: Any, labels: npt.ArrayLike) -> float:
        """The share of the labels' variance that the model explains, R2; NaN where they do not vary."""
        outputs = self.outputs(features)
        return r2(np.asarray(labels, dtype=np.float64).reshape(outputs.shape), outputs)

    def outcome(self) -> str:
        what = "mean squared residual" if self.loss_name == "squared_error" else f"mean {self.loss_name}"
        return f"loss {self.final_loss:.6f} ({what}, labels scaled to [-1, 1])"

    @property
    def spoilt_by(self) -> list[str]:
        return self.flags

    def texts(self, predictions: _Float) -> Iterable[str]:
        rows = predictions.reshape(len(predictions), -1)
        return (",".join(f"{value:.9g}" for value in row) for row in rows)

    def check(self) -> None:
        if isinstance(self.intercept, list):
            self._check_models(len(self.intercept))
            return
        if not _numbers(self.coef) or not _number(self.intercept):
            raise ValueError("its coefficients are not numbers")
        self._check_columns(len(self.coef))


@dataclass(kw_only=True)
class ClassifierResult(Result):
    """A classifier: linear models of +-1, one for each class, or for two classes one alone that is above 0 for the second.

    ``coef``, ``intercept`` and ``model_words`` have an entry for each model. The rest is in :class:`Result`.

    Parameters
    ----------
    classes : list of float
        The labels, ascending.
    """

    FORMAT = "zipsgd classifier 2"
    MEASURE = "accuracy"

    classes: list[float]

    @property
    def accuracy(self) -> float:
        """Of the final model on the unquantised rows that it was trained on."""
        return self.train_score

    def predict(self, features: Any) -> _Float:
        """Labels of the classes, shape (rows,), for features of shape (rows, columns)."""
        return np.array(self.classes, dtype=np.float64)[winners(self.outputs(features))]

    def score(self, features: Any, labels: npt.ArrayLike) -> float:
        """The share of rows whose class is right."""
        return float(np.mean(self.predict(features) == np.asarray(labels)))

    def outcome(self) -> str:
        return f"accuracy {self.accuracy:.4f} on the {self.rows:,} rows trained on, of {len(self.classes)} classes,"

    @property
    def spoilt_by(self) -> list[str]:
        return [flag for flag in self.last_flags if flag in OVERFLOW]

    def texts(self, predictions: _Float) -> Iterable[str]:
        return map(class_name, predictions)

    def check(self) -> None:
        if not _numbers(self.classes) or len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError("its classes are not two or more different numbers")
        self._check_models(1 if len(self.classes) == 2 else len(self.classes))


_KINDS: tuple[type[Result], ...] = (RegressionResult, ClassifierResult)


def load_model(path: str | Path) -> Result:
    """A model that :meth:`Result.save` wrote.

    Raises
    ------
    DataError
        For anything else.
    """
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
