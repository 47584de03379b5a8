"""Results of training: models in the data's own units, and records of the runs."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from zipsgd.data import arrange, as_features, class_name
from zipsgd.data.clipping import outputs_of
from zipsgd.output import write_file
from zipsgd.rows import Rows, iterate_blocks

from .checks import are_numbers, are_texts, is_number
from .class_numbers import numbers_of
from .guard import Finding, findings_of
from .sample_record import SampleRecord
from .scaling_record import ScalingRecord
from .scores import Score, find_score, winners

__all__ = ["ClassifierResult", "RegressionResult", "Result"]

_Float = npt.NDArray[np.float64]


@dataclass(kw_only=True)
class Result(ScalingRecord, ABC):
    """A trained model, and the record of the run.

    Parameters
    ----------
    loss : list of float
        Mean loss during each epoch, for scaled targets, as the device estimated it from quantised samples.
    final_loss : float
        Exact loss of the final model on the unquantised training rows, for scaled targets.
    train_score : float
        Score of the final model on the training rows, by default R2 or accuracy; None if it is not defined for them.
    loss_name : str
        Name of the loss that was minimised.
    bits_per_value : float
        Bits sent for each value, p + m: a whole number, or the mean over the epochs where it changes.
    flags, last_flags : list of str
        Names of the places where values were saturated: in any epoch, and in the last epoch.
    sample_bytes : int
        Bytes of packed samples over all epochs, see :class:`zipsgd.backends.EpochResult`.
    cycles, plane_cycles, starved_cycles, link_bytes : int or None
        Counts over all epochs, see :class:`zipsgd.backends.EpochResult`; None without a device.
    exchange_bytes : int
        Bytes of models that went to the workers of shards and back, over all epochs.
    rows : int
        Number of training rows.
    seconds : float
        Duration of all epochs on this computer.
    step_sizes : list of float
        Step size of each epoch for features in [-1, 1], as rounded for the device.
    columns, label : list of str, str
        Names of the features, and name of the label.
    categories : dict of str to list of str
        The columns of the data that were made features of 0 and 1 (``name=value``), with the values of each.
    coef, intercept : list, or list and float
        The model in the data's units, for rows that are clipped as ``clipped`` says.
    model_words : list
        The model on the device as integers; the intercept's word is the last one of a head.
    backend, build, options : str, dict, dict
        Name of the backend, parameters of the build, and options of the run.
    refetched : list of float
        For a run with refetching, the share of samples that were sent again in each epoch.
    exact_losses, scores, validation_losses, validation_scores : list of float
        Measurements after each epoch, see :class:`zipsgd.training.epochs.EpochReport`; empty if there are none.
    held_out, held_out_score : int, float or None
        Number of held-out rows, and the score of the final model on them.
    kept_epoch : int
        The epoch whose model this is, counted from 1.
    warnings : list of Finding
        What went wrong in the run, see :mod:`zipsgd.training.guard`; empty for a healthy run.
    """

    FORMAT: ClassVar[str]
    """Format name and version in a saved file."""
    CLASSIFIES: ClassVar[bool]
    """Whether the labels are classes."""

    loss: list[float]
    final_loss: float
    train_score: float | None
    loss_name: str
    bits_per_value: float
    flags: list[str]
    last_flags: list[str]
    cycles: int | None
    plane_cycles: int | None
    starved_cycles: int | None
    sample_bytes: int
    link_bytes: int | None
    exchange_bytes: int
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
    categories: dict[str, list[str]] = field(default_factory=dict)
    refetched: list[float] = field(default_factory=list)
    exact_losses: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    held_out: int = 0
    held_out_score: float | None = None
    kept_epoch: int = 0
    warnings: list[Finding] = field(default_factory=list)

    @property
    def scoring(self) -> Score:
        """Score: The score that ``train_score``, ``held_out_score`` and :meth:`score` are."""
        return find_score(self.options.get("score"), classify=self.CLASSIFIES)

    @abstractmethod
    def predicted(self, outputs: _Float) -> npt.NDArray[Any]:
        """Predictions from the outputs of all heads, see :meth:`outputs` and :meth:`predict`."""

    @abstractmethod
    def score_of(self, outputs: _Float, labels: npt.ArrayLike) -> float:
        """The score of the outputs of all heads, see :meth:`outputs` and :meth:`score`."""

    def predict(self, features: Any) -> npt.NDArray[Any]:
        """Predict the labels of rows.

        Parameters
        ----------
        features : array, data frame or sparse matrix of shape (rows, columns)
            Features in their own units.

        Returns
        -------
        npt.NDArray[np.float64] of shape (rows,) or (rows, outputs), or npt.NDArray[np.str_] of shape (rows,)
            Numbers in the label's units, or labels of the predicted classes.
        """
        return self.predicted(self.outputs(features))

    def score(self, features: Any, labels: npt.ArrayLike) -> float:
        """The score of the predictions for rows.

        Parameters
        ----------
        features : array, data frame or sparse matrix of shape (rows, columns)
            Features in their own units.
        labels : array of shape (rows,) or (rows, outputs)
            The true labels.

        Returns
        -------
        float
            The score that the run was made with, by default R2 or accuracy; NaN if it is not defined for these rows.
        """
        return self.score_of(self.outputs(features), labels)

    @abstractmethod
    def outcome(self) -> str:
        """The score on the training rows, and what they are, as text for users."""

    @abstractmethod
    def texts(self, predictions: npt.NDArray[Any]) -> Iterable[str]:
        """Format predictions as lines of text, see :meth:`predict` for the argument."""

    @abstractmethod
    def check(self) -> None:
        """Check the fields of a loaded model. Raises ValueError if it cannot predict."""

    def evaluate(self, features: Any, labels: npt.ArrayLike) -> None:
        """Set ``held_out`` and ``held_out_score`` for held-out rows, see :meth:`score` for the arguments."""
        score = self.score(features, labels)
        self.held_out, self.held_out_score = len(np.asarray(labels)), None if math.isnan(score) else score

    def as_dict(self) -> dict[str, Any]:
        """All fields by name as a dict, ready for JSON."""
        return asdict(self)

    def save(self, path: str | Path) -> None:
        """Write the model to a JSON file, as a whole or not at all. The file contains only data, no code.

        Parameters
        ----------
        path : str or Path
            The file. OutputError is raised if it cannot be written.
        """
        write_file(path, json.dumps({"format": self.FORMAT, **self.as_dict()}, indent=1) + "\n")

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`.

        Parameters
        ----------
        content : dict[str, Any]
            A dict from :meth:`as_dict`.

        Returns
        -------
        RegressionResult or ClassifierResult
            The model.

        Raises
        ------
        ValueError
            Fields are missing, or they do not form a model.
        """
        missing = [
            f.name
            for f in fields(cls)
            if f.default is MISSING and f.default_factory is MISSING and f.name not in content
        ]
        if missing:
            raise ValueError(f"it has no {', '.join(missing)}")
        known = {f.name: content[f.name] for f in fields(cls) if f.name in content}
        known["warnings"] = findings_of(known.get("warnings", []))
        model = cls(**known)
        model.check()
        model.check_clipped(len(model.columns))
        if not isinstance(model.options, dict):
            raise ValueError("its options are not fields with values")
        models = len(np.atleast_1d(model.intercept))
        model.samples = SampleRecord.from_dict(content["samples"], len(model.columns), models)
        return model

    def arranged(self, features: Any) -> Rows:
        """The columns of the model in their order.

        Parameters
        ----------
        features : array, data frame or sparse matrix of shape (rows, columns)
            Features in their own units.

        Returns
        -------
        Rows of shape (rows, columns)
            The rows.

        Raises
        ------
        DataError
            The rows have another number of columns than the model.
        """
        return arrange(*as_features(features, "X"), self.columns, "X")

    def outputs(self, features: Any) -> _Float:
        """The outputs of all heads, shape (rows, heads), see :meth:`arranged` for the argument."""
        coef, intercept = np.atleast_2d(self.coef), np.atleast_1d(self.intercept)
        rows = self.arranged(features)
        outputs = np.empty((rows.shape[0], len(coef)))
        clipped = self.clipped_columns
        for part, block in iterate_blocks(rows):
            outputs[part] = outputs_of(block, coef, intercept, clipped)
        return outputs

    def _scored(self) -> str:
        """The score on the training rows, their label and their shape."""
        score = "not defined" if self.train_score is None else f"{self.train_score:.4f}"
        return f"{self.scoring.title} {score} for {self.label!r} on {self.rows:,} rows x {len(self.columns)} columns"

    def _check_models(self, count: int) -> None:
        """Raise ValueError unless there are ``count`` models of numbers, with a name for each column."""
        rows = self.coef
        if not isinstance(rows, list) or not all(map(are_numbers, rows)) or not are_numbers(self.intercept):
            raise ValueError("its coefficients are not numbers")
        if not len(rows) == len(self.intercept) == count:
            raise ValueError(f"it takes {count} models, and it has others")
        for row in rows:
            self._check_columns(len(row))

    def _check_columns(self, count: int) -> None:
        if not isinstance(self.categories, dict) or not all(map(are_texts, self.categories.values())):
            raise ValueError("its categories are not lists of texts")
        if not isinstance(self.columns, list) or len(self.columns) != count:
            raise ValueError("it does not name a column for each coefficient")


