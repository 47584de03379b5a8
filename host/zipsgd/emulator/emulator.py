"""The emulator's state between epochs, and the inputs of the compiled functions."""

import numpy as np
import numpy.typing as npt

from zipsgd.fixed_rows import FixedRows
from zipsgd.golden.dot import score_words
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.prox import NO_PROX
from zipsgd.golden.quantise import Codes, level_offset
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, REACH_MAX, STEP_EXP_MAX

from .epochs import epoch_codes, epoch_rows, polynomial_codes, polynomial_rows
from .quantisations import row_keys
from .state import FLAGS, LOSS_HIGH, LOSS_LOW, TURN, Int, Run, State, Vector
from .update import update

__all__ = ["Emulator"]


class Emulator:
    """The state of a device between epochs, and the effect of an epoch on it.

    The bits are those of :class:`zipsgd.golden.trainer.GoldenTrainer`.

    Parameters
    ----------
    build : Build
        Widths and limits.
    model : npt.ArrayLike of shape (features,) or (heads, features)
        Integers: the master model to start from.
    config : RunConfig
        What the run is.
    seed : int
        Of the device's random generators.
    epoch : int
        Number of the first epoch.

    Attributes
    ----------
    master, q3 : Int
        The model, and its rounded copy, shaped as ``model`` (copies of the emulator's own).
    flags : int
        Bits of :class:`~zipsgd.protocol.run.Flag`: what saturated since the epoch began.
    """

    def __init__(
        self, build: Build, model: npt.ArrayLike, config: RunConfig, *, seed: int, epoch: int = 0
    ) -> None:
        start = np.array(model, dtype=np.int64)
        if start.ndim not in (1, 2) or not 1 <= start.size <= build.max_features:
            raise ValueError(
                f"the model must have 1 to {build.max_features} features in total and the shape (features,) or "
                f"(heads, features), not {start.shape}"
            )
        if not 1 <= config.batch <= build.max_batch:
            raise ValueError(f"batch must be in 1..{build.max_batch}, not {config.batch}")
        p, m = config.p, config.m
        if config.levels is None and not (1 <= p <= build.p_max and 0 <= m <= build.m_max):
            raise ValueError(f"p must be in 1..{build.p_max} and m in 0..{build.m_max}, not {p} and {m}")
        self.build = build
        self.config = config
        levels, polynomial = config.levels, config.polynomial
        self._table = np.zeros((1, 2), np.int16) if levels is None else levels.values
        words = None if polynomial is None else polynomial.words(build)
        self._shape = start.shape
        self._heads, self._features = np.atleast_2d(start).shape
        self._fixed = FixedRows()
        self._room = build.chunks(self._features) * build.lanes
        padded = self._heads * self._room
        self._seed = seed
        self._state = State(
            master=np.pad(np.atleast_2d(start), ((0, 0), (0, self._room - self._features))).ravel(),
            q3=np.zeros(padded, dtype=self._word()),
            accumulated=np.zeros(padded, dtype=self._word()),
            draws=np.zeros(padded, dtype=np.int64),
            update_lfsr=np.zeros(build.update_lanes, dtype=np.int64),
            loss_lfsr=np.zeros(1, dtype=np.int64),
            derivative=np.array([] if words is None else words.derivative, dtype=np.int64),
            loss=np.array([] if words is None else words.loss, dtype=np.int64),
            totals=np.zeros(3, dtype=np.int64),
            phases=np.zeros(3, dtype=np.int64),
            variances=self._variances(),
            growths=np.zeros(padded, dtype=np.int64),
            actives=np.zeros(self._heads, dtype=np.bool_),
            doubts=np.zeros(0, dtype=np.bool_),
            scores=np.zeros(0, dtype=np.int64),
        )
        self._run = self._constants()
        self.start_epoch(epoch)

    def start_epoch(self, number: int) -> None:
        """Seed the LFSRs for an epoch, and draw Q3 from the master model. The constructor has already started the first epoch.

        Parameters
        ----------
        number : int
            Number of the epoch.
        """
        words = seed_words(self._seed, number, self.build.update_lanes)
        self._state.update_lfsr[:] = words[:-1]
        self._state.loss_lfsr[:] = words[-1:]
        self._state.phases[:] = 0
        self._state.totals[:] = 0
        self._doubts: list[npt.NDArray[np.bool_]] = []
        self._scores: list[Int] = []
        self._turned = False
        update(self._run, self._state)

    @property
    def master(self) -> Int:
        """npt.NDArray[np.int64]: A copy of the master model, with the shape of ``model``."""
        return self._unpadded(self._state.master)

    @property
    def q3(self) -> Int:
        """npt.NDArray[np.int64]: A copy of the rounded model, with the shape of ``model``."""
        return self._unpadded(self._state.q3)

    def _unpadded(self, words: Vector) -> Int:
        """A copy of the heads' features, without padding."""
        heads = words.reshape(self._heads, self._room)[:, : self._features]
        return heads.reshape(self._shape).astype(np.int64)

    @property
    def flags(self) -> int:
        """int: Sticky overflow flags, bits of :class:`zipsgd.protocol.run.Flag`."""
        return int(self._state.totals[FLAGS])

    @property
    def doubts(self) -> npt.NDArray[np.bool_] | None:
        """Which samples of the epoch were left out, or None of a run that leaves none."""
        return np.concatenate(self._doubts) if self.config.refetch else None

    @property
    def scores(self) -> Int | None:
        """Scores of the epoch's samples, shape (samples, heads), or None of a run that does not keep them."""
        if not self.config.scored:
            return None
        return score_words(np.concatenate(self._scores).reshape(-1, self._heads))

    def adopt(self, other: "Emulator") -> None:
        """Take over the fixed-point numbers that ``other`` keeps of its values."""
        self.keep_in(other._fixed)

    def keep_in(self, rows: FixedRows) -> None:
        """Keep values as fixed-point numbers in a place that outlives this emulator.

        Parameters
        ----------
        rows : FixedRows
            The place.
        """
        self._fixed = rows

    def epoch_codes(self, codes: Codes, step: Step) -> int:
        """Train on quantised samples in their order.

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

        Raises
        ------
        ValueError
            The codes do not match the model, or the build does not support their planes.
        """
        if codes.base.shape[1] != self._features:
            raise ValueError(f"the codes have {codes.base.shape[1]} features, the model {self._features}")
        if (codes.p, codes.m) != (self.config.p, self.config.m):
            raise ValueError(
                f"the codes have p = {codes.p} and m = {codes.m}, the run p = {self.config.p} and m = {self.config.m}"
            )
        run = self._begin(step, len(codes.labels))
        train = epoch_codes if self.config.polynomial is None else polynomial_codes
        train(
            np.ascontiguousarray(codes.base),
            np.ascontiguousarray(codes.up),
            self._labels(codes.labels),
            self._table,
            run,
            self._state,
        )
        return self._loss()

    def epoch_rows(
        self,
        values: npt.NDArray[np.float32],
        labels: npt.NDArray[np.int16],
        order: npt.ArrayLike,
        *,
        seed: int,
        epoch: int,
        step: Step,
    ) -> int:
        """Quantise and train in one pass.

        The result is that of :meth:`epoch_codes` with the golden model's ``quantise(values[order], ..., rows=order)``.

        Parameters
        ----------
        values : features in [-1, 1], shape (rows, features).
        labels : shape (rows,), in units of 2^-15 or numbers of classes; or (rows, heads), one for each head.
        order : row numbers, the samples of the epoch in order.
        seed, epoch : decide the up bits, with the row numbers.
        step : step size over mini-batch size.

        Returns
        -------
        int
            Loss sum of the epoch, in units of :meth:`zipsgd.golden.run.RunConfig.loss_unit`.

        Raises
        ------
        ValueError
            The shapes do not match, a row number or a value is out of range, or the build does not support ``p`` or ``m``.
        """
        rows = np.asarray(order, dtype=np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(labels) == values.shape[0]:
            raise ValueError(f"order must name rows of {values.shape[0]} values and as many labels")
        p, m = self.config.p, self.config.m
        run = self._begin(step, rows.size)
        if values.ndim != 2 or values.shape[1] != self._features:
            raise ValueError(
                f"values must have the shape (rows, {self._features}) to match the model, not {values.shape}"
            )
        train = epoch_rows if self.config.polynomial is None else polynomial_rows
        train(
            self._fixed.of(values, p, self.config.levels),
            self._labels(labels),
            rows,
            row_keys(seed & 0xFFFF_FFFF, seed >> 32, epoch, rows, (max(1, m) + 1) // 2),
            self._table,
            (1 << p) - 1 - level_offset(p),
            run,
            self._state,
        )
        return self._loss()

    def _labels(self, labels: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """The labels in the form that the compiled functions take: shape (samples, labels per sample)."""
        return np.ascontiguousarray(labels, dtype=np.int16).reshape(
            len(labels), 1 if self.config.one_against_all else self._heads
        )

    def _begin(self, step: Step, samples: int) -> Run:
        """Constants of a run on ``samples``; also makes room for their doubts and scores."""
        self._state = self._state._replace(
            doubts=np.zeros(samples, dtype=np.bool_),
            scores=np.zeros(samples * self._heads if self.config.scored else 0, dtype=np.int64),
        )
        self._doubts.append(self._state.doubts)
        self._scores.append(self._state.scores)
        self._state.totals[LOSS_LOW] = self._state.totals[LOSS_HIGH] = 0
        prox, growth = step.prox, step.growth
        if not self._turned:
            self._state.phases[TURN], self._turned = growth.start, True
        return self._run._replace(
            mantissa=step.mantissa,
            step_shift=4 * (STEP_EXP_MAX - step.exponent),
            prox=prox != NO_PROX,
            shrink_shift=prox.shrink_shift,
            shrink_rate=prox.shrink_rate,
            threshold=prox.threshold,
            bound=prox.bound,
            nonnegative=prox.nonnegative,
            spare_last=prox.spare_last,
            ball=prox.ball_square << self.build.ball_drop,
            growth_shift=growth.shift,
            growth_range=growth.range,
            growth_stride=growth.stride,
        )

    def _constants(self) -> Run:
        """Constants of all runs, with a step of 0."""
        build, config = self.build, self.config
        levels, polynomial = config.levels, config.polynomial
        value_bits = self._value_bits
        return Run(
            features=self._features,
            heads=self._heads,
            one_against_all=config.one_against_all,
            m=config.m,
            batch=config.batch,
            symmetric=config.m >= 2 and not config.one_sided,
            loss=int(config.loss),
            one=1 << build.residual_frac,
            degree=config.degree,
            refetch=int(config.refetch),
            reach_shift=0 if polynomial is None else REACH_MAX - polynomial.reach,
            argument_bits=build.residual_bits - 1,
            level_offset=-1 if levels is None else level_offset(config.p),
            z_shift=build.z_shift(value_bits),
            label_shift=build.residual_frac - LABEL_FRAC,
            residual_limit=1 << (build.residual_bits - 1),
            mantissa=0,
            step_shift=4 * STEP_EXP_MAX,
            delta_drop=build.delta_drop,
            delta_limit=(1 << (build.delta_bits - 1)) - 1,
            gradient_lift=build.p_max - value_bits,
            q4_drop=build.q4_drop,
            gradient_limit=1 << (build.gradient_bits - 1),
            gradient_shift=build.gradient_shift,
            model_limit=1 << (build.model_bits - 1),
            q3_drop=build.q3_drop,
            q3_top=(1 << (build.q3_bits - 1)) - 1,
            prox=False,
            shrink_shift=0,
            shrink_rate=0,
            threshold=0,
            bound=0,
            nonnegative=False,
            spare_last=False,
            ball=0,
            growth_shift=0,
            growth_range=1,
            growth_stride=0,
            scored=config.scored,
        )

    def _variances(self) -> Int:
        """The variance words of all heads, with the padding of their last chunks."""
        diagonal = self.config.diagonal
        words = np.zeros(self._features, dtype=np.int64) if diagonal is None else diagonal.words
        return np.tile(np.pad(words, (0, self._room - self._features)), self._heads)

    @property
    def _value_bits(self) -> int:
        levels = self.config.levels
        return self.config.p if levels is None else levels.bits

    def _word(self) -> type[np.integer]:
        """Type of the words of Q3 and of gradients: |z| <= n 2^(q3_bits-1) 2^(p-1), |G| < batch 2^delta_bits 2^(p-1)."""
        build = self.build
        sums = max(self._features << (build.q3_bits - 1), self.config.batch << build.delta_bits)
        return np.int32 if sums << (self._value_bits - 1) < 1 << 31 else np.int64

    def _loss(self) -> int:
        return (int(self._state.totals[LOSS_HIGH]) << 32) + int(self._state.totals[LOSS_LOW])
