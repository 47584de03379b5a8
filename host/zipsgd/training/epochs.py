"""What is told of an epoch that is over."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochResult
from zipsgd.protocol.numbers import MODEL_INT
from zipsgd.protocol.run import Flag

__all__ = ["OVERFLOW", "EpochModel", "EpochReport", "advice"]

_Float = npt.NDArray[np.float64]

OVERFLOW = frozenset(Flag.NAMES[flag] for flag in (Flag.DELTA, Flag.GRADIENT, Flag.MODEL))
"""Saturation that spoils a model. Single residuals may saturate, and Q3 at the end of its range."""


def advice(flags: Collection[str]) -> str:
    """What else to do about ``flags``, to be added to a message: of a model whose weights reached the end of their range."""
    if Flag.NAMES[Flag.MODEL] not in flags:
        return ""
    return (
        f"; weights have reached {1 << MODEL_INT}, the end of their range where columns are from -1 to 1: a penalty, l2 or l1, "
        f"keeps them smaller"
    )


@dataclass(frozen=True)
class EpochModel:
    """The model after an epoch.

    Parameters
    ----------
    coef : _Float of shape (heads, columns)
        In the data's units.
    intercept : _Float of shape (heads,)
        In the data's units.
    words : npt.NDArray[np.int64] of shape (heads, columns + 1)
        The device's integers, the intercept's last. Where models are averaged, the mean has none: these are the last ones.
    """

    coef: _Float
    intercept: _Float
    words: npt.NDArray[np.int64]


@dataclass(frozen=True)
class EpochReport:
    """One epoch that is over.

    Parameters
    ----------
    number : int
        From 1, since training began.
    loss : float
        Mean loss while training, of scaled targets, over samples and heads, as the device saw it.
    seconds : float
        Of the epoch, on this computer.
    result : EpochResult
        What the backend counted.
    step_size : float
        For features in [-1, 1], as the device rounded it.
    samples : int
        Trained on.
    sample_bits : int
        Sent as samples, or what would have been sent to a device.
    refetched : float or None
        Share of the samples that came again; None of a run that fetches none again.
    model : EpochModel or None
        The model after the epoch; None of an epoch that was read from a checkpoint.
    exact_loss, score : float or None
        Loss, and R2 or accuracy, of the model on the unquantised rows; None unless ``Options.measure`` asks for them.
    validation_loss, validation_score : float or None
        The same on the validation rows, where there are any; the score is always measured where ``Options.patience`` needs it.
    """

    number: int
    loss: float
    seconds: float
    result: EpochResult
    step_size: float
    samples: int
    sample_bits: int
    refetched: float | None = None
    model: EpochModel | None = None
    exact_loss: float | None = None
    score: float | None = None
    validation_loss: float | None = None
    validation_score: float | None = None

    @property
    def flags(self) -> list[str]:
        """Names of the places where values were saturated in the epoch."""
        return [name for bit, name in Flag.NAMES.items() if self.result.flags & bit]

    def as_dict(self) -> dict[str, Any]:
        """All but the model, ready for JSON."""
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "model"}
        counted = {name: value for name, value in asdict(self.result).items() if name != "doubts"}
        return {**plain, "result": counted}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "EpochReport":
        """The report that :meth:`as_dict` gave."""
        return cls(**{**content, "result": EpochResult(**content["result"])})
