"""The complete accelerator: epochs of mini-batches over quantised samples."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build, Loss, Refetch

from .bound import score_bounds
from .dot import dot
from .gradient import gradient, transcoded_gradient
from .levels import LevelTable, transcode
from .lfsr import Lfsr, seed_words
from .loss import (
    Step,
    arguments,
    deltas,
    derivatives,
    doubtful,
    loss_sum,
    polynomial_loss,
    residuals,
    targets,
)
from .polynomial import Polynomial
from .prox import NO_PROX, Phases, Prox, apply_prox, ball_shift
from .quantise import Codes
from .rounding import Int
from .update import update

__all__ = ["GoldenTrainer"]


class GoldenTrainer:
    """State of the device between epochs, and the effect of an epoch on it.

    All heads draw the same random numbers. So each head has the bits of a separate run.

    Parameters
    ----------
    build : Build
        Widths and limits.
    model : npt.ArrayLike of shape (features,) or (heads, features)
        Initial master model, as integers.
    seed : int
        Seed of the device's LFSRs.
    batch : int
        Samples of a mini-batch. The last mini-batch of an epoch may be smaller; its step per sample is the same.
    one_sided : bool
        Use the gradient Q_1 l'(z_2) instead of the symmetric mean.
    levels : LevelTable | None
        The levels that bases refer to; None for evenly spaced levels.
    loss : Loss
        The loss that is minimised.
    polynomial : Polynomial | None
        Derivative of a polynomial loss.
    refetch : Refetch
        Which samples are left out.
    one_against_all : bool
        Labels are class indices, and each head separates one class from the others.
    epoch : int
        Number of the first epoch.

    Attributes
    ----------
    master : npt.NDArray[np.int64]
        The model, with the shape of ``model``.
    flags : int
        Sticky flags, bits of :class:`zipsgd.protocol.formats.Flag`.
    doubts : list[bool]
        For each sample of the epoch, whether it was left out.
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
        loss: Loss = Loss.SQUARED,
        polynomial: Polynomial | None = None,
        refetch: Refetch = Refetch.NEVER,
        one_against_all: bool = False,
        epoch: int = 0,
    ) -> None:
        self.build = build
        self.levels = levels
        self.batch = batch
        self.one_sided = one_sided
        self.loss = loss
        self._polynomial = polynomial
        self._refetch = refetch
        self.one_against_all = one_against_all
        self.flags = 0
        self.master: Int = np.array(model, dtype=np.int64)
        self._q3: Int = np.zeros_like(np.atleast_2d(self.master))
        self._seed = seed
        self.start_epoch(epoch)

    def start_epoch(self, number: int) -> None:
        """Seed the LFSRs for an epoch, and draw Q3 from the master model. The constructor has already started the first epoch.

        Parameters
        ----------
        number : int
            Number of the epoch.
        """
        words = seed_words(self._seed, number, self.build.update_lanes)
        self._update_lfsr = Lfsr(words[:-1])
        self._loss_lfsr = Lfsr(words[-1:])
        self._phases = Phases()
        self.doubts: list[bool] = []
        self._update(np.zeros_like(np.atleast_2d(self.master)), NO_PROX)

    def _update(self, accumulated: Int, prox: Prox) -> None:
        """Update all heads with gradients of shape (heads, features)."""
        inward = (
            ball_shift(self._q3[0], prox, self.build) if prox.ball_square else 0
        )  # from the model before the update
        shift, threshold = self._phases.next(prox, inward)
        start = self._update_lfsr.state
        heads = []
        for master, total in zip(np.atleast_2d(self.master), accumulated, strict=True):
            self._update_lfsr.state = start
            heads.append(
                update(
                    master,
                    total,
                    self._update_lfsr,
                    self.build,
                    lambda x, draw: apply_prox(x, draw, shift, threshold, prox),
                )
            )
        self.master = np.reshape([master for master, _, _ in heads], self.master.shape)
        self._q3 = np.array([q3 for _, q3, _ in heads])
        for _, _, flags in heads:
            self.flags |= flags

    def _derivatives(self, z: Int, samples: Codes, labels: Int, p: int, prox: Prox) -> tuple[Int, int, int]:
        """Derivatives, loss sum and flags of a mini-batch with dot products ``z`` of shape (samples, heads, m)."""
        if self._polynomial is None:
            r, flags = residuals(z, labels, p, self.build)
            within, derivative = derivatives(r, labels, self.loss, self.build)
            if self._refetch:
                spared = prox.spare_last and prox.ball_square > 0
                bounds = score_bounds(self._q3[0], self._refetch, spared)
                certain = self._refetch == Refetch.CERTAIN
                reference = dot(replace(samples, m=0), self._q3[0]) if certain else z[:, 0]
                doubt = doubtful(reference[:, 0], labels[:, 0], p, bounds, self.build)
                self.doubts += doubt.tolist()
                within[doubt], derivative[doubt] = 0, 0
            return derivative, loss_sum(within, derivative), flags
        t, flags = arguments(z, labels, p, self._polynomial.reach, self.loss, self.build)
        words = self._polynomial.words(self.build)
        return *polynomial_loss(t, labels, self.loss, words, self.build), flags

    @property
    def q3(self) -> Int:
        """npt.NDArray[np.int64]: The rounded model that the dot product reads, with the shape of ``master``."""
        return self._q3.reshape(self.master.shape)

    def epoch(self, codes: Codes, step: Step) -> int:
        """Train on samples in their order.

        Parameters
        ----------
        codes : Codes
            The samples of the epoch.
        step : Step
            Step size over mini-batch size, and proximal step.

        Returns
        -------
        int
            Loss sum of the epoch, in units of :meth:`zipsgd.golden.run.RunConfig.loss_unit`.
        """
        total = 0
        heads = len(self._q3)
        for start in range(0, len(codes.labels), self.batch):
            part = slice(start, start + self.batch)
            samples = Codes(codes.base[part], codes.up[part], codes.labels[part], codes.p, codes.m)
            labels = targets(samples.labels.astype(np.int64), heads, self.one_against_all)
            if self.levels is None:
                p = codes.p
                z = np.stack([dot(samples, q3) for q3 in self._q3], axis=1)
            else:
                p = self.levels.bits
                quantised = transcode(samples, self.levels)
                z = np.stack(
                    [np.concatenate([dot(each, q3) for each in quantised], axis=1) for q3 in self._q3], axis=1
                )
            derivative, loss, flags = self._derivatives(z, samples, labels, p, step.prox)
            total += loss
            delta, more = deltas(derivative, step, self._loss_lfsr, self.build)
            self.flags |= flags | more
            if self.levels is None:
                accumulated = [
                    gradient(samples, delta[:, h], self.one_sided, self.build) for h in range(heads)
                ]
            else:
                accumulated = [
                    transcoded_gradient(quantised, delta[:, h], self.one_sided, self.build)
                    for h in range(heads)
                ]
            self._update(np.array(accumulated), step.prox)
        return total
