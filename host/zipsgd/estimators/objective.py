"""What an estimator minimises, from what its user asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zipsgd.golden.polynomial import Polynomial
from zipsgd.losses import CompiledLoss
from zipsgd.protocol.formats import Loss, Refetch

__all__ = ["Named", "Objective", "objective"]

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
    return Objective(found) if isinstance(found, Loss) else Objective.compiled(found())
