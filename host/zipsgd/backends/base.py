"""What a backend is given and gives back."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes, fixed_point, quantise_fixed_point
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.rows import Rows

__all__ = ["Backend", "EpochResult", "EpochSamples", "Progress"]

Progress = Callable[[int], None]
"""Told how many samples of the epoch have gone in."""

_THREADS = min(2, os.cpu_count() or 1)
"""That read, scale and pack rows which are not in memory."""


@dataclass(frozen=True)
class EpochSamples:
    """The samples of one epoch, scaled, in the order of training, to be quantised.

    ``values``: float32 in [-1, 1], shape (rows, features), an array or rows that are read when they are asked for; ``labels``:
    int16, shape (rows,) or, of several heads, (rows, heads); ``order``: row numbers. ``seed`` and ``epoch`` decide the up bits.
    ``memory``: bytes for packed samples that are yet to be trained on, if
    the values are no array.
    """

    values: Rows
    labels: npt.NDArray[np.int16]
    order: npt.NDArray[np.int64]
    seed: int
    epoch: int
    memory: int = 1 << 28

    def blocks(self, config: RunConfig, size: int = 512) -> Iterator[Codes]:
        """Quantised samples in training order, ``size`` at a time, at the planes and levels of ``config``."""
        p, m, levels = config.p, config.m, config.levels
        for start in range(0, self.order.size, size):
            rows = self.order[start : start + size]
            values = self.values[rows]
            fixed = fixed_point(values, p) if levels is None else levels.fixed_point(values)
            yield quantise_fixed_point(
                fixed, self.labels[rows], p, m, seed=self.seed, epoch=self.epoch, rows=rows
            )

    def packed(self, config: RunConfig, lanes: int, size: int = 512) -> Iterator[npt.NDArray[np.uint8]]:
        """The same as they go to a device of ``lanes``: uint8, shape (size, bytes of a sample), in the end maybe fewer."""
        from zipsgd.packing import pack, stream  # numba takes a second to import

        if not isinstance(self.values, np.ndarray):
            yield from stream(
                self.values,
                self.labels,
                self.order,
                config.p,
                config.m,
                lanes,
                seed=self.seed,
                epoch=self.epoch,
                levels=config.levels,
                threads=_THREADS,
                memory=self.memory,
                size=size,
            )
            return
        for start in range(0, self.order.size, size):
            rows = self.order[start : start + size]
            yield pack(
                self.values[rows],
                self.labels[rows],
                config.p,
                config.m,
                lanes,
                seed=self.seed,
                epoch=self.epoch,
                rows=rows,
                levels=config.levels,
            )


@dataclass(frozen=True)
class EpochResult:
    """``loss_sum`` in units of :meth:`.RunConfig.loss_unit`; ``flags``: what saturated in the epoch.

    The rest is None where there is no device. ``cycles``: with the epoch under way; ``plane_cycles``: of these, with a plane
    taken; ``starved_cycles``: of these, in which one could have been taken and none had come; ``sample_bytes`` and
    ``link_bytes``: of samples, and of everything, sent over the link. ``doubts``: bool, shape (samples,), which of them were
    left out, of a run that leaves some.
    """

    loss_sum: int
    flags: int
    cycles: int | None = None
    plane_cycles: int | None = None
    sample_bytes: int | None = None
    link_bytes: int | None = None
    starved_cycles: int | None = None
    doubts: npt.NDArray[np.bool_] | None = None

    def __add__(self, other: "EpochResult") -> "EpochResult":
        """Both together; None where either is. Whose samples were left out is not kept."""

        def total(name: str) -> int | None:
            counts = (getattr(self, name), getattr(other, name))
            return None if None in counts else sum(counts)

        counted: dict[str, Any] = {
            name: total(name) for name in vars(self) if name not in ("loss_sum", "flags", "doubts")
        }
        return EpochResult(self.loss_sum + other.loss_sum, self.flags | other.flags, **counted)


class Backend(Protocol):
    """Carries out runs on one build. ``name``: what the user called it."""

    @property
    def name(self) -> str: ...

    @property
    def build(self) -> Build: ...

    def begin(self, config: RunConfig, model: npt.NDArray[np.int64], seed: int, epoch: int = 0) -> None:
        """Start a run from ``model``, shape (features,), at the beginning of ``epoch``.

        Raises LimitError for a run that the build cannot do.
        """

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        """Train on one epoch."""

    def model(self) -> npt.NDArray[np.int64]:
        """The master model's words, shape (features,)."""

    def close(self) -> None:
        """Let go of what the backend holds."""
