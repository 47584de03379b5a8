"""Cycles of an epoch, from when planes are taken and updates written."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.gradient_unit import GradientUnit
from zipsgd_hw.datapath.loss_unit import LossUnit

__all__ = ["Supply", "epoch_cycles"]

_SETTLED = 4
"""Mini-batches after which each takes as long as the one before it."""


@dataclass(frozen=True)
class Supply:
    """A stage on the way from a store to the core, which takes time for each sample.

    Parameters
    ----------
    chunks : tuple of float
        Cycles that each chunk of a sample takes, on average.
    ahead : float
        Cycles of its work that the stage is ahead of the core at most.
    """

    chunks: tuple[float, ...]
    ahead: float

    @property
    def cycles(self) -> float:
        """float: Cycles that a sample takes, on average."""
        return sum(self.chunks)

    def period(self, pause: int) -> float:
        """Cycles from a sample to the next one, if the core looks at no new planes for so many cycles in between."""
        return self.cycles + max(0.0, pause - min(self.ahead, self.cycles))


class _Schedule:
    """When planes are taken and updates written, in cycles from the start of an epoch.

    A mini-batch's first sample waits for updates chunk by chunk, and its last sample makes them; samples in between follow each
    other as fast as the units let them. Parameters as of :func:`epoch_cycles`.
    """

    def __init__(
        self,
        build: Build,
        *,
        features: int,
        base_planes: int,
        up_planes: int,
        heads: int,
        degree: int,
        fast_memory: bool,
        supplies: Sequence[Supply],
    ) -> None:
        planes = base_planes + up_planes
        words = build.chunks(features) * planes
        self._planes = planes
        self._chunks = build.chunks(features)
        self._heads = heads
        self._bubble = TrainingCore.bubble(
            build, base_planes=base_planes, up_planes=up_planes, degree=degree, fast_memory=fast_memory
        )
        # From a sample's last plane to the first plane of its gradient
        self._wait = 2 + TrainingCore.delta_latency(
            build, up_planes=up_planes, degree=degree, fast_memory=fast_memory
        )
        self._in_flight = TrainingCore.in_flight(build)
        # Fewest cycles of a sample for one head; the replay buffer must have room for it beside the one before it
        self._least = max(
            words + (planes == 1),  # see GradientUnit
            LossUnit.spacing(degree),
            GradientUnit.spacing(fast_memory=fast_memory),
            2 * words + self._wait - build.replay_words,
        )
        self._pace = max(planes, build.lanes // build.update_lanes)
        self._supplies = supplies
        self._brought = [0.0] * len(supplies)  # until when each of them has worked on what the core has taken
        self._written = [0.0] * (heads * self._chunks)  # from when on each chunk of Q3 may be read
        self._free = 0.0  # when the next plane may be taken
        self._taken: float | None = None  # when the last sample's planes were
        self._gradient = 0.0  # when the gradient unit is free
        self._begins: deque[float] = deque(maxlen=self._in_flight)  # of the last samples' gradients

    def _bring(self, chunks: slice, start: float) -> float:
        """Chunks of a sample, for its first head; gives the cycle in which all supplies have brought them.

        ``start``: the cycle from which on the core would take them.
        """
        self._brought = [
            max(brought, start - supply.ahead) + sum(supply.chunks[chunks])
            for brought, supply in zip(self._brought, self._supplies, strict=True)
        ]
        return max(self._brought, default=0.0)

    def _take(self, end: float, pace: int) -> float:
        """The planes of a sample for one head, which could end in cycle ``end``; gives the cycle in which they do.

        ``pace``: cycles that a chunk takes in the gradient unit.
        """
        if self._taken is not None:
            end = max(end, self._taken + self._least)
        if len(self._begins) == self._in_flight:
            end = max(end, self._begins[0])
        # The gradient unit accepts a sample when it begins the last chunk of the one before it
        self._begins.append(max(end + self._wait, self._gradient - self._planes))
        self._gradient = max(end + self._wait, self._gradient) + self._chunks * pace
        self._taken = self._free = end
        return end

    def _take_first(self, pace: int) -> list[float]:
        """The first sample of a mini-batch, chunk by chunk; gives the end of each head's planes."""
        ends = []
        for head in range(self._heads):
            for chunk in range(self._chunks):
                start = max(self._free, self._written[head * self._chunks + chunk])
                brought = 0.0 if head else self._bring(slice(chunk, chunk + 1), start)
                self._free = max(start + self._planes, brought)
            ends.append(self._take(self._free, pace))
        return ends

    def _take_last(self) -> list[float]:
        """The last sample of a mini-batch, if it is not the first; gives the end of each head's planes."""
        ends = []
        for head in range(self._heads):
            brought = 0.0 if head else self._bring(slice(None), self._free)
            ends.append(self._take(max(self._free + self._least, brought), self._pace))
        return ends

    def _skip(self, samples: int) -> None:
        """So many samples, 1 or more, between the first one of a mini-batch and the last."""
        count = samples * self._heads
        groups, rest = divmod(count, self._in_flight)
        pause = (self._heads - 1) * self._least
        self._brought = [
            max(brought, self._free - supply.ahead) + samples * supply.period(pause)
            for brought, supply in zip(self._brought, self._supplies, strict=True)
        ]
        self._free += max(count * self._least, groups * self._wait + rest * self._least)
        self._free = max(self._free, max(self._brought, default=0.0) + pause)
        self._gradient += count * self._chunks * self._planes
        self._taken = self._free

    def run(self, samples: int) -> float:
        """A mini-batch of so many samples; gives the cycle in which its last update is written."""
        before = self._written[-1] + (samples - 1) * self._heads * self._chunks * self._planes
        ends = self._take_first(self._pace if samples == 1 else self._planes)
        if samples > 1:
            if samples > 2:
                self._skip(samples - 2)
            ends = self._take_last()
        written = before
        for head, end in enumerate(ends):
            written = max(end + self._bubble, written + self._pace)
            for chunk in range(self._chunks):
                self._written[head * self._chunks + chunk] = written + chunk * self._pace
            written = self._written[(head + 1) * self._chunks - 1]
        return written


