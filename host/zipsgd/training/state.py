"""The state of training between epochs, and its conversion to another scaling or another device."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling
from zipsgd.protocol.formats import Build

__all__ = ["State"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """The state that the next epoch begins with.

    Parameters
    ----------
    words : _Int of shape (heads, features)
        The models on the device as integers; the intercept's word is the last one.
    epochs : int
        Number of epochs since training began, which is the next epoch's number, counted from 0.
    scalings : tuple of Scaling
        Scaling of each head; empty before the first epoch.
    unit : float
        Value of one unit of ``words`` in a model of scaled features and targets.
    mean : _Float of shape (heads, features)
        Mean of the models after the last ``averaged`` epochs, in the data's units.
    averaged : int
        Number of epochs in the mean; 0 without averaging.
    ahead : _Int of shape (heads, features) or None
        The models that the next epoch begins from, as integers, where they are not ``words``: those of shards with momentum.
    """

    words: _Int
    epochs: int = 0
    scalings: tuple[Scaling, ...] = ()
    unit: float = 0.0
    mean: _Float = field(default_factory=lambda: np.empty((0, 0)))
    averaged: int = 0
    ahead: _Int | None = None

    @classmethod
    def new(cls, heads: int, features: int) -> "State":
        """The state before the first epoch: all weights are 0.

        Parameters
        ----------
        heads : int
            Number of models.
        features : int
            Number of features, including the intercept.

        Returns
        -------
        State
            The state.
        """
        return cls(np.zeros((heads, features), dtype=np.int64), mean=np.zeros((heads, features)))

    def rescaled(self, scalings: Sequence[Scaling], scale: float, build: Build) -> "State":
        """Convert the models to other scalings, and to the precision of another device.

        Parameters
        ----------
        scalings : sequence of Scaling
            New scaling of each head.
        scale : float
            Scale of the values, see :class:`zipsgd.training.task.Task`.
        build : Build
            Build of the device.

        Returns
        -------
        State
            The converted state; the words are unchanged if scalings and precision are. Otherwise momentum begins anew.
        """
        unit = scale * 2.0**-build.model_frac
        if self.scalings is scalings and self.unit == unit:
            return self
        words, ahead = self.words, self.ahead
        if self.scalings:
            limit = 1 << (build.model_bits - 1)
            words = np.stack(
                [
                    _translated(head, self.unit, old, new, unit, limit)
                    for head, old, new in zip(self.words, self.scalings, scalings, strict=True)
                ]
            )
        if not np.array_equal(words, self.words):
            ahead = None
        return replace(self, words=words, scalings=tuple(scalings), unit=unit, ahead=ahead)

    def trained(self, words: _Int, average_from: int, ahead: _Int | None = None) -> "State":
        """The state after one more epoch.

        Parameters
        ----------
        words : _Int of shape (heads, features)
            The models after the epoch.
        average_from : int
            First epoch, counted from 1, whose model enters the mean; 0 for no averaging.
        ahead : _Int of shape (heads, features) or None
            The models that the next epoch begins from, where they are not ``words``.

        Returns
        -------
        State
            The new state.
        """
        after = replace(self, words=words.copy(), epochs=self.epochs + 1, ahead=ahead)
        if not average_from or after.epochs < average_from:
            return after
        count = self.averaged + 1
        return replace(after, averaged=count, mean=self.mean + (after.last_models() - self.mean) / count)

    def last_models(self) -> _Float:
        """The models after the last epoch, in the data's units.

        Returns
        -------
        _Float of shape (heads, features)
            Weights, with the intercepts in the last column.
        """
        models = np.empty(self.words.shape)
        for model, words, scaling in zip(models, self.words, self.scalings, strict=True):
            model[:-1], model[-1] = scaling.coefficients(words * self.unit)
        return models

    def models(self) -> _Float:
        """The final models in the data's units: the mean if models are averaged, and otherwise the last models.

        Returns
        -------
        _Float of shape (heads, features)
            Weights, with the intercepts in the last column.
        """
        return self.mean if self.averaged else self.last_models()

    def scaled_models(self) -> _Float:
        """The final models for scaled features and targets.

        Returns
        -------
        _Float of shape (heads, features)
            Weights, with the intercepts in the last column.
        """
        if not self.averaged:
            return np.asarray(self.words * np.float64(self.unit))
        return np.stack(
            [
                scaling.model(mean[:-1], float(mean[-1]))
                for mean, scaling in zip(self.mean, self.scalings, strict=True)
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """The state without its scalings and its unit, ready for JSON.

        Returns
        -------
        dict[str, Any]
            Words, number of epochs, the mean, and the models ahead.
        """
        return {
            "model_words": self.words.tolist(),
            "epochs": self.epochs,
            "mean": self.mean.tolist(),
            "averaged": self.averaged,
            "ahead": None if self.ahead is None else self.ahead.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any], scalings: Sequence[Scaling], unit: float) -> "State":
        """The inverse of :meth:`as_dict`.

        Parameters
        ----------
        content : dict[str, Any]
            A dict from :meth:`as_dict`.
        scalings : sequence of Scaling
            Scaling of each head.
        unit : float
            Value of one unit of the words.

        Returns
        -------
        State
            The state.
        """
        words = np.array(content["model_words"], dtype=np.int64)
        mean = np.array(content["mean"], dtype=np.float64)
        ahead = None if content["ahead"] is None else np.array(content["ahead"], dtype=np.int64)
        return cls(words, content["epochs"], tuple(scalings), unit, mean, content["averaged"], ahead)


def _translated(words: _Int, unit: float, old: Scaling, new: Scaling, new_unit: float, limit: int) -> _Int:
    """Convert the words of a model to another scaling or unit, and clip them to -limit .. limit - 1."""
    names = ("centre", "spread", "label_centre", "label_spread")
    same = unit == new_unit and (
        old is new or all(np.array_equal(getattr(old, name), getattr(new, name)) for name in names)
    )
    if same:
        return words
    moved = np.rint(new.model(*old.coefficients(words * np.float64(unit))) / new_unit)
    return np.clip(moved, -limit, limit - 1).astype(np.int64)
