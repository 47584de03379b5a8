"""How to train: everything that decides the bits of a run, beside the data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from zipsgd.protocol.numbers import MOST_DEGREE
from zipsgd.protocol.run import Refetch

from .losses import CompiledLoss
from .objective import Objective, class_objective, regression_objective
from .regulariser import Regulariser
from .steps import check_schedule

__all__ = ["LEVELS", "REFETCH", "Options", "options_with"]

LEVELS = ("uniform", "optimal")
REFETCH = tuple(kind.name.lower() for kind in Refetch)


@dataclass(frozen=True, repr=False)
class Options:
    """How to train.

    Parameters
    ----------
    classify : bool
        Take each different label for a class. Two classes have one model of +-1; more have a model each, against all others.
    loss : str, CompiledLoss or None
        What is minimised. Of numbers "squared_error" (the default) or "huber"; of classes "squared_hinge" (the default),
        "hinge", "logistic" or "squared_error"; or a loss of :func:`zipsgd.training.losses.compile_loss`.
    base_bits : int
        Base planes p of a value, 1 to 8; with optimal levels 0 to 4 (0: two levels).
    samples_per_value : int or None
        Independent quantisations m of a value, one plane each: 2 is double sampling, 1 the biased naive quantiser, 0
        truncation; d + 1 for a loss whose derivative is a polynomial of degree d. None: as many as make the gradient unbiased.
    batch_size : int
        Samples of a mini-batch, 1 to 4096.
    step_size : float or None
        Step size of the first epoch, for features in [-1, 1]. None: one that follows from the data, see
        :func:`zipsgd.training.steps.default_step_size`.
    schedule : str or sequence of float
        How the step shrinks by epoch: a name of :data:`zipsgd.training.steps.SCHEDULES`, or a factor for each epoch, of which
        the last one goes on.
    epochs : int
        Passes over the data.
    seed : int
        Decides order, up bits and all rounding.
    one_sided : bool
        Use g = Q1 l'(z2) rather than the symmetric mean of both orders.
    fresh : bool
        Draw the up bits afresh in each epoch, rather than once.
    levels : str
        "uniform", or "optimal" for the levels of least variance (ZipML, section 3), which need a device with a transcoder.
    level_bits : int
        Bits of an optimal level, 2 to 8.
    shared_levels : bool
        Use the same optimal levels for all columns, rather than each its own.
    refetch : str
        Of hinges: "never", "certain" or "likely". Samples whose side of the margin is in doubt after quantisation are left out
        and come again behind the others at all base bits, see :class:`zipsgd.protocol.run.Refetch`.
    l2, l1, bound, radius : float
        Regularisers, see :class:`zipsgd.training.regulariser.Regulariser`. They need a device with a proximal step.
    average : int
        Use the mean of the models after each epoch, from this epoch on (1: of all). 0 uses the last model. Suits
        ``schedule="constant"``.
    patience : int
        Stop after so many epochs without a better score on the validation rows, and keep the best model. 0 never stops early.
    tolerance : float
        Least improvement of the score that counts for ``patience``.
    measure : bool
        Also measure each epoch's model exactly: loss and score on the unquantised rows, and on the validation rows.
    sort_rows : bool
        Start from an order of the rows that depends on their content alone, so that the same rows in another order give the
        same bits. The estimators do this.

    Raises
    ------
    ValueError
        For what no build could do. What one build cannot do, :func:`zipsgd.train` finds.
    """

    classify: bool = False
    loss: str | CompiledLoss | None = None
    base_bits: int = 2
    samples_per_value: int | None = None
    batch_size: int = 16
    step_size: float | None = None
    schedule: str | Sequence[float] = "linear"
    epochs: int = 20
    seed: int = 0
    one_sided: bool = False
    fresh: bool = True
    levels: str = "uniform"
    level_bits: int = 8
    shared_levels: bool = False
    refetch: str = "never"
    l2: float = 0.0
    l1: float = 0.0
    bound: float = 0.0
    radius: float = 0.0
    average: int = 0
    patience: int = 0
    tolerance: float = 1e-3
    measure: bool = False
    sort_rows: bool = False

    def __post_init__(self) -> None:
        if self.levels not in LEVELS:
            raise ValueError(f"levels must be one of {', '.join(LEVELS)}, not {self.levels!r}")
        if self.refetch not in REFETCH:
            raise ValueError(f"refetch must be one of {', '.join(REFETCH)}, not {self.refetch!r}")
        if self.refetch != "never" and not self.classify:
            raise ValueError(
                "refetch is for hinges, on classes: set classify=True (on the command line: --classify), or leave it out"
            )
        ranges = {
            "base_bits": (1, 8) if self.levels == "uniform" else (0, 4),
            "level_bits": (2, 8),
            "samples_per_value": (0 if self.base_bits else 1, MOST_DEGREE + 1),
            "batch_size": (1, 1 << 12),
            "epochs": (1, 1 << 32),
            "seed": (0, (1 << 64) - 1),
            "average": (0, 1 << 32),
            "patience": (0, 1 << 32),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be in {low}..{high}, not {value}")
        if not isinstance(self.schedule, str):
            object.__setattr__(self, "schedule", tuple(map(float, self.schedule)))
        check_schedule(self.schedule)
        if self.step_size is not None and not 0 < self.step_size < float("inf"):
            raise ValueError(f"step_size must be positive, not {self.step_size}")
        _ = self.regulariser, self.objective  # raise for what cannot be

    def __repr__(self) -> str:
        """What differs from the usual options."""
        other = [f for f in fields(self) if getattr(self, f.name) != f.default]
        return f"Options({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in other)})"

    @property
    def regulariser(self) -> Regulariser:
        """The penalties and bounds."""
        return Regulariser(self.l2, self.l1, self.bound, self.radius)

    @cached_property
    def objective(self) -> Objective:
        """What is minimised."""
        return class_objective(self.loss) if self.classify else regression_objective(self.loss)

    @property
    def quantisations(self) -> int:
        """Samples per value m, resolved."""
        return self.objective.samples_per_value if self.samples_per_value is None else self.samples_per_value

    @property
    def refetches(self) -> Refetch:
        """The device's word for ``refetch``."""
        return Refetch[self.refetch.upper()]

    @property
    def level_steps(self) -> int | None:
        """The ``steps`` of :meth:`zipsgd.data.Scaling.fit` that the levels' grid needs."""
        return (1 << (self.level_bits - 1)) - 1 if self.levels == "optimal" else None

    def as_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON; a compiled loss by its name, kind and coefficients."""
        plain = {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}
        if isinstance(self.loss, CompiledLoss):
            plain["loss"] = {
                "name": self.loss.name,
                "kind": self.loss.loss.name.lower(),
                "scale": self.loss.scale,
                **asdict(self.loss.polynomial),
            }
            plain["loss"]["derivative"] = list(self.loss.polynomial.derivative)
        if not isinstance(self.schedule, str):
            plain["schedule"] = list(self.schedule)
        return plain


def options_with(options: Options | None, words: dict[str, Any]) -> Options:
    """``options``, or the usual ones, with other values for some fields.

    Raises
    ------
    TypeError
        A word that is no field, with the fields there are.
    """
    names = [field.name for field in fields(Options)]
    for word in words:
        if word not in names:
            raise TypeError(f"there is no option {word!r}; options: {', '.join(names)}")
    return replace(options or Options(), **words)
