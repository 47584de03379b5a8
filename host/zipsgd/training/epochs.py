"""What is told of an epoch that is over."""

from collections.abc import Collection
from dataclasses import dataclass

from zipsgd.backends import EpochResult
from zipsgd.protocol.numbers import MODEL_INT
from zipsgd.protocol.run import Flag

__all__ = ["OVERFLOW", "EpochReport", "advice"]

OVERFLOW = frozenset(Flag.NAMES[flag] for flag in (Flag.DELTA, Flag.GRADIENT, Flag.MODEL))
"""Saturation that spoils a model. Single residuals may saturate, and Q3 at the end of its range."""


def advice(flags: Collection[str]) -> str:
    """What else to do about ``flags``: of a model whose weights reached the end of their range. To be added to a message."""
    if Flag.NAMES[Flag.MODEL] not in flags:
        return ""
    return (
        f"; weights have reached {1 << MODEL_INT}, the end of their range where columns are from -1 to 1: a penalty, l2 or l1, "
        f"keeps them smaller"
    )


@dataclass(frozen=True)
class EpochReport:
    """One epoch: number from 1, mean loss as the device saw it while training, and what it cost."""

    number: int
    loss: float
    seconds: float
    result: EpochResult
