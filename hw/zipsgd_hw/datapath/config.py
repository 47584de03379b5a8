"""What the parts of the datapath need to know of a run."""

from amaranth.lib import data
from amaranth.utils import bits_for

from zipsgd.protocol.formats import STEP_BITS, Build

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
    symmetric : double sampling with the symmetric estimator (m = 2).
    step_mantissa, step_exponent : of gamma / B.
    last_in_batch : samples of a mini-batch less one.
    transcoded : in builds with a transcoder.
    """
    return data.StructLayout(
        {
            "last_chunk": bits_for(max(1, build.max_chunks - 1)),
            "last_lane": bits_for(build.lanes - 1),
            "last_base": 3,
            "last_plane": 4,
            "up_planes": 2,
            "shift": 3,
            "symmetric": 1,
            "step_mantissa": STEP_BITS,
            "step_exponent": 2,
            "last_in_batch": bits_for(max(1, build.max_batch - 1)),
            **({"transcoded": 1} if build.level_bits else {}),
        }
    )
