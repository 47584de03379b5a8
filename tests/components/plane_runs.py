"""Shared parts of the datapath's benches: random runs, their samples, and the position of each plane word in a sample."""

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
    """The outputs of :class:`zipsgd_hw.datapath.position.PlanePosition` for one plane word: chunk, head and all flags."""

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
        """The flags as a word, see :func:`zipsgd_hw.datapath.bundles.plane_flags_layout`.

        Parameters
        ----------
        build : Build
            The build.

        Returns
        -------
        int
            The word.
        """
        return sum(getattr(self, str(name)) << field.offset for name, field in plane_flags_layout(build))

    @classmethod
    def from_flags(cls, build: Build, flags: int, **others: int) -> "Position":
        """The inverse of :meth:`flags`.

        Parameters
        ----------
        build : Build
            The build.
        flags : int
            The flags as a word.
        others : int
            The fields that are not flags: chunk and last head.

        Returns
        -------
        Position
            The outputs.
        """
        values = {
            str(name): flags >> field.offset & ((1 << field.width) - 1)
            for name, field in plane_flags_layout(build)
        }
        return cls(**values, **others)


@dataclass(frozen=True)
class PlaneRun:
    """A run as the datapath sees it.

    Parameters
    ----------
    build : Build
        The build.
    features : int
        Features of each head.
    p : int
        Base planes; for a transcoded run, bits of a level.
    m : int
        Up planes.
    transcoded : bool
        Whether the planes come from a transcoder.
    one_sided : bool
        Whether the gradient uses only one of the two orders.
    batch : int
        Samples of a mini-batch.
    heads : int
        Models trained side by side.
    one_against_all : bool
        Whether labels are class numbers.
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
        """int: Chunks of a head."""
        return self.build.chunks(self.features)

    @property
    def values(self) -> int:
        """int: Dot products of a sample."""
        return max(1, self.m)

    @property
    def planes(self) -> int:
        """int: Plane words of a chunk."""
        return self.p * self.values if self.transcoded else self.p + self.m

    def word(self, **others: int) -> int:
        """The value of the ``run`` port, see :func:`zipsgd_hw.datapath.config.run_layout`.

        Parameters
        ----------
        others : int
            Values of further fields. Fields without a value are random.

        Returns
        -------
        int
            The word.
        """
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
        """The positions of the words of a sample, in order.

        Parameters
        ----------
        by_head : bool
            Whether the sample is repeated for each head.

        Yields
        ------
        Position
            Position of each word.
        """
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
    """A random number from ``low`` to ``high``, which is one of the two limits in half of the cases.

    Parameters
    ----------
    low, high : int
        The limits.

    Returns
    -------
    int
        The number.
    """
    return random.choice([low, high, random.randint(low, high), random.randint(low, high)])


def random_plane_run(build: Build, *, transcoded: bool | None = None) -> PlaneRun:
    """A random run that the build supports. It often reaches limits of the build.

    Parameters
    ----------
    build : Build
        The build.
    transcoded : bool or None
        Whether the planes come from a transcoder; None for a random choice.

    Returns
    -------
    PlaneRun
        The run.
    """
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
    """Random numbers, or a pattern: all the lowest, all the highest, both in turns, all ones, or alternating bits."""
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
    """Samples with random or extreme values.

    Parameters
    ----------
    features : int
        Number of features.
    p, m : int
        Base planes and up planes.
    count : int
        Number of samples.

    Returns
    -------
    Codes
        The samples.
    """
    offset = level_offset(p)
    base = np.stack([_values(-offset, (1 << p) - 1 - offset, (features,)) for _ in range(count)])
    up = np.stack([_values(0, (1 << m) - 1, (features,)) for _ in range(count)])
    labels = _values(-(1 << 15), (1 << 15) - 1, (count,))
    return Codes(base.astype(np.int8), up.astype(np.uint8), labels.astype(np.int16), p, m)


def random_parts(run: PlaneRun, count: int) -> list[Codes]:
    """Random samples as the datapath sees them.

    Parameters
    ----------
    run : PlaneRun
        The run.
    count : int
        Number of samples.

    Returns
    -------
    list of Codes
        The samples; for a transcoded run an entry for each of the quantisations of a value.
    """
    if not run.transcoded:
        return [random_codes(run.features, run.p, run.m, count)]
    return [random_codes(run.features, run.p, 0, count) for _ in range(run.values)]


def plane_words(parts: Sequence[Codes], lanes: int) -> list[list[int]]:
    """The plane words of each sample, in the order in which the datapath takes them.

    Parameters
    ----------
    parts : sequence of Codes
        Samples from :func:`random_parts`.
    lanes : int
        Lanes of the build.

    Returns
    -------
    list of list of int
        Words by sample.
    """
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
    """The ports of a design under test as attributes, whose values are unsigned numbers.

    Parameters
    ----------
    dut : Any
        cocotb's handle of the design.
    names : str
        Names of the ports, without the prefix.
    prefix : str
        Common prefix of the ports.
    """

    def __init__(self, dut: Any, *names: str, prefix: str = "") -> None:
        self._handles = {name: getattr(dut, prefix + name) for name in names}

    def __getattr__(self, name: str) -> int:
        return int(self._handles[name].value)
