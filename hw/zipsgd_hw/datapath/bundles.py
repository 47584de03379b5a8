"""Bundles of signals that several units of the datapath share."""

from amaranth import signed
from amaranth.lib import data
from amaranth.lib.wiring import Out, Signature

from zipsgd.protocol.formats import Build

from .config import run_layout

__all__ = [
    "BATCH_MARKS",
    "EPOCH_COUNTERS",
    "chunk_shape",
    "deltas_layout",
    "gradient_signature",
    "plane_flags_layout",
    "q3_signature",
    "sample_marks_layout",
    "score_bounds_layout",
    "scores_signature",
    "tells_active",
]

BATCH_MARKS = data.StructLayout({"first_of_batch": 1, "last_of_batch": 1})
"""Whether a sample is the first or the last one of its mini-batch."""


def tells_active(build: Build) -> bool:
    """Whether the loss unit tells which samples are active, whose derivative is not 0.

    A build with a diagonal needs to know. Without a hinge, all samples are active.
    """
    return bool(build.diagonal and build.hinge)


def sample_marks_layout(build: Build) -> data.StructLayout:
    """What the gradient unit needs to know of a sample besides its deltas.

    Members
    -------
    first_of_batch, last_of_batch : 1
        As of :data:`BATCH_MARKS`.
    active : 1
        The derivative of the sample's last dot product is not 0; where the build :func:`tells_active`.
    """
    return data.StructLayout({**BATCH_MARKS.members, **({"active": 1} if tells_active(build) else {})})


EPOCH_COUNTERS = Signature(
    {"cycles": Out(48), "plane_cycles": Out(48), "starved_cycles": Out(48), "samples_done": Out(32)}
)
"""Counts since the last clear.

``cycles`` of epochs under way; of these, ``plane_cycles`` in which a plane was taken, and ``starved_cycles`` in which one could
have been taken and none was there; ``samples_done``, samples whose gradient is complete.
"""


def chunk_shape(build: Build):
    """Shape of a chunk's index."""
    return run_layout(build)["last_chunk"].shape


def plane_flags_layout(build: Build) -> data.StructLayout:
    """Where a plane word stands in its sample.

    Members
    -------
    first_plane, last_plane : 1
        First and last plane of the chunk.
    sign, last_base : 1
        First and last base plane of a value: of the chunk or, in a transcoded run, of each quantisation.
    base : 1
        The word is a base plane; else it is an up plane.
    number : range(m_max)
        Index of the quantisation, from 0: of an up plane or, in a transcoded run, of a base plane.
    first_chunk, last_chunk, last_word : 1
        First and last chunk, and last word, of the sample.
    """
    return data.StructLayout(
        {
            "first_plane": 1,
            "last_plane": 1,
            "sign": 1,
            "base": 1,
            "last_base": 1,
            "number": range(build.m_max),
            "first_chunk": 1,
            "last_chunk": 1,
            "last_word": 1,
        }
    )


def scores_signature(build: Build) -> Signature:
    """Dot products of a sample: z_1, z_2 and so on in consecutive cycles.

    Members
    -------
    valid : Out(1)
        A z is there.
    last : Out(1)
        It is the last one of its sample.
    z : Out(signed(z_bits))
        The score, in units of the run's last base plane times Q3's last bit.
    base_z : Out(signed(z_bits))
        k^T Q3, the base planes' part, with z_1; in the same units.
    """
    z = signed(build.z_bits)
    return Signature({"valid": Out(1), "last": Out(1), "z": Out(z), "base_z": Out(z)})


def score_bounds_layout(build: Build) -> data.ArrayLayout:
    """How far a score may lie below its reference, and above: :func:`zipsgd.golden.bound.score_bounds`."""
    return data.ArrayLayout(build.bound_bits, 2)


def deltas_layout(build: Build) -> data.ArrayLayout:
    """delta_1 and delta_2 of a sample, rounded."""
    return data.ArrayLayout(signed(build.delta_bits), 2)


def gradient_signature(build: Build) -> Signature:
    """The gradient of a mini-batch, chunk by chunk.

    Members
    -------
    ends : Out(1)
        In the next cycle ``accumulators`` hold this chunk's gradient. Two of them are at least L / U cycles apart, and
        ``accumulators`` stay for as long.
    chunk : Out(range(max_chunks))
        Index of the chunk, with ``ends``.
    last_chunk : Out(1)
        It is its head's last chunk, with ``ends``.
    active : Out(1)
        The mini-batch's last sample is active for the chunk's head, with ``ends``; where the build :func:`tells_active`.
    accumulators : Out(ArrayLayout(signed(accumulator_bits), L))
        The exact sums, a lane each.
    """
    return Signature(
        {
            "ends": Out(1),
            "chunk": Out(chunk_shape(build)),
            "last_chunk": Out(1),
            **({"active": Out(1)} if tells_active(build) else {}),
            "accumulators": Out(data.ArrayLayout(signed(build.accumulator_bits), build.lanes)),
        }
    )


def q3_signature(build: Build) -> Signature:
    """Writes of Q3(x), U entries of a chunk a cycle.

    Members
    -------
    write : Out(L / U)
        A bit for each U entries of the chunk: these are written.
    chunk : Out(range(max_chunks))
        Index of the chunk.
    words : Out(ArrayLayout(signed(q3_bits), U))
        The entries.
    done : Out(1)
        This write completes the chunk.
    last : Out(1)
        The chunk is the last one of all heads.
    """
    return Signature(
        {
            "write": Out(build.lanes // build.update_lanes),
            "chunk": Out(chunk_shape(build)),
            "words": Out(data.ArrayLayout(signed(build.q3_bits), build.update_lanes)),
            "done": Out(1),
            "last": Out(1),
        }
    )
