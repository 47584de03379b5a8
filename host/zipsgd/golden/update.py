"""The update unit: Q4, the step, the proximal step, and Q3 (DESIGN section 4)."""

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
) -> tuple[Int, Int, int]:
    """One model update: x <- prox(saturate(x - Q4(G))), and a fresh Q3(x).

    Parameters
    ----------
    master : shape (features,): the master model.
    accumulated : shape (features,): the mini-batch's gradient; zero to renew Q3 only.
    lfsr : one lane for each update lane. Value j is rounded by lane j mod U; each lane draws once for each value, in order,
        and goes on to the end of the last chunk of ``lanes`` (the values behind the last feature are zero and stay so).
    prox : of the master and the draws of its values.

    Returns
    -------
    The new master, Q3 of it (both int64, shape (features,)), and the flags.
    """
    steps = build.chunks(master.size) * build.lanes // build.update_lanes
    bits = np.concatenate([lfsr.draw() for _ in range(steps)])[: master.size]
    rounded = stochastic_round(accumulated, build.q4_drop, align_draw(bits, build.q4_drop))
    rounded, flags = saturate(rounded, build.gradient_bits, Flag.GRADIENT)
    master, flag = saturate(master - (rounded << build.gradient_shift), build.model_bits, Flag.MODEL)
    flags |= flag
    master = prox(master, bits)
    q3 = stochastic_round(master, build.q3_drop, align_draw(bits >> build.q4_drop, build.q3_drop))
    top = (1 << (build.q3_bits - 1)) - 1
    if np.any(q3 > top):
        flags |= Flag.Q3
    return master, np.minimum(q3, top), flags
