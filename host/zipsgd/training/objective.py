"""What a run minimises: its loss on the device, and the same loss in float64."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.golden.polynomial import Polynomial
from zipsgd.protocol.run import Loss

from .losses import CompiledLoss, logistic, pseudo_huber

__all__ = ["CLASS_LOSSES", "REGRESSION_LOSSES", "Objective", "class_objective", "regression_objective"]

_Float = npt.NDArray[np.float64]
_Losses = Mapping[str, Loss | Callable[[], CompiledLoss]]

CLASS_LOSSES: _Losses = {
    "squared_hinge": Loss.SQUARED_HINGE,
    "hinge": Loss.HINGE,
    "logistic": logistic,
    "squared_error": Loss.SQUARED,
}
"""Losses of classifiers, by the names that users choose them by. The first is the default."""
REGRESSION_LOSSES: _Losses = {"squared_error": Loss.SQUARED, "huber": pseudo_huber}
"""The same of regression."""

_HINGE_CURVATURE = 0.5
"""A hinge has no curvature, and its derivative is at most 1 however far a sample is from its margin, so that no step makes it
diverge. Twice the step of the other losses is good; four times takes models to the end of their range."""


@dataclass(frozen=True)
class Objective:
    """A loss of the device's own, or one that was compiled for it.

    Parameters
    ----------
    name : str
        As a user chose it.
    loss : Loss
        What the device evaluates.
    compiled : CompiledLoss or None
        The polynomial loss, where ``loss`` is one.
    curvature : float
        See :func:`zipsgd.training.steps.default_step_size`.
    """

    name: str
    loss: Loss
    compiled: CompiledLoss | None = None
    curvature: float = 1.0

    @classmethod
    def from_compiled(cls, compiled: CompiledLoss) -> "Objective":
        """The objective of a compiled loss."""
        return cls(compiled.name, compiled.loss, compiled, compiled.curvature)

    @property
    def polynomial(self) -> Polynomial | None:
        """The derivative's polynomial, None for a loss of the device's own."""
        return None if self.compiled is None else self.compiled.polynomial

    @property
    def samples_per_value(self) -> int:
        """Independent quantisations that make the gradient unbiased; hinges come nearest to that at 2."""
        return 2 if self.compiled is None else self.compiled.samples_per_value

    @property
    def scale(self) -> float:
        """The device minimises 1 / scale of the loss; see :class:`zipsgd.training.losses.CompiledLoss`."""
        return 1.0 if self.compiled is None else self.compiled.scale

    @property
    def estimates_odds(self) -> bool:
        """Whether outputs are logarithms of odds."""
        return self.compiled is not None and self.compiled.odds

    def values(self, outputs: _Float, labels: _Float) -> _Float:
        """The loss of each output z with its label b, both in the device's units, as a user counts it.

        Squared losses are not halved, as the device does not halve them.
        """
        if self.loss == Loss.SQUARED:
            return (outputs - labels) ** 2
        if self.compiled is not None:
            return self.compiled.value(self._argument(outputs, labels))
        within = np.maximum(0, 1 - np.sign(labels) * outputs)
        return within**2 if self.loss == Loss.SQUARED_HINGE else within

    def derivatives(self, outputs: _Float, labels: _Float) -> _Float:
        """dl/dz of the loss that the device minimises: of a squared loss the residual, else of 1 / scale of the loss."""
        if self.loss == Loss.SQUARED:
            return outputs - labels
        signs = np.sign(labels)
        if self.compiled is not None:
            slopes = self.compiled.derivative(self._argument(outputs, labels))
            return signs * slopes if self.loss == Loss.POLYNOMIAL_MARGIN else slopes
        within = np.maximum(0, 1 - signs * outputs)
        return np.asarray(-signs * (within if self.loss == Loss.SQUARED_HINGE else within > 0))

    def _argument(self, outputs: _Float, labels: _Float) -> _Float:
        """A compiled loss's t: the margin or the residual."""
        if self.loss == Loss.POLYNOMIAL_MARGIN:
            return self.scale * np.sign(labels) * outputs
        return outputs - labels


def class_objective(asked: Any = None) -> Objective:
    """The objective of a classifier's loss, by its name or compiled ``of="margin"``; None is the default.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(asked, str) and asked in REGRESSION_LOSSES and asked not in CLASS_LOSSES:
        raise ValueError(f"the loss {asked!r} is for numbers; of classes: {', '.join(CLASS_LOSSES)}")
    return _objective(asked, CLASS_LOSSES, Loss.POLYNOMIAL_MARGIN, "margin")


def regression_objective(asked: Any = None) -> Objective:
    """The objective of a regression's loss, by its name or compiled ``of="residual"``; None is the default.

    Raises
    ------
    ValueError
        For anything else.
    """
    if isinstance(asked, str) and asked in CLASS_LOSSES and asked not in REGRESSION_LOSSES:
        raise ValueError(
            f"the loss {asked!r} is for classes: set classify=True (on the command line: --classify), or choose one of "
            f"{', '.join(REGRESSION_LOSSES)}"
        )
    return _objective(asked, REGRESSION_LOSSES, Loss.POLYNOMIAL_RESIDUAL, "residual")


def _objective(asked: Any, named: _Losses, kind: Loss, of: str) -> Objective:
    if isinstance(asked, CompiledLoss):
        if asked.loss != kind:
            raise ValueError(f'the loss {asked.name!r} must be compiled of="{of}" here')
        return Objective.from_compiled(asked)
    name = next(iter(named)) if asked is None else asked
    found = named.get(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(
            f"loss must be one of {', '.join(named)}, or a loss of zipsgd.compile_loss, not {asked!r}"
        )
    if not isinstance(found, Loss):
        return Objective.from_compiled(replace(found(), name=name))
    return Objective(name, found, curvature=_HINGE_CURVATURE if found == Loss.HINGE else 1.0)
