"""What is told of an epoch that is over."""

from dataclasses import dataclass

from zipsgd.backends import EpochResult
from zipsgd.protocol.formats import Flag

__all__ = ["OVERFLOW", "EpochReport"]

OVERFLOW = frozenset(Flag.NAMES[flag] for flag in (Flag.DELTA, Flag.GRADIENT, Flag.MODEL))
"""Saturation that spoils a model. Single residuals may saturate, and Q3 at the end of its range."""


@dataclass(frozen=True)
class EpochReport:
    """One epoch: number from 1, mean loss as the device saw it while training, and what it cost."""

    number: int
    loss: float
    seconds: float
    result: EpochResult
