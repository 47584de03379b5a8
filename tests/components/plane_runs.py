"""What the datapath's benches share: runs as the datapath sees them, and where in a sample each plane word stands."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from zipsgd.golden.quantise import Codes, level_offset
from zipsgd.golden.weave import planes
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.bundles import plane_flags_layout
from zipsgd_hw.datapath.config import run_layout

__all__ = [
    "PlaneRun",
    "Ports",
    "Position",
    "plane_words",
    "random_codes",
    "random_parts",
    "random_plane_run",
    "weighted",
]


class Position(NamedTuple):
    """Outputs of :class:`zipsgd_hw.datapath.position.PlanePosition`, for one plane word: chunk, head and all flags."""

    chunk: int
    last_head: int
    first_plane: int
    last_plane: int
    sign: int
    base: int
    last_base: int
    number: int
    first_chunk: int
    last_chunk: int
    last_word: int

    def flags(self, build: Build) -> int:
        """The flags as a word, see :func:`zipsgd_hw.datapath.bundles.plane_flags_layout`."""
        return sum(getattr(self, str(name)) << field.offset for name, field in plane_flags_layout(build))

    @classmethod
    def from_flags(cls, build: Build, flags: int, **others: int) -> "Position":
        """The inverse of :meth:`flags`; ``others``: chunk and head."""
        values = {
            str(name): flags >> field.offset & ((1 << field.width) - 1)
            for name, field in plane_flags_layout(build)
        }
        return cls(**values, **others)


@dataclass(frozen=True)
class PlaneRun:
    """A run as the datapath sees it.

    ``p``: base planes or, of a transcoded run, bits of a level; ``features``: of each head.
    """

    build: Build
    features: int
    p: int
    m: int
    transcoded: bool = False
    one_sided: bool = False
    batch: int = 1
    heads: int = 1
    one_against_all: bool = False

    @property
    def chunks(self) -> int:
        return self.build.chunks(self.features)

    @property
    def values(self) -> int:
        """Dot products of a sample."""
        return max(1, self.m)

    @property
    def planes(self) -> int:
        """Plane words of a chunk."""
        return self.p * self.values if self.transcoded else self.p + self.m

    def word(self, **others: int) -> int:
        """The ``run`` port, see :func:`zipsgd_hw.datapath.config.run_layout`; what is said nowhere is random."""
        values = {
            "last_chunk": self.chunks - 1,
            "last_lane": (self.features - 1) % self.build.lanes,
            "last_base": (self.p - 1) % 8,
            "last_plane": self.planes - 1,
            "up_planes": self.m,
            "shift": (self.build.p_max - self.p) % 8,
            "symmetric": int(self.m > 1 and not self.one_sided),
            "last_in_batch": self.batch - 1,
            "transcoded": int(self.transcoded),
            "last_head": self.heads - 1,
            "one_against_all": int(self.one_against_all),
            "final_chunk": self.heads * self.chunks - 1,
            **others,
        }
        return sum(
            values.get(str(name), random.getrandbits(field.width)) << field.offset
            for name, field in run_layout(self.build)
        )

    def positions(self, *, by_head: bool = False) -> Iterator[Position]:
        """Where each word of a sample stands, in order; ``by_head``, of a sample that comes for every head."""
        heads = self.heads if by_head else 1
        for head in range(heads):
            for chunk in range(self.chunks):
                for plane in range(self.planes):
                    value, bit = divmod(plane, self.p)
                    base = self.transcoded or plane < self.p
                    last_plane, last_chunk = plane == self.planes - 1, chunk == self.chunks - 1
                    yield Position(
                        head * self.chunks + chunk,
                        int(head == heads - 1),
                        int(plane == 0),
                        int(last_plane),
                        int(base and bit == 0),
                        int(base),
                        int(base and bit == self.p - 1),
                        value if self.transcoded else max(0, plane - self.p),
                        int(chunk == 0),
                        int(last_chunk),
                        int(last_plane and last_chunk),
                    )


def weighted(low: int, high: int) -> int:
    """A number from ``low`` to ``high``: one of the ends in half of the cases."""
    return random.choice([low, high, random.randint(low, high), random.randint(low, high)])


def random_plane_run(build: Build, *, transcoded: bool | None = None) -> PlaneRun:
    """Any run that a host may ask for; every limit of the build is met often."""
    if transcoded is None:
        transcoded = build.level_bits > 0 and random.random() < 0.5
    p = weighted(2, build.level_bits) if transcoded else weighted(1, build.p_max)
    m = weighted(0, 2 if transcoded else build.m_max)
    planes = p * max(1, m) if transcoded else p + m
    chunks = weighted(1, min(build.max_chunks, build.replay_words // planes))
    return PlaneRun(
        build,
        (chunks - 1) * build.lanes + weighted(1, build.lanes),
        p,
        m,
        transcoded,
        random.random() < 0.5,
        weighted(1, build.max_batch),
        weighted(1, min(build.heads, build.max_chunks // chunks)),
        build.heads > 1 and random.random() < 0.5,
    )


def _values(low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of one kind: the least, the greatest, these in turns, all ones, alternating bits, or random."""
    alternating = 0x55555555 & ((1 << (high - low).bit_length()) - 1)
    kinds = [
        [low],
        [high],
        [low, high],
        [min(max(-1, low), high)],
        [low + alternating, high - alternating],
    ]
    if random.random() < 0.6:
        numbers = np.random.default_rng(random.getrandbits(32))
        return numbers.integers(low, high + 1, shape)
    return np.resize(random.choice(kinds), shape)


def random_codes(features: int, p: int, m: int, count: int) -> Codes:
    """Samples that are random or have one of the extreme values everywhere, each on its own."""
    offset = level_offset(p)
    base = np.stack([_values(-offset, (1 << p) - 1 - offset, (features,)) for _ in range(count)])
    up = np.stack([_values(0, (1 << m) - 1, (features,)) for _ in range(count)])
    labels = _values(-(1 << 15), (1 << 15) - 1, (count,))
    return Codes(base.astype(np.int8), up.astype(np.uint8), labels.astype(np.int16), p, m)


def random_parts(run: PlaneRun, count: int) -> list[Codes]:
    """Samples as the datapath sees them: their codes or, transcoded, those of each value."""
    if not run.transcoded:
        return [random_codes(run.features, run.p, run.m, count)]
    return [random_codes(run.features, run.p, 0, count) for _ in range(run.values)]


def plane_words(parts: Sequence[Codes], lanes: int) -> list[list[int]]:
    """Of each sample the words that go through the datapath; ``parts`` as :func:`random_parts` gives them."""
    bits = np.concatenate([planes(codes) for codes in parts], axis=1)
    count, rows, features = bits.shape
    chunks = -(-features // lanes)
    padded = np.zeros((count, rows, chunks * lanes), dtype=np.uint8)
    padded[:, :, :features] = bits
    by_chunk = padded.reshape(count, rows, chunks, lanes).transpose(0, 2, 1, 3).reshape(count, -1, lanes)
    return [
        [int.from_bytes(np.packbits(word, bitorder="little").tobytes(), "little") for word in sample]
        for sample in by_chunk
    ]


class Ports:
    """Ports of ``dut`` by name, without ``prefix``; each as an unsigned number."""

    def __init__(self, dut: Any, *names: str, prefix: str = "") -> None:
        self._handles = {name: getattr(dut, prefix + name) for name in names}

    def __getattr__(self, name: str) -> int:
        return int(self._handles[name].value)
