"""The complete accelerator: epochs of mini-batches over quantised samples."""

from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Loss, Refetch

from .bound import score_bounds
from .diagonal import NO_GROWTH, Growth, Turns, grown
from .dot import dot, score_words
from .gradient import gradient, transcoded_gradient
from .levels import transcode
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
from .prox import NO_PROX, Phases, Prox, apply_prox, ball_shift
from .quantise import Codes
from .rounding import Int
from .run import RunConfig
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
        Integers: the master model to start from.
    config : RunConfig
        What the run is. Of ``p`` and ``m``, the codes of an epoch have their own.
    seed : int
        Of the device's random generators.
    epoch : int
        Number of the first epoch.

    Attributes
    ----------
    master : Int
        The model, shaped as ``model``.
    flags : int
        Bits of :class:`.Flag`: what saturated since the epoch began.
    doubts : list of bool
        Which samples of the epoch were left out.
    scores : list of Int of shape (samples of a mini-batch, heads)
        The scores of the epoch's samples in their order, see :func:`.dot.score_words`.
    """

    def __init__(
        self, build: Build, model: npt.ArrayLike, config: RunConfig, *, seed: int, epoch: int = 0
    ) -> None:
        self.build = build
        self.config = config
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
        self._turns: Turns | None = None
        self.flags = 0
        self.doubts: list[bool] = []
        self.scores: list[Int] = []
        self._update(np.zeros_like(np.atleast_2d(self.master)), NO_PROX)

    def _in_turn(self, growth: Growth, last: Int) -> npt.NDArray[np.bool_]:
        """Which features of each head grow, shape (heads, features), after a mini-batch whose last sample has the derivatives
        ``last``, shape (heads,)."""
        config = self.config
        if config.diagonal is None or not growth.shift:
            return np.zeros((config.heads, config.features), dtype=np.bool_)
        if self._turns is None:
            self._turns = Turns(growth)
        grows = np.ones_like(last) if config.loss == Loss.SQUARED else last
        return np.asarray((grows != 0)[:, None] & (config.diagonal.words > self._turns.next()))

    def _update(
        self,
        accumulated: Int,
        prox: Prox,
        growth: Growth = NO_GROWTH,
        in_turn: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        """Update all heads with gradients of shape (heads, features); the features in turn, of the same shape, grow."""
        inward = (
            ball_shift(self._q3[0], prox, self.build) if prox.ball_square else 0
        )  # from the model before the update
        shift, threshold = self._phases.next(prox, inward)
        start = self._update_lfsr.state
        if in_turn is None:
            in_turn = np.zeros(accumulated.shape, dtype=np.bool_)
        heads = []
        for master, total, grows in zip(np.atleast_2d(self.master), accumulated, in_turn, strict=True):
            self._update_lfsr.state = start
            heads.append(
                update(
                    master,
                    total,
                    self._update_lfsr,
                    self.build,
                    lambda x, draw: apply_prox(x, draw, shift, threshold, prox),
                    partial(grown, in_turn=grows, shift=growth.shift),
                )
            )
        self.master = np.reshape([master for master, _, _ in heads], self.master.shape)
        self._q3 = np.array([q3 for _, q3, _ in heads])
        for _, _, flags in heads:
            self.flags |= flags

    def _derivatives(self, z: Int, samples: Codes, labels: Int, p: int, prox: Prox) -> tuple[Int, int, int]:
        """Of the dot products ``z`` of a mini-batch's ``samples``, shape (samples, heads, m): derivatives, the sum of the loss,
        and flags."""
        config = self.config
        if config.polynomial is None:
            r, flags = residuals(z, labels, p, self.build)
            within, derivative = derivatives(r, labels, config.loss, self.build)
            if config.refetch:
                spared = prox.spare_last and prox.ball_square > 0
                bounds = score_bounds(self._q3[0], config.refetch, spared)
                certain = config.refetch == Refetch.CERTAIN
                reference = dot(replace(samples, m=0), self._q3[0]) if certain else z[:, 0]
                doubt = doubtful(reference[:, 0], labels[:, 0], p, bounds, self.build)
                self.doubts += doubt.tolist()
                within[doubt], derivative[doubt] = 0, 0
            return derivative, loss_sum(within, derivative), flags
        t, flags = arguments(z, labels, p, config.polynomial.reach, config.loss, self.build)
        words = config.polynomial.words(self.build)
        return *polynomial_loss(t, labels, config.loss, words, self.build), flags

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
            Step size over mini-batch size, proximal step and growth.

        Returns
        -------
        int
            Loss sum of the epoch, in units of :meth:`zipsgd.golden.run.RunConfig.loss_unit`.
        """
        total = 0
        config, levels, heads = self.config, self.config.levels, len(self._q3)
        for start in range(0, len(codes.labels), config.batch):
            part = slice(start, start + config.batch)
            samples = Codes(codes.base[part], codes.up[part], codes.labels[part], codes.p, codes.m)
            labels = targets(samples.labels.astype(np.int64), heads, config.one_against_all)
            if levels is None:
                p = codes.p
                z = np.stack([dot(samples, q3) for q3 in self._q3], axis=1)
            else:
                p = levels.bits
                quantised = transcode(samples, levels)
                z = np.stack(
                    [np.concatenate([dot(each, q3) for each in quantised], axis=1) for q3 in self._q3], axis=1
                )
            if config.scored:
                self.scores.append(score_words(z[:, :, 0]))
            derivative, loss, flags = self._derivatives(z, samples, labels, p, step.prox)
            total += loss
            delta, more = deltas(derivative, step, self._loss_lfsr, self.build)
            self.flags |= flags | more
            if levels is None:
                accumulated = [
                    gradient(samples, delta[:, h], config.one_sided, self.build) for h in range(heads)
                ]
            else:
                accumulated = [
                    transcoded_gradient(quantised, delta[:, h], config.one_sided, self.build)
                    for h in range(heads)
                ]
            in_turn = self._in_turn(step.growth, derivative[-1, :, 0])
            self._update(np.array(accumulated), step.prox, step.growth, in_turn)
        return total
