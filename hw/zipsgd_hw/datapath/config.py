"""What the parts of the datapath need to know of a run."""

from amaranth.lib import data
from amaranth.utils import bits_for

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import PHASE_BITS, RANGE_BITS, STEP_BITS, THRESHOLD_BITS

__all__ = ["run_layout"]

_POLYNOMIAL = {"polynomial": 1, "degree": 3, "reach_shift": 2, "last_spacing": 5}
"""Fields of a build with polynomial losses."""
_GROWTH = {
    "growth_shift": 4,
    "growth_range": RANGE_BITS,
    "growth_stride": RANGE_BITS,
    "growth_start": RANGE_BITS,
}
"""Fields of a build with a diagonal."""


def run_layout(build: Build) -> data.StructLayout:
    """Run-time configuration, derived from the registers and constant during an epoch.

    In a transcoded run, p is the number of bits of a level's value, and each of the m values has base planes of its own.

    Parameters
    ----------
    build : Build
        Build parameters; they determine the fields and their widths.

    Members
    -------
    last_chunk
        Index of a sample's last chunk, ceil(n / L) - 1.
    last_lane
        Index of the last lane with a feature in the last chunk.
    last_base
        Index of the last base plane, p - 1.
    last_plane : 4
        Index of a chunk's last plane: p + m - 1 or, in a transcoded run, p * max(1, m) - 1.
    up_planes
        m.
    shift
        p_max - p.
    symmetric : 1
        Double sampling with the symmetric estimator (m >= 2).
    step_mantissa : 16, step_exponent : 2
        Step size over mini-batch size, gamma / B = mantissa * 2^-(16 + 4 * exponent).
    last_in_batch
        Samples of a mini-batch, less one.
    intercept : 1, label_form : 2
        The last feature is not on the wire; a :class:`.LabelForm`.
    base_sent : 1
        Base planes are on the wire; in builds with a transcoder, as they always are in others.
    refetch : 2
        A :class:`.Refetch`; in builds with refetching.
    transcoded : 1
        Values are levels of the table; in builds with a transcoder.
    loss : 3
        A :class:`.Loss`; in builds with a choice of losses.
    polynomial : 1, degree : 3, reach_shift : 2, last_spacing : 5
        Whether the loss is a polynomial, its degree d, REACH_MAX less its reach, and the fewest cycles from one sample's last
        plane to the next one's, less one; in builds with polynomial losses.
    last_head, one_against_all : 1, final_chunk
        Index of the last head, whether a sample has one label for all heads, and the index of the last head's last chunk in
        model memory; in builds with heads.
    shrink_shift : 4, shrink_rate : 16, threshold : 32, bound, nonnegative : 1, spare_last : 1
        Of :class:`zipsgd.golden.prox.Prox`; in builds with a proximal step.
    ball_square : 32
        Of the same; in builds with a ball.
    growth_shift : 4, growth_range : 24, growth_stride : 24, growth_start : 24
        Of :class:`zipsgd.golden.diagonal.Growth`; in builds with a diagonal.
    """
    chunk = bits_for(max(1, build.max_chunks - 1))
    last_base = bits_for(max(1, build.p_max - 1))
    return data.StructLayout(
        {
            "last_chunk": chunk,
            "last_lane": bits_for(build.lanes - 1),
            "last_base": last_base,
            "last_plane": 4,
            "up_planes": bits_for(build.m_max),
            "shift": last_base,
            "symmetric": 1,
            "step_mantissa": STEP_BITS,
            "step_exponent": 2,
            "last_in_batch": bits_for(max(1, build.max_batch - 1)),
            "intercept": 1,
            "label_form": 2,
            **({"base_sent": 1} if build.level_bits else {}),
            **({"refetch": 2} if build.refetch else {}),
            **({"transcoded": 1} if build.level_bits else {}),
            **({"loss": 3} if build.losses else {}),
            **(_POLYNOMIAL if build.polynomial else {}),
            **(
                {"last_head": bits_for(build.heads - 1), "one_against_all": 1, "final_chunk": chunk}
                if build.heads > 1
                else {}
            ),
            **(
                {
                    "shrink_shift": 4,
                    "shrink_rate": PHASE_BITS,
                    "threshold": THRESHOLD_BITS,
                    "bound": build.model_bits - 1,
                    "nonnegative": 1,
                    "spare_last": 1,
                    **({"ball_square": 32} if build.ball else {}),
                }
                if build.prox
                else {}
            ),
            **(_GROWTH if build.diagonal else {}),
        }
    )