@dataclass(kw_only=True)
class RegressionResult(Result):
    """A trained regression.

    For a single output, ``coef`` and ``model_words`` are lists of numbers, and ``intercept`` is a number. For several outputs
    each of them is a list with an entry for each output. The other fields are described in :class:`Result`.
    """

    FORMAT = "zipsgd model 3"
    CLASSIFIES = False

    @property
    def several(self) -> bool:
        """bool: Whether there are several outputs."""
        return isinstance(self.intercept, list)

    def predicted(self, outputs: _Float) -> _Float:
        """Predictions in the label's units, shape (rows,) or (rows, outputs), see :meth:`Result.predicted`."""
        return outputs if self.several else outputs[:, 0]

    def score_of(self, outputs: _Float, labels: npt.ArrayLike) -> float:
        """The score, by default R2: the share of the labels' variance that is explained, see :meth:`Result.score_of`."""
        return self.scoring.function(
            outputs, np.asarray(labels, dtype=np.float64).reshape(outputs.shape), None
        )

    def outcome(self) -> str:
        """The score and the final loss on the training rows as text, see :meth:`Result.outcome`."""
        what = "mean squared residual" if self.loss_name == "squared_error" else f"mean {self.loss_name}"
        return f"{self._scored()}, loss {self.final_loss:.6f} ({what}, labels scaled to [-1, 1])"

    def texts(self, predictions: _Float) -> Iterable[str]:
        """Numbers separated by commas, see :meth:`Result.texts`."""
        rows = predictions.reshape(len(predictions), -1)
        return (",".join(f"{value:.9g}" for value in row) for row in rows)

    def check(self) -> None:
        """Check the fields of a loaded model, see :meth:`Result.check`."""
        if isinstance(self.intercept, list):
            self._check_models(len(self.intercept))
            return
        if not are_numbers(self.coef) or not is_number(self.intercept):
            raise ValueError("its coefficients are not numbers")
        self._check_columns(len(self.coef))


