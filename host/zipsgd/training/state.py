"""A model between epochs, and what happens to it when the scaling or the device changes."""

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
    """What the next epoch begins from.

    Parameters
    ----------
    words : _Int of shape (heads, features)
        The device's models, the intercept's word last.
    epochs : int
        Epochs since training began: the number of the next one, counted from 0.
    scalings : tuple of Scaling
        Of each head; none before the first epoch.
    unit : float
        What one unit of ``words`` is worth in a model of scaled features and targets.
    mean : _Float of shape (heads, features)
        Mean of the models after the last ``averaged`` epochs, in the data's units.
    averaged : int
        Epochs in the mean; 0 where nothing is averaged.
    """

    words: _Int
    epochs: int = 0
    scalings: tuple[Scaling, ...] = ()
    unit: float = 0.0
    mean: _Float = field(default_factory=lambda: np.empty((0, 0)))
    averaged: int = 0

    @classmethod
    def new(cls, heads: int, features: int) -> "State":
        """Models of zeros."""
        return cls(np.zeros((heads, features), dtype=np.int64), mean=np.zeros((heads, features)))

    def rescaled(self, scalings: Sequence[Scaling], scale: float, build: Build) -> "State":
        """The same models for other scalings, and for a device of another precision.

        Parameters
        ----------
        scalings : sequence of Scaling
            Of each head.
        scale : float
            Of :class:`zipsgd.training.task.Task`.
        build : Build
            The device's.
        """
        unit = scale * 2.0**-build.model_frac
        words = self.words
        if self.scalings:
            limit = 1 << (build.model_bits - 1)
            words = np.stack(
                [
                    _translated(head, self.unit, old, new, unit, limit)
                    for head, old, new in zip(self.words, self.scalings, scalings, strict=True)
                ]
            )
        return replace(self, words=words, scalings=tuple(scalings), unit=unit)

    def trained(self, words: _Int, average_from: int) -> "State":
        """After one more epoch, which ended with ``words``; averaged from epoch ``average_from`` on, 0 for never."""
        after = replace(self, words=words.copy(), epochs=self.epochs + 1)
        if not average_from or after.epochs < average_from:
            return after
        count = self.averaged + 1
        return replace(after, averaged=count, mean=self.mean + (after.last_models() - self.mean) / count)

    def last_models(self) -> _Float:
        """The models after the last epoch in the data's units, shape (heads, features), intercepts last."""
        return np.stack(
            [
                np.append(*scaling.coefficients(words * self.unit))
                for words, scaling in zip(self.words, self.scalings, strict=True)
            ]
        )

    def models(self) -> _Float:
        """The same, or their mean where models are averaged."""
        return self.mean if self.averaged else self.last_models()

    def scaled_models(self) -> _Float:
        """:meth:`models` for scaled features and targets."""
        if not self.averaged:
            return np.asarray(self.words * np.float64(self.unit))
        return np.stack(
            [
                scaling.model(mean[:-1], float(mean[-1]))
                for mean, scaling in zip(self.mean, self.scalings, strict=True)
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        """The parts that a scaling does not hold, ready for JSON."""
        return {
            "model_words": self.words.tolist(),
            "epochs": self.epochs,
            "mean": self.mean.tolist(),
            "averaged": self.averaged,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any], scalings: Sequence[Scaling], unit: float) -> "State":
        """The state that :meth:`as_dict` gave, with its scalings and its unit."""
        words = np.array(content["model_words"], dtype=np.int64)
        mean = np.array(content["mean"], dtype=np.float64)
        return cls(words, content["epochs"], tuple(scalings), unit, mean, content["averaged"])


def _translated(words: _Int, unit: float, old: Scaling, new: Scaling, new_unit: float, limit: int) -> _Int:
    """A model's words for another scaling or unit; unchanged where both stay. ``limit``: new words stay below it."""
    same = unit == new_unit and all(
        np.array_equal(a, b) for a, b in zip(vars(old).values(), vars(new).values())
    )
    if same:
        return words
    moved = np.rint(new.model(*old.coefficients(words * np.float64(unit))) / new_unit)
    return np.clip(moved, -limit, limit - 1).astype(np.int64)
