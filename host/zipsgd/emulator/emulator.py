"""The emulator's state between epochs, and the inputs of the compiled functions."""

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import LevelTable
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.polynomial import Polynomial
from zipsgd.golden.prox import NO_PROX
from zipsgd.golden.quantise import Codes, fixed_point, level_offset, row_keys
from zipsgd.protocol.formats import LABEL_FRAC, REACH_MAX, STEP_EXP_MAX, Build, Loss, Refetch

from .epochs import epoch_codes, epoch_rows, polynomial_codes, polynomial_rows
from .state import FLAGS, LOSS_HIGH, LOSS_LOW, Int, Run, State, Vector
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

    Raises
    ------
    ValueError
        The build does not support the shape of the model or the mini-batch size.
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
        start = np.array(model, dtype=np.int64)
        if start.ndim not in (1, 2) or not 1 <= start.size <= build.max_features:
            raise ValueError(
                f"the model must have 1 to {build.max_features} features in total and the shape (features,) or "
                f"(heads, features), not {start.shape}"
            )
        if not 1 <= batch <= build.max_batch:
            raise ValueError(f"batch must be in 1..{build.max_batch}, not {batch}")
        self.build = build
        self.batch = batch
        self.one_sided = one_sided
        self.levels = levels
        self._table = np.zeros((1, 2), np.int16) if levels is None else levels.values
        self.loss = loss
        self._polynomial = polynomial
        self._refetch = refetch
        words = None if polynomial is None else polynomial.words(build)
        self._one_against_all = one_against_all
        self._shape = start.shape
        self._heads, self._features = np.atleast_2d(start).shape
        self._prepared: dict[int, tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]] = {}  # by p
        self._room = build.chunks(self._features) * build.lanes
        padded = self._heads * self._room
        self._seed = seed
        self._state = State(
            master=np.pad(np.atleast_2d(start), ((0, 0), (0, self._room - self._features))).ravel(),
            q3=np.zeros(padded, dtype=np.int64),
            accumulated=np.zeros(padded, dtype=np.int64),
            draws=np.zeros(padded, dtype=np.int64),
            update_lfsr=np.zeros(build.update_lanes, dtype=np.int64),
            loss_lfsr=np.zeros(1, dtype=np.int64),
            derivative=np.array([] if words is None else words.derivative, dtype=np.int64),
            loss=np.array([] if words is None else words.loss, dtype=np.int64),
            totals=np.zeros(3, dtype=np.int64),
            phases=np.zeros(2, dtype=np.int64),
            doubts=np.zeros(0, dtype=np.bool_),
        )
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
        self._doubts: list[npt.NDArray[np.bool_]] = []
        update(self._begin(1 if self.levels is None else self.levels.p, 0, Step(0, 0)), self._state)

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
        """int: Sticky overflow flags, bits of :class:`zipsgd.protocol.formats.Flag`."""
        return int(self._state.totals[FLAGS])

    @property
    def doubts(self) -> npt.NDArray[np.bool_] | None:
        """npt.NDArray[np.bool_] of shape (samples,) | None: Samples of the epoch left out; None without refetching."""
        return np.concatenate(self._doubts) if self._refetch else None

    def prepare(self, values: npt.NDArray[np.float32], p: int) -> None:
        """Store values in fixed point for ``p`` base planes. :meth:`epoch_rows` does this if necessary.

        The array is remembered by identity: do not change its contents between epochs.

        Parameters
        ----------
        values : npt.NDArray[np.float32] of shape (rows, features)
            Features in [-1, 1].
        p : int
            Number of base planes.

        Raises
        ------
        ValueError
            The shape does not match the model, or a value is outside [-1, 1].
        """
        if p in self._prepared and self._prepared[p][0] is values:
            return
        if values.ndim != 2 or values.shape[1] != self._features:
            raise ValueError(
                f"values must have the shape (rows, {self._features}) to match the model, not {values.shape}"
            )
        fixed = np.empty(values.shape, dtype=np.int32)
        block = max(1, (1 << 20) // self._features)  # limits the size of the float64 copies
        for start in range(0, values.shape[0], block):
            part = values[start : start + block]
            fixed[start : start + block] = (
                fixed_point(part, p) if self.levels is None else self.levels.fixed_point(part)
            )
        # Values of another array are dropped. The same values at another p belong to samples that are fetched again
        same = {other: kept for other, kept in self._prepared.items() if kept[0] is values}
        self._prepared = {**same, p: (values, fixed)}

    def adopt(self, other: "Emulator") -> None:
        """Reuse the fixed-point values that another emulator has stored, if both have the same levels.

        Parameters
        ----------
        other : Emulator
            The other emulator.
        """
        if other.levels is self.levels:
            self._prepared = other._prepared

    def epoch_codes(self, codes: Codes, step: Step) -> int:
        """Train on quantised samples in their order.

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

        Raises
        ------
        ValueError
            The codes do not match the model, or the build does not support their planes.
        """
        if codes.base.shape[1] != self._features:
            raise ValueError(
                f"the codes have {codes.base.shape[1]} features, but the model has {self._features}"
            )
        run = self._begin(codes.p, codes.m, step, len(codes.labels))
        train = epoch_codes if self._polynomial is None else polynomial_codes
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
        p: int,
        m: int,
        *,
        seed: int,
        epoch: int,
        step: Step,
    ) -> int:
        """Quantise and train in one pass.

        The result is that of :meth:`epoch_codes` with the golden model's ``quantise(values[order], ..., rows=order)``.

        Parameters
        ----------
        values : npt.NDArray[np.float32] of shape (rows, features)
            Features in [-1, 1].
        labels : npt.NDArray[np.int16] of shape (rows,) or (rows, heads)
            Labels in units of 2^-15, or class indices.
        order : npt.ArrayLike of shape (samples,)
            Row numbers of the epoch's samples, in order.
        p : int
            Number of base planes.
        m : int
            Number of up planes.
        seed : int
            Seed of the up bits.
        epoch : int
            Number of the epoch, which determines the up bits too.
        step : Step
            Step size over mini-batch size, and proximal step.

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
            raise ValueError(
                f"order must contain row numbers below {values.shape[0]}, with one label per row"
            )
        run = self._begin(p, m, step, rows.size)
        self.prepare(values, p)
        train = epoch_rows if self._polynomial is None else polynomial_rows
        pairs = range((max(1, m) + 1) // 2)
        train(
            self._prepared[p][1],
            self._labels(labels),
            rows,
            np.stack([row_keys(seed, epoch, rows, pair) for pair in pairs], axis=1),
            self._table,
            (1 << p) - 1 - level_offset(p),
            run,
            self._state,
        )
        return self._loss()

    def _labels(self, labels: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """The labels in the form that the compiled functions take: shape (samples, labels per sample)."""
        return np.ascontiguousarray(labels, dtype=np.int16).reshape(
            len(labels), 1 if self._one_against_all else self._heads
        )

    def _begin(self, p: int, m: int, step: Step, samples: int = 0) -> Run:
        """Constants for ``samples`` samples with ``p`` and ``m`` planes.

        Also adapts the state's integer types and its list of doubts.
        """
        build = self.build
        if not (1 <= p <= build.p_max and 0 <= m <= build.m_max) and self.levels is None:
            raise ValueError(f"p must be in 1..{build.p_max} and m in 0..{build.m_max}, not {p} and {m}")
        if self.levels is not None and p != self.levels.p:
            raise ValueError(f"p must be {self.levels.p}, because the table has 2^p + 1 levels, not {p}")
        value_bits = p if self.levels is None else self.levels.bits
        # |z| <= n 2^(q3_bits-1) 2^(p-1), |G| < batch 2^delta_bits 2^(p-1)
        largest = max(self._features << (build.q3_bits - 1), self.batch << build.delta_bits) << (
            value_bits - 1
        )
        word = np.int32 if largest < 1 << 31 else np.int64
        self._state = self._state._replace(
            q3=self._state.q3.astype(word, copy=False),
            accumulated=self._state.accumulated.astype(word, copy=False),
            doubts=np.zeros(samples, dtype=np.bool_),
        )
        self._doubts.append(self._state.doubts)
        self._state.totals[LOSS_LOW] = self._state.totals[LOSS_HIGH] = 0
        prox = step.prox
        return Run(
            features=self._features,
            heads=self._heads,
            one_against_all=self._one_against_all,
            m=m,
            batch=self.batch,
            symmetric=m >= 2 and not self.one_sided,
            loss=int(self.loss),
            one=1 << build.residual_frac,
            degree=0 if self._polynomial is None else self._polynomial.degree,
            refetch=int(self._refetch),
            reach_shift=0 if self._polynomial is None else REACH_MAX - self._polynomial.reach,
            argument_bits=build.residual_bits - 1,
            level_offset=-1 if self.levels is None else level_offset(p),
            z_shift=build.z_shift(value_bits),
            label_shift=build.residual_frac - LABEL_FRAC,
            residual_limit=1 << (build.residual_bits - 1),
            mantissa=step.mantissa,
            step_shift=4 * (STEP_EXP_MAX - step.exponent),
            delta_drop=build.delta_drop,
            delta_limit=(1 << (build.delta_bits - 1)) - 1,
            gradient_lift=build.p_max - value_bits,
            q4_drop=build.q4_drop,
            gradient_limit=1 << (build.gradient_bits - 1),
            gradient_shift=build.gradient_shift,
            model_limit=1 << (build.model_bits - 1),
            q3_drop=build.q3_drop,
            q3_top=(1 << (build.q3_bits - 1)) - 1,
            prox=prox != NO_PROX,
            shrink_shift=prox.shrink_shift,
            shrink_rate=prox.shrink_rate,
            threshold=prox.threshold,
            bound=prox.bound,
            spare_last=prox.spare_last,
            ball=prox.ball_square << build.ball_drop,
        )

    def _loss(self) -> int:
        return (int(self._state.totals[LOSS_HIGH]) << 32) + int(self._state.totals[LOSS_LOW])
