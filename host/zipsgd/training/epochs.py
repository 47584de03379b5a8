"""The report of an epoch."""

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochResult
from zipsgd.protocol.run import Flag

__all__ = ["EpochModel", "EpochReport"]

_Float = npt.NDArray[np.float64]


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
        The model after the epoch; None for an epoch that was read from a checkpoint, or behind which the device went on by
        itself.
    exact_loss, score : float or None
        Loss, and R2 or accuracy, of the model on the unquantised training rows; None unless ``Options.measure`` is set.
    validation_loss, validation_score : float or None
        The same on the validation rows; None unless there are such rows and ``Options.measure`` or ``Options.patience`` is
        set, or ``Options.keep`` is "best".
    merit, merit_loss : float or None
        How good the model is on a fixed sample of the validation rows, or of the training rows if there are none, by which
        :mod:`zipsgd.training.guard` notices that a run goes wrong. The merit is the accuracy, or for regression the share of a
        constant's loss that the model removes, R2 for least squares. The loss is what training minimises, with penalties.
    bits : int or None
        Bits of a value.
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
    merit: float | None = None
    merit_loss: float | None = None
    bits: int | None = None

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
        listed = ("doubts", "scores")
        counted = {name: value for name, value in asdict(self.result).items() if name not in listed}
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
