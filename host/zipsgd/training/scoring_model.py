"""A model whose scores a device computes, and what they mean."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build

from .result import Result

__all__ = ["ScoringModel"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]

_LARGEST_SCORE = (1 << 31) - 1
"""Scores come back as words of 32 bits."""


@dataclass(frozen=True)
class ScoringModel:
    """A model as a device takes it over without loss: its words are those of Q3, the rounded model.

    The weights of each head are scaled to the range of Q3, and as far as no score exceeds 32 bits. The intercept's weight is 0,
    so that it takes nothing of this range.

    Parameters
    ----------
    words : _Int of shape (heads, features)
        Words of Q3; the intercept's word is the last one of a head.
    units : _Float of shape (heads,)
        Value of one unit of a word, as a weight of values in [-1, 1].
    constants : _Float of shape (heads,)
        What is added to the output of each head.
    """

    words: _Int
    units: _Float
    constants: _Float

    @classmethod
    def of(cls, result: Result, build: Build, value_bits: int) -> "ScoringModel":
        """The model of a result.

        Parameters
        ----------
        result : Result
            The trained model.
        build : Build
            Width of Q3.
        value_bits : int
            Bits of a quantised value: base planes, or bits of an optimal level.

        Returns
        -------
        ScoringModel
            The model.
        """
        scaling = result.samples.scalings[0].with_labels(0.0, 1.0)
        coef, intercept = np.atleast_2d(result.coef), np.atleast_1d(result.intercept)
        models = np.stack([scaling.model(*head) for head in zip(coef, intercept, strict=True)])
        weights, constants = models[:, :-1], models[:, -1]
        top = (1 << (build.q3_bits - 1)) - 1
        room = (_LARGEST_SCORE >> (value_bits - 1)) - weights.shape[1]  # for the rounding of each weight
        most = np.maximum(np.abs(weights).max(axis=1) / top, np.abs(weights).sum(axis=1) / room)
        units = np.where(most > 0, most, 1.0)
        words = np.rint(weights / units[:, None]).astype(np.int64)
        return cls(np.pad(words, ((0, 0), (0, 1))), units, constants)

    def master(self, build: Build) -> _Int:
        """Words of the master model, shape (heads, features): whatever is drawn, Q3 is ``words``."""
        return self.words << build.q3_drop

    def outputs(self, scores: _Int, unit: float, *, middle: bool) -> _Float:
        """Outputs in the label's units.

        Parameters
        ----------
        scores : _Int of shape (rows, heads)
            The scores.
        unit : float
            Value of one unit of a quantised value.
        middle : bool
            Values are in the middle between their level and the next one, rather than on it.

        Returns
        -------
        _Float of shape (rows, heads)
            Outputs, see :meth:`.result.Result.outputs`.
        """
        sums = scores + self.words.sum(axis=1) / 2 if middle else scores
        return np.asarray(sums * (unit * self.units) + self.constants)
