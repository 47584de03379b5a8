"""What is told of an epoch that is over."""

from dataclasses import dataclass

from zipsgd.backends import EpochResult

__all__ = ["EpochReport"]


@dataclass(frozen=True)
class EpochReport:
    """One epoch: number from 1, mean squared residual as the device saw it while training, and what it cost."""

    number: int
    loss: float
    seconds: float
    result: EpochResult
