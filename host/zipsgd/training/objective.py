"""What is minimised, from what a user asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zipsgd.golden.polynomial import Polynomial
from zipsgd.protocol.run import Loss, Refetch
from zipsgd.training.losses import CompiledLoss, logistic, pseudo_huber

__all__ = ["CLASS_LOSSES", "REGRESSION_LOSSES", "Objective", "class_objective", "regression_objective"]

_Losses = Mapping[str, Loss | Callable[[], CompiledLoss]]

CLASS_LOSSES: _Losses = {
    "squared_hinge": Loss.SQUARED_HINGE,
    "hinge": Loss.HINGE,
    "logistic": logistic,
    "squared_error": Loss.SQUARED,
}
"""Of classifiers, by the names that users choose them by; the first is the default."""
REGRESSION_LOSSES: _Losses = {"squared_error": Loss.SQUARED, "huber": pseudo_huber}
"""The same of regression."""

_HINGE_CURVATURE = 0.5
"""A hinge has none to speak of: its derivative is 1 at most, however far a sample is from its margin, so that no step makes it
diverge. Twice the step of the others is good; four times takes models to the end of their range."""


@dataclass(frozen=True)
class Objective:
    """A loss of the device's own, or one that was compiled for it.

    ``loss``, ``polynomial``: of :class:`zipsgd.golden.run.RunConfig`. ``samples_per_value``: that an estimate without bias takes;
    hinges are nearest to it at 2.
    ``curvature``: of :func:`zipsgd.training.steps.default_step_size`. ``scale``: of :class:`zipsgd.training.losses.CompiledLoss`. ``refetch``:
    which samples of a hinge come twice.
    """

    loss: Loss
    polynomial: Polynomial | None = None
    samples_per_value: int = 2
    curvature: float = 1.0
    scale: float = 1.0
    refetch: Refetch = Refetch.NEVER

    @classmethod
    def compiled(cls, of: CompiledLoss) -> "Objective":
        return cls(of.loss, of.polynomial, of.samples_per_value, of.curvature, of.scale)


def class_objective(asked: Any) -> Objective:
    """Of a name, or of a loss compiled of the margin. Raises ValueError for anything else."""
    return _objective(asked, CLASS_LOSSES, Loss.POLYNOMIAL_MARGIN, "margin")


def regression_objective(asked: Any) -> Objective:
    """Of a name, or of a loss compiled of the residual. Raises ValueError for anything else."""
    return _objective(asked, REGRESSION_LOSSES, Loss.POLYNOMIAL_RESIDUAL, "residual")


def _objective(asked: Any, named: _Losses, kind: Loss, of: str) -> Objective:
    if isinstance(asked, CompiledLoss):
        if asked.loss != kind:
            raise ValueError(f'the loss {asked.name!r} must be compiled of="{of}" here')
        return Objective.compiled(asked)
    found = named.get(asked) if isinstance(asked, str) else None
    if found is None:
        raise ValueError(
            f"loss must be one of {', '.join(named)}, or one of zipsgd.training.losses.compile_loss, not {asked!r}"
        )
    if not isinstance(found, Loss):
        return Objective.compiled(found())
    return Objective(found, curvature=_HINGE_CURVATURE if found == Loss.HINGE else 1.0)
