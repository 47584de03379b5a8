"""The report of an epoch."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochResult
from zipsgd.protocol.numbers import MODEL_INT
from zipsgd.protocol.run import Flag

__all__ = ["OVERFLOW", "EpochModel", "EpochReport", "advice", "saturation"]

_Float = npt.NDArray[np.float64]

OVERFLOW = frozenset(Flag.NAMES[flag] for flag in (Flag.DELTA, Flag.GRADIENT, Flag.MODEL))
"""Flags that mean a spoilt model. In contrast, a few saturated residuals, or a Q3 at the end of its range, do no harm."""


def advice(flags: Collection[str]) -> str:
    """A further hint for a warning about saturation, for models whose weights reached the end of their range.

    Parameters
    ----------
    flags : collection of str
        Names of the places where values were saturated.

    Returns
    -------
    str
        Text to add to the warning; empty if the weights stayed in range.
    """
    if Flag.NAMES[Flag.MODEL] not in flags:
        return ""
    return (
        f"; weights have reached {1 << MODEL_INT}, the end of their range where columns are from -1 to 1: a penalty, l2 or l1, "
        f"keeps them smaller"
    )


def saturation(flags: Collection[str]) -> str:
    """A warning about values that were saturated, and what to do.

    Parameters
    ----------
    flags : collection of str
        The places that spoil the model.

    Returns
    -------
    str
        The warning.
    """
    return (
        f"values were saturated ({', '.join(flags)}): the model is not what SGD would give; use a smaller step size"
        f"{advice(flags)}"
    )


@dataclass(frozen=True)
class EpochModel:
    """The model after an epoch.

    Parameters
    ----------
    coef : _Float of shape (heads, columns)
        Weights in the data's units.
    intercept : _Float of shape (heads,)
        Intercepts in the data's units.
    words : npt.NDArray[np.int64] of shape (heads, columns + 1)
        The model on the device as integers; the intercept's word is the last one. Where models are averaged, these belong to
        the last model, because the mean exists only on the host.
    """

    coef: _Float
    intercept: _Float
    words: npt.NDArray[np.int64]


@dataclass(frozen=True)
class EpochReport:
    """The report of a finished epoch.

    Parameters
    ----------
    number : int
        The epoch, counted from 1 since training began.
    loss : float
        Mean loss over samples and heads during the epoch, for scaled targets. The device estimates it from quantised samples
        while the model changes.
    seconds : float
        Duration of the epoch on this computer.
    result : EpochResult
        Loss sum, flags and counts of the backend.
    step_size : float
        Step size for features in [-1, 1], as rounded for the device.
    samples : int
        Number of samples trained on.
    sample_bits : int
        Bits of samples that were sent to the device, or that a device would have received.
    refetched : float or None
        Share of the samples that were sent again; None for a run without refetching.
    model : EpochModel or None
        The model after the epoch; None for an epoch that was read from a checkpoint.
    exact_loss, score : float or None
        Loss, and R2 or accuracy, of the model on the unquantised training rows; None unless ``Options.measure`` is set.
    validation_loss, validation_score : float or None
        The same on the validation rows; None unless there are such rows and ``Options.measure`` or ``Options.patience`` is
        set.
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
        """list of str: Names of the places where values were saturated in the epoch."""
        return [name for bit, name in Flag.NAMES.items() if self.result.flags & bit]

    def as_dict(self) -> dict[str, Any]:
        """The report without the model, ready for JSON.

        Returns
        -------
        dict[str, Any]
            Values by field name.
        """
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "model"}
        counted = {name: value for name, value in asdict(self.result).items() if name != "doubts"}
        return {**plain, "result": counted}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "EpochReport":
        """The inverse of :meth:`as_dict`.

        Parameters
        ----------
        content : dict[str, Any]
            A dict from :meth:`as_dict`.

        Returns
        -------
        EpochReport
            The report, without a model.
        """
        return cls(**{**content, "result": EpochResult(**content["result"])})
