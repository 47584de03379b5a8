"""Regularisers by scikit-learn's names, as the device's proximal steps."""

from dataclasses import dataclass
from typing import Self

from zipsgd.golden.prox import NO_PROX, Prox
from zipsgd.protocol.formats import Build

__all__ = ["PENALTIES", "Regulariser"]

PENALTIES = (None, "l2", "l1", "elasticnet")

_LEAST_SHRINK = 2.0**-24
_LEAST_THRESHOLD = 2.0**-8
"""Of the model's last bit. What is less, the device cannot resolve."""


@dataclass(frozen=True)
class Regulariser:
    """``l2`` / 2 ||w||^2 + ``l1`` ||w||_1, of the model of scaled features, without its intercept."""

    l2: float
    l1: float

    @classmethod
    def named(cls, penalty: str | None, alpha: float, l1_ratio: float) -> Self:
        """Raises ValueError for a penalty that there is not, a strength below 0, or a ratio outside [0, 1]."""
        if penalty not in PENALTIES:
            raise ValueError(f"penalty must be one of {', '.join(map(repr, PENALTIES))}, not {penalty!r}")
        if not 0 <= alpha < float("inf"):
            raise ValueError(f"alpha must be 0 or a positive number, not {alpha}")
        if not 0 <= l1_ratio <= 1:
            raise ValueError(f"l1_ratio must be in 0..1, not {l1_ratio}")
        share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
        return cls(0.0 if penalty is None else alpha * (1 - share), alpha * share)

    @property
    def any(self) -> bool:
        return self.l2 > 0 or self.l1 > 0

    def prox(self, step_size: float, scale: float, build: Build) -> Prox:
        """Of a mini-batch. ``scale``: of :class:`zipsgd.training.Task`. Raises ValueError if too strong for the step."""
        if not self.any:
            return NO_PROX
        shrink, threshold = step_size * self.l2, step_size * self.l1 / scale
        return Prox.nearest(
            build,
            shrink=shrink if shrink >= _LEAST_SHRINK else 0.0,
            threshold=threshold if threshold >= _LEAST_THRESHOLD * 2.0**-build.model_frac else 0.0,
            spare_last=True,
        )
