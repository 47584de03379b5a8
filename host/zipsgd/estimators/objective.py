"""What an estimator minimises, from what its user asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zipsgd.golden.polynomial import Polynomial
from zipsgd.losses import CompiledLoss
from zipsgd.protocol.formats import Loss, Refetch

__all__ = ["Named", "Objective", "objective"]

_HINGE_CURVATURE = 0.5
"""A hinge has none to speak of: its derivative is 1 at most, however far a sample is from its margin, so that no step makes it
diverge. Twice the step of the others is good; four times takes models to the end of their range."""

Named = Mapping[str, Loss | Callable[[], CompiledLoss]]
"""Losses that can be asked for by name."""


@dataclass(frozen=True)
class Objective:
    """A loss of the device's own, or one that was compiled for it.

    ``loss``, ``polynomial``: of :class:`zipsgd.run.RunConfig`. ``samples_per_value``: that an estimate without bias takes.
    ``curvature``: of :func:`zipsgd.steps.default_step_size`. ``scale``: of :class:`zipsgd.losses.CompiledLoss`. ``refetch``:
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


def objective(asked: Any, named: Named, kind: Loss) -> Objective:
    """Of a name, or of a compiled loss of this ``kind``. Raises ValueError for anything else."""
    if isinstance(asked, CompiledLoss):
        if asked.loss != kind:
            of = "margin" if kind == Loss.POLYNOMIAL_MARGIN else "residual"
            raise ValueError(f'the loss {asked.name!r} must be compiled of="{of}" here')
        return Objective.compiled(asked)
    found = named.get(asked) if isinstance(asked, str) else None
    if found is None:
        raise ValueError(
            f"loss must be one of {', '.join(named)}, or one of zipsgd.losses.compile_loss, not {asked!r}"
        )
    if not isinstance(found, Loss):
        return Objective.compiled(found())
    return Objective(found, curvature=_HINGE_CURVATURE if found == Loss.HINGE else 1.0)
