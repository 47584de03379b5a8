"""What a device counts in an epoch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["EpochCounts"]


@dataclass(frozen=True)
class EpochCounts:
    """What the device has counted since the counters were last cleared.

    Parameters
    ----------
    loss : int
        Loss sum, in units of :meth:`zipsgd.golden.run.RunConfig.loss_unit`.
    flags : int
        Sticky overflow flags, bits of :class:`zipsgd.protocol.run.Flag`.
    samples : int
        Samples that the device has trained on.
    cycles : int
        Clock cycles of an epoch.
    plane_cycles : int
        Cycles of an epoch in which a plane was taken.
    starved_cycles : int
        Cycles of an epoch in which the datapath was ready for a plane, but none had arrived.
    doubts : npt.NDArray[np.bool_] of shape (samples,), optional
        Which samples were left out; None for a run without refetching.
    scores : npt.NDArray[np.int64] of shape (samples, heads), optional
        The score of each sample and head; None for a run that is not scored.
    check : int
        The check of the samples that came from the store, see :meth:`zipsgd.protocol.store.StoreLayout.check`; 0 without one.
    """

    loss: int
    flags: int
    samples: int
    cycles: int
    plane_cycles: int
    starved_cycles: int
    doubts: npt.NDArray[np.bool_] | None = None
    scores: npt.NDArray[np.int64] | None = None
    check: int = 0
