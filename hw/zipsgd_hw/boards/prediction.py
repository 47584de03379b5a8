"""How long an epoch takes on a build, from its parameters alone."""

from collections import deque
from typing import Any

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import MAX_PAYLOAD
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout, heads_of_passes
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.gradient_unit import GradientUnit
from zipsgd_hw.datapath.loss_unit import LossUnit

__all__ = ["epoch_cycles", "predict_epoch"]

_FRAME_BYTES = MAX_PAYLOAD + 6 + 3 + 1
"""Bytes on the line of a full SAMPLES frame: kind, number, CRC; at most three code bytes of COBS; the closing zero."""
_UART_BITS = 10
"""Bits on the line a byte: start, eight, stop."""
_SETTLED = 4
"""Mini-batches after which each takes as long as the one before it."""


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
            words,
            LossUnit.spacing(degree),
            GradientUnit.spacing(fast_memory=fast_memory),
            2 * words + self._wait - build.replay_words,
        )
        self._pace = max(planes, build.lanes // build.update_lanes)
        self._written = [0] * (heads * self._chunks)  # from when on each chunk of Q3 may be read
        self._free = 0  # when the next plane may be taken
        self._taken: int | None = None  # when the last sample's planes were
        self._gradient = 0  # when the gradient unit is free
        self._begins: deque[int] = deque(maxlen=self._in_flight)  # of the last samples' gradients

    def _take(self, end: int, pace: int) -> int:
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

    def _take_first(self, pace: int) -> list[int]:
        """The first sample of a mini-batch, chunk by chunk; gives the end of each head's planes."""
        ends = []
        for head in range(self._heads):
            end = self._free
            for written in self._written[head * self._chunks : (head + 1) * self._chunks]:
                end = max(end, written) + self._planes
            ends.append(self._take(end, pace))
        return ends

    def _skip(self, count: int) -> None:
        """So many samples, each for one head, between the first one of a mini-batch and the last."""
        groups, rest = divmod(count, self._in_flight)
        self._free += max(count * self._least, groups * self._wait + rest * self._least)
        self._gradient += count * self._chunks * self._planes
        self._taken = self._free

    def run(self, samples: int) -> int:
        """A mini-batch of so many samples; gives the cycle in which its last update is written."""
        before = self._written[-1] + (samples - 1) * self._heads * self._chunks * self._planes
        ends = self._take_first(self._pace if samples == 1 else self._planes)
        if samples > 1:
            self._skip((samples - 2) * self._heads)
            ends = [self._take(self._free + self._least, self._pace) for _ in range(self._heads)]
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
) -> int:
    """Cycles of an epoch in :class:`zipsgd_hw.datapath.core.TrainingCore`, to within a few, if planes are always there.

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
    )
    full, rest = divmod(samples, batch)
    ends = [schedule.run(batch) for _ in range(min(full, _SETTLED))]
    skipped = (full - len(ends)) * (ends[-1] - ends[-2]) if full > _SETTLED else 0
    if rest:
        ends.append(schedule.run(rest))
    return ends[-1] + skipped


def _label_form(classes: bool, heads: int, labels: int, degree: int) -> LabelForm:
    """The form of the labels of a pass. Those of classes are numbers or signs, but for a polynomial loss they are scaled."""
    if not classes or labels > 1:
        return LabelForm.WORD
    if heads > 1:
        return LabelForm.BYTE
    return LabelForm.WORD if degree else LabelForm.SIGN


def predict_epoch(
    build: Build,
    *,
    samples: int,
    features: int,
    base_planes: int,
    up_planes: int,
    batch: int = 16,
    heads: int = 1,
    classes: bool = False,
    degree: int = 0,
    fast_memory: bool = False,
    link_baud: int | None = None,
) -> dict[str, Any]:
    """Seconds of an epoch: those of the link, those of the datapath, and which is longer.

    If the build has no room for all heads, they take turns, and the samples are sent once for each turn.

    Parameters
    ----------
    build : Build
        Build parameters.
    samples, features, base_planes, up_planes, batch, degree, fast_memory : int
        As of :func:`epoch_cycles`.
    heads : int
        Models to train, one for each class or output.
    classes : bool
        Whether the heads are classes. A pass with all of them needs only the number of a sample's class; otherwise each head
        has its own label.
    link_baud : int, optional
        Rate of a serial link in bits a second.

    Returns
    -------
    dict of str to int, float, str or None
        The parameters, the number of passes, bytes and cycles of a sample in all passes, and seconds of an epoch; the link's
        seconds are None if no rate is known.
    """
    cycles = size = 0
    passes = heads_of_passes(build, features, heads)
    for together in passes:
        cycles += epoch_cycles(
            build,
            samples=samples,
            features=features,
            base_planes=base_planes,
            up_planes=up_planes,
            batch=batch,
            heads=together,
            degree=degree,
            fast_memory=fast_memory,
        )
        labels = 1 if classes and together == heads else together
        form = _label_form(classes, together, labels, degree)
        size += SampleLayout(features, base_planes, up_planes, build.lanes, labels, True, form).size
    line_bytes = samples * size * _FRAME_BYTES / MAX_PAYLOAD
    link = line_bytes * _UART_BITS / link_baud if link_baud else None
    datapath = cycles / build.clock_hz
    return {
        "samples": samples,
        "features": features,
        "base_planes": base_planes,
        "up_planes": up_planes,
        "batch": batch,
        "heads": heads,
        "classes": classes,
        "passes": len(passes),
        "degree": degree,
        "fast_memory": fast_memory,
        "link_baud": link_baud,
        "bytes_per_sample": size,
        "cycles_per_sample": round(cycles / samples, 3),
        "link_seconds": link,
        "datapath_seconds": datapath,
        "seconds": max(datapath, link or 0.0),
        "bound_by": "link" if link is not None and link > datapath else "datapath",
    }
