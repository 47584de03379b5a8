"""The update unit: Q4, the step, the proximal step, and Q3 (ZipML, section 2; ``docs/architecture.md``, Datapath)."""

from collections.abc import Callable

import numpy as np

from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Flag

from .lfsr import Lfsr
from .rounding import Int, align_draw, saturate, stochastic_round

__all__ = ["update"]


def update(
    master: Int,
    accumulated: Int,
    lfsr: Lfsr,
    build: Build,
    prox: Callable[[Int, Int], Int] = lambda master, draw: master,
    grow: Callable[[Int, Int], Int] = lambda master, draw: np.zeros_like(master),
) -> tuple[Int, Int, int]:
    """One model update, x <- prox(saturate(x + grow(x) - Q4(G))), and a new Q3(x).

    Parameters
    ----------
    master : npt.NDArray[np.int64] of shape (features,)
        Master model.
    accumulated : npt.NDArray[np.int64] of shape (features,)
        Gradient of the mini-batch; zeros to draw only a new Q3.
    lfsr : Lfsr
        One lane for each of the U update lanes. Value j is rounded by lane j mod U. Each lane draws once for each of its
        values, in order, up to the end of the last chunk (the padding after the last feature remains zero).
    build : Build
        Widths and binary points.
    prox : Callable[[Int, Int], Int]
        Proximal step, as a function of the master model and the draws of its values.
    grow : Callable[[Int, Int], Int]
        What corrects the bias of one quantisation, as a function of the same.

    Returns
    -------
    master : npt.NDArray[np.int64] of shape (features,)
        The new master model.
    q3 : npt.NDArray[np.int64] of shape (features,)
        The new rounded model.
    flags : int
        Bits of :class:`zipsgd.protocol.run.Flag`.
    """
    steps = build.chunks(master.size) * build.lanes // build.update_lanes
    bits = np.concatenate([lfsr.draw() for _ in range(steps)])[: master.size]
    rounded = stochastic_round(accumulated, build.q4_drop, align_draw(bits, build.q4_drop))
    rounded, flags = saturate(rounded, build.gradient_bits, Flag.GRADIENT)
    stepped = master + grow(master, bits) - (rounded << build.gradient_shift)
    master, flag = saturate(stepped, build.model_bits, Flag.MODEL)
    flags |= flag
    master = prox(master, bits)
    q3 = stochastic_round(master, build.q3_drop, align_draw(bits >> build.q4_drop, build.q3_drop))
    top = (1 << (build.q3_bits - 1)) - 1
    if np.any(q3 > top):
        flags |= Flag.Q3
    return master, np.minimum(q3, top), flags