@dataclass(kw_only=True)
class ClassifierResult(Result):
    """A trained classifier: a linear model for each class, or for two classes one model that is above 0 for the second.

    ``coef``, ``intercept`` and ``model_words`` have an entry for each model. ``coef`` and ``intercept`` are calibrated, and
    ``model_words`` are those of the device. The other fields are described in :class:`Result`.

    Parameters
    ----------
    classes : list of float or list of str
        The labels of the classes in ascending order.
    calibration : dict or None
        Lists ``mix`` and ``offset`` of the :class:`zipsgd.training.calibration.Calibration`; None without one.
    """

    FORMAT = "zipsgd classifier 3"
    CLASSIFIES = True

    classes: list[float] | list[str]
    calibration: dict[str, list[Any]] | None = None

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """array of float64 or str, shape (classes,): The labels of the classes, under the name that scikit-learn gives them."""
        return np.array(self.classes, dtype=np.str_ if self.textual else np.float64)

    @property
    def textual(self) -> bool:
        """bool: Whether the labels of the classes are text."""
        return isinstance(self.classes[0], str)

    def predicted(self, outputs: _Float) -> npt.NDArray[Any]:
        """Labels of the predicted classes, shape (rows,), see :meth:`Result.predicted`."""
        labels: npt.NDArray[Any] = self.classes_[winners(outputs)]
        return labels

    def score_of(self, outputs: _Float, labels: npt.ArrayLike) -> float:
        """The score, by default the share of rows whose class is predicted correctly, see :meth:`Result.score_of`."""
        return self.scoring.function(outputs, numbers_of(np.asarray(labels), self.classes), None)

    def outcome(self) -> str:
        """The score on the training rows as text, see :meth:`Result.outcome`."""
        return f"{self._scored()}, {len(self.classes)} classes,"

    def texts(self, predictions: npt.NDArray[Any]) -> Iterable[str]:
        """Labels of classes, see :meth:`Result.texts`."""
        return map(class_name, predictions.tolist())

    def check(self) -> None:
        """Check the fields of a loaded model, see :meth:`Result.check`."""
        known = are_numbers(self.classes) or are_texts(self.classes)
        if not known or len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError("its classes are not two or more different numbers or texts")
        self._check_models(1 if len(self.classes) == 2 else len(self.classes))
