"""The loss that a run minimises, as the device evaluates it and in float64."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.golden.polynomial import Polynomial
from zipsgd.protocol.run import Loss

from .losses import CompiledLoss, logistic, pseudo_huber

__all__ = ["CLASS_LOSSES", "REGRESSION_LOSSES", "Objective", "find_objective"]

_Float = npt.NDArray[np.float64]
_Losses = Mapping[str, Loss | Callable[[], CompiledLoss]]

CLASS_LOSSES: _Losses = {
    "squared_hinge": Loss.SQUARED_HINGE,
    "hinge": Loss.HINGE,
    "logistic": logistic,
    "squared_error": Loss.SQUARED,
}
"""Losses for classification by name. The first is the default."""
REGRESSION_LOSSES: _Losses = {"squared_error": Loss.SQUARED, "huber": pseudo_huber}
"""Losses for regression by name. The first is the default."""

_HINGE_CURVATURE = 0.5
"""Curvature that is assumed for a hinge. A hinge has no curvature, and its derivative is at most 1, so that no step size makes
it diverge. Twice the step size of the other losses works well; with four times, weights reach the end of their range."""


@dataclass(frozen=True)
class Objective:
    """A loss that is built into the device, or a compiled one.

    Parameters
    ----------
    name : str
        The name that the user chose it by.
    loss : Loss
        Kind of the loss on the device.
    compiled : CompiledLoss or None
        The compiled loss; None for a built-in one.
    curvature : float
        Curvature for the automatic step, see :func:`zipsgd.training.steps.largest_step`.
    """

    name: str
    loss: Loss
    compiled: CompiledLoss | None = None
    curvature: float = 1.0

    @classmethod
    def from_compiled(cls, compiled: CompiledLoss) -> "Objective":
        """The objective of a compiled loss.

        Parameters
        ----------
        compiled : CompiledLoss
            The loss.

        Returns
        -------
        Objective
            The objective.
        """
        return cls(compiled.name, compiled.loss, compiled, compiled.curvature)

    @property
    def polynomial(self) -> Polynomial | None:
        """Polynomial or None: The derivative as a polynomial; None for a built-in loss."""
        return None if self.compiled is None else self.compiled.polynomial

    @property
    def samples_per_value(self) -> int:
        """int: Quantisations of a value that make the gradient unbiased. For hinges 2, which leave a small bias."""
        return 2 if self.compiled is None else self.compiled.samples_per_value

    @property
    def scale(self) -> float:
        """float: The device minimises the loss divided by this, see :class:`zipsgd.training.losses.CompiledLoss`."""
        return 1.0 if self.compiled is None else self.compiled.scale

    def values(self, outputs: _Float, labels: _Float) -> _Float:
        """The loss of each output, in the units that are reported to users.

        Squared losses have no factor of 1/2, as on the device.

        Parameters
        ----------
        outputs, labels : _Float of shape (rows, heads)
            Outputs z and labels b in the device's units.

        Returns
        -------
        _Float of shape (rows, heads)
            Losses.
        """
        if self.loss == Loss.SQUARED:
            return (outputs - labels) ** 2
        if self.compiled is not None:
            return self.compiled.value(self._argument(outputs, labels))
        within = np.maximum(0, 1 - np.sign(labels) * outputs)
        return within**2 if self.loss == Loss.SQUARED_HINGE else within

    def derivatives(self, outputs: _Float, labels: _Float) -> _Float:
        """The derivative with respect to the output of the loss that the device minimises.

        Parameters
        ----------
        outputs, labels : _Float of shape (rows, heads)
            Outputs z and labels b in the device's units.

        Returns
        -------
        _Float of shape (rows, heads)
            The residual for the squared error; otherwise the derivative of the loss divided by ``scale``.
        """
        if self.loss == Loss.SQUARED:
            return outputs - labels
        signs = np.sign(labels)
        if self.compiled is not None:
            slopes = self.compiled.derivative(self._argument(outputs, labels))
            return signs * slopes if self.loss == Loss.POLYNOMIAL_MARGIN else slopes
        within = np.maximum(0, 1 - signs * outputs)
        return np.asarray(-signs * (within if self.loss == Loss.SQUARED_HINGE else within > 0))

    def _argument(self, outputs: _Float, labels: _Float) -> _Float:
        """The argument t of a compiled loss: the margin or the residual."""
        if self.loss == Loss.POLYNOMIAL_MARGIN:
            return self.scale * np.sign(labels) * outputs
        return outputs - labels


def find_objective(asked: Any = None, *, classify: bool, epsilon: float | None = None) -> Objective:
    """The objective that a user asks for.

    Parameters
    ----------
    asked : str, CompiledLoss or None
        A name of :data:`CLASS_LOSSES` or :data:`REGRESSION_LOSSES`; a compiled loss, for classes ``of="margin"``, otherwise
        ``of="residual"``; or None for the default.
    classify : bool
        Whether labels are classes.
    epsilon : float or None
        Width of the loss "huber", see :func:`zipsgd.training.losses.pseudo_huber`; None for its default, and for other losses.

    Returns
    -------
    Objective
        The objective.

    Raises
    ------
    ValueError
        There is no such loss, it is not for such labels, or it has no ``epsilon``.
    """
    named, other = (CLASS_LOSSES, REGRESSION_LOSSES) if classify else (REGRESSION_LOSSES, CLASS_LOSSES)
    if epsilon is not None:
        if asked != "huber" or classify:
            raise ValueError(
                "epsilon is the width of the loss 'huber': choose that loss, or leave epsilon out"
            )
        return Objective.from_compiled(replace(pseudo_huber(epsilon), name=asked))
    if isinstance(asked, CompiledLoss):
        kind, of = (Loss.POLYNOMIAL_MARGIN, "margin") if classify else (Loss.POLYNOMIAL_RESIDUAL, "residual")
        if asked.loss != kind:
            raise ValueError(f'the loss {asked.name!r} must be compiled of="{of}" here')
        return Objective.from_compiled(asked)
    name = next(iter(named)) if asked is None else asked
    found = named.get(name) if isinstance(name, str) else None
    if found is None:
        if isinstance(name, str) and name in other:
            what = "numbers: leave out classify=True (on the command line: --classify)"
            if not classify:
                what = "classes: set classify=True (on the command line: --classify)"
            raise ValueError(f"the loss {asked!r} is for {what}, or choose one of {', '.join(named)}")
        raise ValueError(
            f"loss must be one of {', '.join(named)}, or a loss of zipsgd.compile_loss, not {asked!r}"
        )
    if not isinstance(found, Loss):
        return Objective.from_compiled(replace(found(), name=name))
    return Objective(name, found, curvature=_HINGE_CURVATURE if found == Loss.HINGE else 1.0)
