"""The configuration of a training run, and the check whether a build supports it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.golden.diagonal import Diagonal
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.golden.polynomial import Polynomial
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import RANGE_BITS
from zipsgd.protocol.plain import make_plain
from zipsgd.protocol.run import LabelForm, Loss, Refetch
from zipsgd.protocol.samples import SampleLayout

__all__ = ["LimitError", "RunConfig", "model_words", "step_registers"]


class LimitError(ValueError):
    """The build does not support the run."""


@dataclass(frozen=True)
class RunConfig:
    """Configuration of a run.

    Parameters
    ----------
    features : int
        Number of features, including the intercept.
    p : int
        Number of base planes.
    m : int
        Quantised samples per value (up planes).
    batch : int
        Samples of a mini-batch.
    one_sided : bool
        Use the gradient Q_1 l'(z_2) instead of the mean of both orders, (Q_1 l'(z_2) + Q_2 l'(z_1)) / 2.
    levels : LevelTable | None
        The levels that bases refer to; None for evenly spaced levels.
    loss : Loss
        The loss that is minimised.
    prox : bool
        The steps have a proximal part.
    ball : bool
        The proximal part includes a ball.
    heads : int
        Number of models that are trained side by side.
    one_against_all : bool
        Labels are class indices, and each head separates one class from the others. Otherwise each head has its own label.
    polynomial : Polynomial | None
        Derivative of a polynomial loss.
    refetch : Refetch
        Which samples of a run with a hinge loss are left out, so that they can be sent again.
    diagonal : Diagonal | None
        Variances of the columns' quantisation, by which the bias of one quantisation is corrected; None for no correction.
    intercept : bool
        The last feature is the intercept: its value is the highest level in every sample, so that a device makes it itself.
    label_form : LabelForm
        How a sample's label is written on the wire.
    scored : bool
        The scores of an epoch's samples come back with it.

    Raises
    ------
    ValueError
        The levels are for another number of features or another p; refetching or a diagonal is combined with an option that
        excludes it; a polynomial loss has no polynomial, or another loss has one; labels cannot have this form.
    """

    features: int
    p: int = 2
    m: int = 2
    batch: int = 1
    one_sided: bool = False
    levels: LevelTable | None = None
    loss: Loss = Loss.SQUARED
    prox: bool = False
    ball: bool = False
    heads: int = 1
    one_against_all: bool = False
    polynomial: Polynomial | None = None
    refetch: Refetch = Refetch.NEVER
    diagonal: Diagonal | None = None
    intercept: bool = False
    label_form: LabelForm = LabelForm.WORD
    scored: bool = False

    @property
    def labels(self) -> int:
        """int: Number of labels per sample."""
        return 1 if self.one_against_all else self.heads

    def layout(self, build: Build) -> SampleLayout:
        """The layout of the run's samples on the wire.

        Parameters
        ----------
        build : Build
            The build that the samples are packed for.

        Returns
        -------
        SampleLayout
            The layout.
        """
        return SampleLayout(
            self.features, self.p, self.m, build.lanes, self.labels, self.intercept, self.label_form
        )

    def model_shape(self) -> tuple[int, ...]:
        """Shape of the model.

        Returns
        -------
        tuple[int, ...]
            (features,), or (heads, features) for several heads.
        """
        return (self.features,) if self.heads == 1 else (self.heads, self.features)

    def registers(self) -> dict[str, int]:
        """The registers that configure a run.

        Returns
        -------
        dict[str, int]
            Values by register name, in the order of the addresses.
        """
        return {
            "features": self.features,
            "base_planes": self.p,
            "up_planes": self.m,
            "batch": self.batch,
            "one_sided": int(self.one_sided),
            "intercept": int(self.intercept),
            "label_form": int(self.label_form),
            "value_bits": 0 if self.levels is None else self.levels.bits,
            "loss": int(self.loss),
            "degree": self.degree,
            "reach": 0 if self.polynomial is None else self.polynomial.reach,
            "refetching": int(self.refetch),
            "heads_used": self.heads,
            "one_against_all": int(self.one_against_all),
        }

    def __post_init__(self) -> None:
        make_plain(self)
        if self.levels is not None and (len(self.levels.values), self.levels.p) != (self.features, self.p):
            raise ValueError(
                f"the levels are for {len(self.levels.values)} features and p = {self.levels.p}, but the run has "
                f"{self.features} features and p = {self.p}"
            )

        if self.refetch:
            reasons = {
                f"the loss {self.loss.name.lower()}, only with hinge losses": not self.loss.hinge,
                'levels="optimal", only with uniform levels': self.levels is not None,
                "estimator='truncated', only with a quantisation": not self.m,
            }
            for reason, holds in reasons.items():
                if holds:
                    raise ValueError(f"refetch does not work with {reason}: change one of the two")
        if self.diagonal is not None:
            self._check_diagonal(self.diagonal)
        if self.loss.polynomial != (self.polynomial is not None):
            raise ValueError(
                f"the loss {self.loss.name} {'needs a' if self.loss.polynomial else 'takes no'} polynomial"
            )
        self._check_labels()

    def _check_labels(self) -> None:
        """Raise ValueError if the labels cannot have their form."""
        if self.label_form == LabelForm.BYTE and not self.one_against_all:
            raise ValueError(
                "labels in a byte are numbers of classes: choose one_against_all=True, or label_form=LabelForm.WORD"
            )
        if self.label_form == LabelForm.SIGN and (self.heads > 1 or self.one_against_all):
            raise ValueError(
                "labels that are a sign are for one head, and not for numbers of classes: choose label_form=LabelForm.WORD"
            )

    def _check_diagonal(self, diagonal: Diagonal) -> None:
        """Raise ValueError if the bias is not the diagonal times the model."""
        if diagonal.words.size != self.features:
            raise ValueError(
                f"the diagonal is for {diagonal.words.size} features, but the run has {self.features}"
            )
        if self.loss not in (Loss.SQUARED, Loss.SQUARED_HINGE):
            raise ValueError(
                f"one draw corrects the bias of squared losses, not of {self.loss.name.lower()}: choose estimator='double'"
            )
        if self.m != 1:
            raise ValueError(f"one draw takes 1 quantisation per value, not {self.m}")
        if self.refetch:
            raise ValueError(
                "one draw does not work with refetch: choose estimator='double', or refetch='never'"
            )

    @property
    def degree(self) -> int:
        """int: Degree of the polynomial; 0 without one."""
        return 0 if self.polynomial is None else self.polynomial.degree

    @property
    def most_samples(self) -> int:
        """int: Most samples per value that the loss can use. Levels from a table allow at most two."""
        return 2 if self.polynomial is None or self.levels is not None else self.degree + 1

    def most_rows(self, build: Build) -> int:
        """Most samples of an epoch.

        Parameters
        ----------
        build : Build
            The build, which limits the lists of samples in doubt and of scores.

        Returns
        -------
        int
            The number.
        """
        listed = build.refetch if self.refetch else build.max_samples
        scored = build.score_words // self.heads if self.scored else build.max_samples
        return min(build.max_samples, listed, scored)

    def loss_unit(self, build: Build) -> float:
        """The value of one unit of a loss sum.

        Parameters
        ----------
        build : Build
            Binary point of the residual.

        Returns
        -------
        float
            2^(reach - 2 * residual_frac).
        """
        reach = 0 if self.polynomial is None else self.polynomial.reach
        return 2.0 ** (reach - 2 * build.residual_frac)

    def check(self, build: Build, samples: int = 0) -> None:
        """Check that a build supports the run.

        Parameters
        ----------
        build : Build
            The build.
        samples : int
            Number of samples in an epoch.

        Raises
        ------
        LimitError
            The build does not support the run.
        ValueError
            A sum of the polynomial could overflow.
        """
        if self.levels is not None and not build.level_bits:
            raise LimitError(
                "this build has no transcoder for optimal levels: use uniform levels, or take a build with level_bits=8"
            )
        if self.polynomial is not None:
            if self.degree > build.polynomial:
                has = f"degrees up to {build.polynomial}" if build.polynomial else "no polynomials"
                raise LimitError(
                    f"the loss needs a polynomial of degree {self.degree}, but this build supports {has}: take a build with "
                    f"polynomial={self.degree}"
                )
            self.polynomial.words(build)  # raises if a sum could overflow
        elif self.loss.hinge and not build.hinge:
            raise LimitError("this build does not support hinge losses: take a build with hinge=1")
        if self.refetch:
            if not build.refetch:
                raise LimitError(
                    "this build does not support refetching: take a build with hinge=1 and refetch=16384"
                )
            if self.heads > 1:
                raise LimitError("refetching works with one model at a time, not with several heads")
        if self.scored and not build.score_words:
            raise LimitError(
                "this build does not give scores back, with which a device predicts: take a build with score_words=1024"
            )
        if self.prox and not build.prox:
            raise LimitError("this build does not support regularisers: take a build with prox=1")
        if self.diagonal is not None and not build.diagonal:
            raise LimitError(
                "this build cannot correct the bias of one draw: choose estimator='double', or take a build with diagonal=1"
            )
        if self.ball and not build.ball:
            raise LimitError(
                "this build cannot limit the length of the model (radius): take a build with prox=1 and ball=1"
            )
        if self.ball and self.heads > 1:
            raise LimitError(
                "the length of the model can be limited (radius) for one model at a time, not for several heads"
            )
        limits = {
            "base planes p": (self.p, 1, build.p_max)
            if self.levels is None
            else (self.p, 0, build.level_p_max),
            "samples per value m": (self.m, 0 if self.p else 1, self.most_samples),
            "batch size": (self.batch, 1, build.max_batch),
            "samples of an epoch": (samples, 0, self.most_rows(build)),
            "models trained side by side": (self.heads, 1, build.heads),
            "bits of a level": (2 if self.levels is None else self.levels.bits, 2, max(2, build.level_bits)),
        }
        if self.levels is not None and self.polynomial is not None and self.m > 2:
            raise LimitError(
                f"optimal levels allow at most 2 samples per value, not {self.m}: use uniform levels, or choose "
                f"samples_per_value=2"
            )
        if self.features < 1:
            raise LimitError(f"a model has one of the features or more, the intercept, not {self.features}")
        if self.features > build.max_features:
            raise LimitError(
                f"there are {self.features - 1:,} columns, and this build takes {build.max_features - 1:,}, besides the "
                f"intercept: leave out columns, or take a build with larger max_features"
            )
        for name, (value, low, high) in limits.items():
            if not low <= value <= high:
                raise LimitError(
                    f"{name} must be in {low}..{high} on this build, not {value}; larger builds have higher limits"
                )
        chunks = self.heads * build.chunks(self.features)
        if chunks > build.max_chunks:
            most = build.max_chunks // self.heads * build.lanes - 1
            raise LimitError(
                f"there are {self.features - 1:,} columns, and for {self.heads} models side by side this build takes {most:,}, "
                f"besides the intercepts: leave out columns, use fewer heads, or take a build with larger max_features"
            )
        planes = self.p + self.m if self.levels is None else self.levels.bits * max(1, self.m)
        words = build.chunks(self.features) * planes
        if words > build.replay_words:
            most = build.replay_words // planes * build.lanes - 1
            raise LimitError(
                f"there are {self.features - 1:,} columns, and at {planes} planes a value this build takes {most:,}, besides "
                f"the intercept: leave out columns, use fewer planes, or take a build with more lanes or larger replay_words"
            )


def step_registers(step: Step) -> dict[str, int]:
    """The registers that configure an epoch.

    Parameters
    ----------
    step : Step
        Step size, proximal step and growth of the epoch.

    Returns
    -------
    dict[str, int]
        Values by register name, in the order of the addresses.
    """
    prox, growth = step.prox, step.growth
    return {
        "shrink_shift": prox.shrink_shift,
        "shrink_rate": prox.shrink_rate,
        "threshold": prox.threshold,
        "bound": prox.bound,
        "nonnegative": int(prox.nonnegative),
        "spare_last": int(prox.spare_last),
        "ball_square": prox.ball_square,
        "growth": growth.shift << RANGE_BITS | growth.range,
        "growth_stride": growth.stride,
        "growth_start": growth.start,
        "step_mantissa": step.mantissa,
        "step_exponent": step.exponent,
    }


def model_words(model: npt.NDArray[np.int64], build: Build) -> npt.NDArray[np.int64]:
    """A model as the words of the model window, with each head padded with zeros to whole chunks.

    Parameters
    ----------
    model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
        The master model.
    build : Build
        Lanes of a chunk.

    Returns
    -------
    npt.NDArray[np.int64] of shape (words,)
        Words in the order of their addresses.
    """
    heads = np.atleast_2d(model)
    spare = build.chunks(heads.shape[1]) * build.lanes - heads.shape[1]
    return np.pad(heads, ((0, 0), (0, spare))).ravel()