def epoch_cycles(
    build: Build,
    *,
    samples: int,
    features: int,
    base_planes: int,
    up_planes: int,
    batch: int,
    heads: int = 1,
    degree: int = 0,
    fast_memory: bool = False,
    supplies: Sequence[Supply] = (),
) -> int:
    """Cycles of an epoch in :class:`zipsgd_hw.datapath.core.TrainingCore`: to within a few if planes are always there, and to
    within two per cent if they come through ``supplies``.

    Parameters
    ----------
    build : Build
        Build parameters.
    samples : int
        Samples of the epoch.
    features : int
        Features of a sample, with the intercept.
    base_planes, up_planes : int
        Planes, p and m.
    batch : int
        Samples of a mini-batch.
    heads : int
        Models trained side by side.
    degree : int
        Degree of a polynomial loss, 0 for another loss.
    fast_memory : bool
        As of :class:`.GradientUnit`.
    supplies : sequence of Supply
        Stages through which samples come; none if planes are always there.

    Returns
    -------
    int
        A plane a cycle, and what is lost to: updates at the end of each mini-batch, update units of fewer lanes than the
        datapath, samples that are too short for the loss unit, and samples that fill the replay buffer.
    """
    schedule = _Schedule(
        build,
        features=features,
        base_planes=base_planes,
        up_planes=up_planes,
        heads=heads,
        degree=degree,
        fast_memory=fast_memory,
        supplies=supplies,
    )
    full, rest = divmod(samples, batch)
    ends = [schedule.run(batch) for _ in range(min(full, _SETTLED))]
    skipped = (full - len(ends)) * (ends[-1] - ends[-2]) if full > _SETTLED else 0.0
    if rest:
        ends.append(schedule.run(rest))
    return round(ends[-1] + skipped)
