"""Regularisers: penalties and bounds on the model, as proximal steps of the device and in float64."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.golden.prox import NO_PROX, Prox
from zipsgd.protocol.formats import Build
from zipsgd.protocol.plain import make_plain

__all__ = ["Regulariser"]

_LEAST_SHRINK = 2.0**-24
"""Smallest share by which the device can shrink a weight; anything smaller counts as 0."""
_LEAST_THRESHOLD = 2.0**-8
"""Smallest L1 threshold that the device can resolve, in units of the model's last bit; anything smaller counts as 0."""


@dataclass(frozen=True)
class Regulariser:
    """Penalties and bounds on the weights w of scaled features. The intercept is exempt.

    The penalty added to the mean loss is l2 / 2 ||w||^2 + l1 ||w||_1.

    Parameters
    ----------
    l2 : float
        Strength of the L2 penalty.
    l1 : float
        Strength of the L1 penalty, which makes models sparse.
    bound : float
        Each weight stays in [-bound, bound]; 0 for no bound.
    radius : float
        The Euclidean length of w stays at most this; 0 for no limit.
    nonnegative : bool
        No weight is negative.

    Raises
    ------
    ValueError
        A parameter is negative or not finite.
    """

    l2: float = 0.0
    l1: float = 0.0
    bound: float = 0.0
    radius: float = 0.0
    nonnegative: bool = False

    def __post_init__(self) -> None:
        make_plain(self)
        for name in ("l2", "l1", "bound", "radius"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be 0 or a positive number, not {value}")

    @property
    def any(self) -> bool:
        """bool: Whether there is any penalty or bound."""
        return self.nonnegative or max(self.l2, self.l1, self.bound, self.radius) > 0

    def scaled(self, scale: float) -> "Regulariser":
        """The same regulariser for a device that works with a scaled model and a scaled loss.

        Parameters
        ----------
        scale : float
            The device's model and its loss are 1 / scale of the actual ones.

        Returns
        -------
        Regulariser
            Parameters in the units of the device.
        """
        return replace(self, l2=self.l2 * scale, bound=self.bound / scale, radius=self.radius / scale)

    def prox(self, step_size: float, scale: float, build: Build) -> Prox:
        """The proximal step of the device after each mini-batch.

        Parameters
        ----------
        step_size : float
            Step size, for features in [-1, 1].
        scale : float
            Scale of the values, see :class:`zipsgd.training.task.Task`.
        build : Build
            Widths of the device.

        Returns
        -------
        Prox
            The nearest step that the device can do.

        Raises
        ------
        ValueError
            The regulariser is too strong for this step size.
        """
        if not self.any:
            return NO_PROX
        shrink, threshold = step_size * self.l2, step_size * self.l1 / scale
        return Prox.nearest(
            build,
            shrink=shrink if shrink >= _LEAST_SHRINK else 0.0,
            threshold=threshold if threshold >= _LEAST_THRESHOLD * 2.0**-build.model_frac else 0.0,
            bound=self.bound / scale,
            radius=self.radius / scale,
            nonnegative=self.nonnegative,
            spare_last=True,
        )

    def apply(self, model: npt.NDArray[np.float64], step_size: float) -> npt.NDArray[np.float64]:
        """The proximal step in float64.

        Parameters
        ----------
        model : npt.NDArray[np.float64] of shape (features,)
            A model in scaled units; the last entry is the intercept.
        step_size : float
            Step size, for features in [-1, 1].

        Returns
        -------
        npt.NDArray[np.float64] of shape (features,)
            The model after the step.
        """
        moved = model * (1 - step_size * self.l2)
        moved -= np.clip(moved, -step_size * self.l1, step_size * self.l1)
        if self.bound:
            moved = np.clip(moved, -self.bound, self.bound)
        if self.nonnegative:
            moved = np.maximum(moved, 0.0)
        moved[-1] = 0
        length = float(np.linalg.norm(moved))
        if self.radius and length > self.radius:
            moved *= self.radius / length
        moved[-1] = model[-1]
        return moved
