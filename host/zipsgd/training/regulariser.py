"""Regularisers, as the device's proximal steps and in float64."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zipsgd.golden.prox import NO_PROX, Prox
from zipsgd.protocol.formats import Build

__all__ = ["Regulariser"]

_LEAST_SHRINK = 2.0**-24
_LEAST_THRESHOLD = 2.0**-8
"""Of the model's last bit. What is less, the device cannot resolve."""


@dataclass(frozen=True)
class Regulariser:
    """``l2`` / 2 ||w||^2 + ``l1`` ||w||_1 of the model w of scaled features, without its intercept; each entry of w stays
    within ``bound`` of 0, and w in a ball of ``radius`` (0: no bound, no ball).

    Raises ValueError for what is negative or not finite.
    """

    l2: float = 0.0
    l1: float = 0.0
    bound: float = 0.0
    radius: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l2", "l1", "bound", "radius"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} must be 0 or a positive number, not {value}")

    @property
    def any(self) -> bool:
        return max(self.l2, self.l1, self.bound, self.radius) > 0

    def scaled(self, scale: float) -> "Regulariser":
        """For a device whose model is 1 / ``scale`` of the one that is meant, and which minimises 1 / ``scale`` of the loss."""
        return replace(self, l2=self.l2 * scale, bound=self.bound / scale, radius=self.radius / scale)

    def prox(self, step_size: float, scale: float, build: Build) -> Prox:
        """Of a mini-batch. ``scale``: of :class:`zipsgd.training.Task`. Raises ValueError if too strong for the step."""
        if not self.any:
            return NO_PROX
        shrink, threshold = step_size * self.l2, step_size * self.l1 / scale
        return Prox.nearest(
            build,
            shrink=shrink if shrink >= _LEAST_SHRINK else 0.0,
            threshold=threshold if threshold >= _LEAST_THRESHOLD * 2.0**-build.model_frac else 0.0,
            bound=self.bound / scale,
            radius=self.radius / scale,
            spare_last=True,
        )

    def apply(self, model: npt.NDArray[np.float64], step_size: float) -> npt.NDArray[np.float64]:
        """The proximal step on a model in scaled units, whose last entry is the intercept, in float64."""
        moved = model * (1 - step_size * self.l2)
        moved -= np.clip(moved, -step_size * self.l1, step_size * self.l1)
        if self.bound:
            moved = np.clip(moved, -self.bound, self.bound)
        moved[-1] = 0
        length = float(np.linalg.norm(moved))
        if self.radius and length > self.radius:
            moved *= self.radius / length
        moved[-1] = model[-1]
        return moved
