"""Options of training: everything besides the data that determines the bits of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from zipsgd.data import class_name
from zipsgd.protocol.plain import make_plain
from zipsgd.protocol.run import Loss, Refetch

from .class_weights import check_class_weight
from .losses import CompiledLoss
from .objective import Objective, find_objective
from .option_checks import KEEP, LEVELS, REFETCH, SCALINGS, check_choices
from .precision import Bits, Precision, find_precision
from .regulariser import Regulariser
from .scores import Score, find_score
from .steps import check_schedule

__all__ = ["KEEP", "LEVELS", "REFETCH", "SCALINGS", "Options"]


@dataclass(frozen=True, repr=False)
class Options:
    """How to train.

    Parameters
    ----------
    classify : bool
        Train a classifier: each distinct label is a class. Two classes share one model with targets of -1 and +1. Of more
        classes, each has its own model, one against all others.
    loss : str, CompiledLoss or None
        The loss to minimise. For regression "squared_error" (the default) or "huber"; for classification "squared_hinge" (the
        default), "hinge", "logistic" or "squared_error"; or a loss from :func:`zipsgd.compile_loss`.
    bits : int, sequence of int, "auto" or None
        Bits of a value on the link, of all epochs or of each one (the last number holds for all further epochs). "auto" begins
        with few, and takes one more whenever the loss no longer falls. None: 4, or 2 more than a polynomial loss has
        quantisations, or as ``base_bits`` says.
    base_bits : int or None
        Base planes p of a value, in place of ``bits``: 1 to 8; with optimal levels 0 to 4 (0: two levels). With bits="auto",
        those of the first epoch.
    estimator : str
        How the gradient is estimated from quantised values. "double": by two independent quantisations of a value, without bias
        (ZipML); of a polynomial loss of degree d, by d + 1. "one-draw": by one, whose known bias the device takes away; for
        squared losses. "naive": by one, with its bias. "truncated": by the base planes alone. "auto": what does best at the
        given bits, see :func:`zipsgd.training.precision.find_precision`.
    batch_size : int
        Samples of a mini-batch, 1 to 4096.
    step_size : float or None
        Step size of the first epoch, for features in [-1, 1]. None: computed from the data, see
        :func:`zipsgd.training.automatic_step.automatic_steps`.
    schedule : str or sequence of float
        How the step size shrinks from epoch to epoch: a name of :data:`zipsgd.training.steps.SCHEDULES`, or a factor for each
        epoch, the last of which holds for all further epochs.
    epochs : int
        Passes over the data.
    seed : int
        Determines the order of the rows, the up bits and all stochastic rounding.
    one_sided : bool
        Use the gradient Q1 l'(z2) instead of the mean of both orders.
    fresh : bool
        Draw new up bits in each epoch instead of once for all epochs.
    resident : bool
        Keep the samples in the device's store, if it has one with enough room, so that only one epoch comes over the link. The
        up bits are then drawn once, as with ``fresh=False``, and epochs differ in the order of blocks of 16 rows
        (:mod:`zipsgd.golden.order`).
    unattended : int
        With ``resident``: epochs that the device runs on its own, 1 to 64. Only after so many is there a model to measure, to
        judge or to save. If the host is gone meanwhile, the same run begun again fetches the device's results.
    shards : int or str
        Parts of the rows, 1 to 65,536, each of which is trained from the same model, so that workers or boards share the work;
        then the models are averaged. The bits depend on this number, and not on who trains them (:mod:`zipsgd.distributed`).
        "auto" for a number that suits the rows and the workers.
    rounds : int or None
        How often the models of the shards are averaged in an epoch, 1 to 64; None for a number that suits the shards: 4
        from 8 shards on, 2 for 4, and 1 for 2; but once with resident samples, and less often where a shard has few rows.
    levels : str
        "uniform", or "optimal" for the levels of least variance (ZipML, section 3), which need a device with a transcoder.
        "auto": optimal ones where rounding to uniform ones would drown the gradients in noise, and the device has a
        transcoder.
    scaling : str
        What part of a column's range becomes [-1, 1]; values beyond are clipped, in training and in predictions. "range": all
        of it. "standard": 3.3 standard deviations about the mean. "quantile": all but the share ``clip`` of the values. "none":
        one scale for all columns, without centring, so that 0 stays 0. "auto": "standard" or "quantile" where a linear model
        then explains clearly more of the labels, and otherwise "range".
    clip : float
        Share of the values that "quantile" clips, and "standard" of normally distributed ones; above 0 and below 0.5.
    level_bits : int
        Bits of an optimal level, 2 to 8.
    shared_levels : bool
        Use the same optimal levels for all columns instead of separate ones for each column.
    intercept : bool
        False: the outputs are the columns times their weights, and nothing is centred. Needs scaling="none", which "auto" then
        stands for.
    refetch : str
        For hinge losses: "never", "certain" or "likely". A sample whose side of the margin is in doubt after quantisation is
        left out, and sent again with 8 base bits after the others, see :class:`zipsgd.protocol.run.Refetch`.
    epsilon : float or None
        For the loss "huber": the residual from which on the loss grows about linearly, for labels scaled to [-1, 1]. None: 0.5.
    class_weight : "balanced", mapping of class to weight, or None
        For classes: positive weights by which the weights of their rows are multiplied; a class without one has the weight 1.
        "balanced": inversely proportional to the frequency of each class.
    calibrate : bool or None
        For 3 to 32 classes: after training, fit the models against each other on the host
        (:mod:`zipsgd.training.calibration`), so that the largest output is right more often. None: unless ``l1``, ``bound`` or
        ``radius`` is set, weights may not be negative or there is no intercept, because the fitted models are mixtures, for
        which these do not hold.
    l2, l1, bound, radius : float, nonnegative : bool
        Regularisers, see :class:`zipsgd.training.regulariser.Regulariser`. They need a device with a proximal step.
    average : int
        Use the mean of the models after each epoch, from this epoch on (1: of all epochs). 0 uses the last model. Suited to
        ``schedule="constant"``.
    patience : int
        Stop after this many epochs without a better score on the validation rows, and keep the best model unless ``keep`` is
        "last". 0 never stops early.
    tolerance : float
        Smallest improvement of the score that counts for ``patience``.
    keep : str
        Which epoch's model is the result. "last": the last one's. "best": that of the best score on the validation rows, or
        without them on a sample of at most 4,096 training rows. "auto": the last one, unless it is clearly worse than the best
        one, as :func:`zipsgd.training.guard.clearly_worse` says; with ``patience`` the best one.
    score : str or None
        The score that is reported, and that ``patience`` watches. For classes "accuracy" (the default), "balanced_accuracy",
        "auc" (of several classes the mean of one against the rest) or "f1_macro"; for numbers "r2" (the default) or
        "d2_absolute_error".
    measure : bool
        Also compute the exact loss and score of the model after each epoch, on the unquantised training rows and on the
        validation rows.
    sort_rows : bool
        First sort the rows by a hash of their contents, so that the same rows in any order give the same bits. The
        scikit-learn estimators always do this.

    Raises
    ------
    TypeError
        A number that must be whole is not.
    ValueError
        The options contradict each other, or no build supports them. :func:`zipsgd.train` checks them against its build.
    """

    classify: bool = False
    loss: str | CompiledLoss | None = None
    bits: Bits = None
    base_bits: int | None = None
    estimator: str = "auto"
    batch_size: int = 16
    step_size: float | None = None
    schedule: str | Sequence[float] = "linear"
    epochs: int = 20
    seed: int = 0
    one_sided: bool = False
    fresh: bool = True
    resident: bool = False
    unattended: int = 1
    shards: int | str = 1
    rounds: int | None = None
    levels: str = "uniform"
    scaling: str = "auto"
    clip: float = 0.001
    level_bits: int = 8
    shared_levels: bool = False
    intercept: bool = True
    refetch: str = "never"
    epsilon: float | None = None
    class_weight: str | Mapping[Any, float] | None = None
    calibrate: bool | None = None
    l2: float = 0.0
    l1: float = 0.0
    bound: float = 0.0
    radius: float = 0.0
    nonnegative: bool = False
    average: int = 0
    patience: int = 0
    tolerance: float = 1e-3
    keep: str = "auto"
    score: str | None = None
    measure: bool = False
    sort_rows: bool = False

    def __post_init__(self) -> None:
        make_plain(self)
        check_choices(self)
        if not isinstance(self.schedule, str):
            object.__setattr__(self, "schedule", tuple(map(float, self.schedule)))
        check_schedule(self.schedule)
        if isinstance(self.bits, Sequence) and not isinstance(self.bits, str):
            object.__setattr__(self, "bits", tuple(self.bits))
        if self.estimator == "one-draw" and self._not_for_one_draw:
            raise ValueError(
                f"estimator='one-draw' does not work with {self._not_for_one_draw}: choose estimator='double', or change that"
            )
        self.precision(diagonal=True)  # checks the numbers
        if self.step_size is not None and not 0 < self.step_size < float("inf"):
            raise ValueError(f"step_size must be positive, not {self.step_size}")
        if self.class_weight is not None:
            self._check_class_weight(self.class_weight)
        _ = self.regulariser, self.objective, self.scoring  # these check their arguments

    def __repr__(self) -> str:
        """The options that differ from the defaults."""
        other = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Options({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in other)})"

    @property
    def _not_for_one_draw(self) -> str:
        """An option that rules out one draw; empty if there is none."""
        if self.objective.loss not in (Loss.SQUARED, Loss.SQUARED_HINGE):
            return f"the loss {self.objective.name!r}, only with squared losses"
        if self.refetch != "never":
            return f"refetch={self.refetch!r}"
        return "one_sided" if self.one_sided else ""

    def precision(self, *, diagonal: bool) -> Precision:
        """Bits of a value and how they are used.

        Parameters
        ----------
        diagonal : bool
            Whether the device can correct the bias of one draw.

        Returns
        -------
        Precision
            The precision.
        """
        return find_precision(
            self.estimator,
            self.bits,
            self.base_bits,
            self.objective,
            diagonal=diagonal and not self._not_for_one_draw,
            levels=self.levels,
        )

    def resolved(self, *, diagonal: bool, level_planes: int = 8) -> "Options":
        """The same options, with an estimator and base planes that are not left open.

        Parameters
        ----------
        diagonal : bool
            Whether the device can correct the bias of one draw.
        level_planes : int
            Most base planes of optimal levels on the device. Where one draw would need more, double sampling is chosen.

        Returns
        -------
        Options
            The options. ``base_bits`` is that of the first epoch.
        """
        key = diagonal, level_planes
        if key not in self._resolved:
            found = self.precision(diagonal=diagonal)
            if self.levels == "optimal" and self.estimator == "auto" and found.planes[0] > level_planes >= 0:
                found = self.precision(diagonal=False)
            same = (self.estimator, self.base_bits) == (found.estimator, found.planes[0])
            changed = replace(self, estimator=found.estimator, base_bits=found.planes[0])
            self._resolved[key] = self if same else changed
        return self._resolved[key]

    @cached_property
    def _resolved(self) -> dict[tuple[bool, int], "Options"]:
        """What :meth:`resolved` has found, so that streams get the same object for each part."""
        return {}

    @property
    def planes(self) -> int:
        """int: Base planes p of the first epoch, of options that leave nothing open."""
        assert self.base_bits is not None, "resolved() comes first"
        return self.base_bits

    def _check_class_weight(self, asked: str | Mapping[Any, float]) -> None:
        if not self.classify:
            raise ValueError(
                "class_weight is for classes: set classify=True (on the command line: --classify), or leave it out"
            )
        check_class_weight(asked)
        if not isinstance(asked, str):  # by the text of each class, as on the command line and in files
            named = {class_name(name): float(weight) for name, weight in asked.items()}
            object.__setattr__(self, "class_weight", named)

    @cached_property
    def regulariser(self) -> Regulariser:
        """Regulariser: The penalties and bounds."""
        return Regulariser(self.l2, self.l1, self.bound, self.radius, self.nonnegative)

    @cached_property
    def device_regulariser(self) -> Regulariser:
        """Regulariser: The penalties and bounds for the model and the loss of the device."""
        return self.regulariser.scaled(self.objective.scale)

    @cached_property
    def objective(self) -> Objective:
        """Objective: The loss to minimise."""
        return find_objective(self.loss, classify=self.classify, epsilon=self.epsilon)

    @property
    def scoring(self) -> Score:
        """Score: The score to report."""
        return find_score(self.score, classify=self.classify)

    @property
    def calibrates(self) -> bool:
        """bool: Whether models of several classes are calibrated."""
        kept = self.intercept and not (self.l1 or self.bound or self.radius or self.nonnegative)
        return kept if self.calibrate is None else self.calibrate

    @property
    def scheduled(self) -> bool:
        """bool: Whether the precision changes from epoch to epoch."""
        return not isinstance(self.bits, int | None)

    @property
    def quantisations(self) -> int:
        """int: Quantisations m of a value, of options that leave nothing open."""
        return self.precision(diagonal=True).draws

    @property
    def biased(self) -> bool:
        """bool: Whether quantisation leaves a bias in the gradient that another estimator would not."""
        return self.estimator in ("naive", "truncated")

    @property
    def needs_optimal_levels(self) -> bool:
        """bool: Whether levels are optimal ones whatever the data: because they are asked for, or as there is no base plane."""
        return self.levels == "optimal" or self.planes == 0

    @property
    def refetches(self) -> Refetch:
        """Refetch: The value of ``refetch`` for the device."""
        return Refetch[self.refetch.upper()]

    @property
    def level_steps(self) -> int:
        """int: The argument ``steps`` of :meth:`zipsgd.data.Scaling.fit` for optimal levels."""
        return (1 << (self.level_bits - 1)) - 1

    @property
    def weights_follow_labels(self) -> bool:
        """bool: Whether scaling the targets scales the weights and changes nothing else."""
        bounds = self.l1 or self.bound or self.radius
        return not self.classify and self.objective.loss == Loss.SQUARED and not bounds

    def as_dict(self) -> dict[str, Any]:
        """The options, ready for JSON.

        Returns
        -------
        dict[str, Any]
            Values by field name. A compiled loss is a dict of its name, kind and coefficients.
        """
        plain = {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}
        if isinstance(self.loss, CompiledLoss):
            plain["loss"] = self.loss.as_dict()
        for name in ("schedule", "bits"):
            if isinstance(plain[name], tuple):
                plain[name] = list(plain[name])
        return plain
