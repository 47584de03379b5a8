"""What the parts of the datapath need to know of a run."""

from amaranth.lib import data
from amaranth.utils import bits_for

from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import PHASE_BITS, STEP_BITS, THRESHOLD_BITS

__all__ = ["run_layout"]


def run_layout(build: Build) -> data.StructLayout:
    """Run-time configuration, derived once from the registers and constant during an epoch.

    Of a transcoded run, p is the bits of a level's value, and each of m values comes with base planes of its own.

    Members
    -------
    last_chunk : index of a sample's last chunk, ceil(n / L) - 1.
    last_lane : index of the last lane with a feature in the last chunk.
    last_base : index of the last base plane, p - 1.
    last_plane : index of the last plane, p + m - 1, or p * max(1, m) - 1 of a transcoded run.
    up_planes : m.
    shift : p_max - p.
    symmetric : double sampling with the symmetric estimator (m >= 2).
    step_mantissa, step_exponent : of gamma / B.
    last_in_batch : samples of a mini-batch less one.
    transcoded : in builds with a transcoder.
    loss : a :class:`.Loss`, in builds with a choice.
    polynomial : the loss is one; degree : of it; reach_shift : REACH_MAX less its reach; in builds with polynomial losses.
    last_spacing : fewest cycles from one sample's last plane to the next one's, less one; there as well.
    refetch : a :class:`.Refetch`, in builds with it.
    last_head, one_against_all : in builds with heads. final_chunk : of the last head, in model memory.
    shrink_shift, shrink_rate, threshold, bound, spare_last : of :class:`zipsgd.golden.prox.Prox`, in builds with a proximal
        step; ball_square likewise, in builds with a ball.
    """
    chunk = bits_for(max(1, build.max_chunks - 1))
    return data.StructLayout(
        {
            "last_chunk": chunk,
            "last_lane": bits_for(build.lanes - 1),
            "last_base": 3,
            "last_plane": 4,
            "up_planes": bits_for(build.m_max),
            "shift": 3,
            "symmetric": 1,
            "step_mantissa": STEP_BITS,
            "step_exponent": 2,
            "last_in_batch": bits_for(max(1, build.max_batch - 1)),
            **({"refetch": 2} if build.refetch else {}),
            **({"transcoded": 1} if build.level_bits else {}),
            **({"loss": 3} if build.losses else {}),
            **(
                {"polynomial": 1, "degree": 3, "reach_shift": 2, "last_spacing": 5}
                if build.polynomial
                else {}
            ),
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
                    "spare_last": 1,
                    **({"ball_square": 32} if build.ball else {}),
                }
                if build.prox
                else {}
            ),
        }
    )
