"""The accelerator as a whole: epochs of mini-batches over quantised samples."""

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build

from .dot import dot
from .gradient import gradient, pair_gradient
from .levels import LevelTable, transcode
from .lfsr import Lfsr, seed_words
from .loss import Step, deltas, residuals, squared_loss
from .quantise import Codes
from .rounding import Int
from .update import update

__all__ = ["GoldenTrainer"]


class GoldenTrainer:
    """State of the device between epochs, and what an epoch does to it.

    Parameters
    ----------
    build : widths and limits.
    model : shape (features,), integers: the master model to start from.
    seed : of the device's LFSRs.
    batch : samples of a mini-batch. The last one of an epoch may be smaller; its step per sample is the same.
    one_sided : g = Q_1 l'(z_2) rather than the symmetric mean.
    levels : what the codes number; None for even levels.
    """

    def __init__(
        self,
        build: Build,
        model: npt.ArrayLike,
        *,
        seed: int,
        batch: int,
        one_sided: bool = False,
        levels: LevelTable | None = None,
    ) -> None:
        self.build = build
        self.levels = levels
        self.batch = batch
        self.one_sided = one_sided
        self.flags = 0
        self.master: Int = np.array(model, dtype=np.int64)
        self._seed = seed
        self.start_epoch(0)

    def start_epoch(self, number: int) -> None:
        """Seed the LFSRs for an epoch, and draw Q3 from the master model. The first epoch has been started."""
        words = seed_words(self._seed, number, self.build.update_lanes)
        self._update_lfsr = Lfsr(words[:-1])
        self._loss_lfsr = Lfsr(words[-1:])
        self._update(np.zeros_like(self.master))

    def _update(self, accumulated: Int) -> None:
        self.master, self.q3, flags = update(self.master, accumulated, self._update_lfsr, self.build)
        self.flags |= flags

    def epoch(self, codes: Codes, step: Step) -> int:
        """Train on ``codes`` in order; returns their loss sum, in units of 2^-(2 * residual_frac)."""
        total = 0
        for start in range(0, codes.labels.size, self.batch):
            part = slice(start, start + self.batch)
            samples = Codes(codes.base[part], codes.up[part], codes.labels[part], codes.p, codes.m)
            if self.levels is None:
                p = codes.p
                z = dot(samples, self.q3)
            else:
                p = self.levels.bits
                quantised = transcode(samples, self.levels)
                z = np.concatenate([dot(each, self.q3) for each in quantised], axis=1)
            r, flags = residuals(z, samples.labels.astype(np.int64), p, self.build)
            total += squared_loss(r)
            delta, more = deltas(r, step, self._loss_lfsr, self.build)
            self.flags |= flags | more
            if self.levels is None:
                self._update(gradient(samples, delta, self.one_sided, self.build))
            else:
                self._update(pair_gradient(quantised, delta, self.one_sided, self.build))
        return total
