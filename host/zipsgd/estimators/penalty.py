"""Regularisers by scikit-learn's names."""

from zipsgd.training.regulariser import Regulariser

from .checks import number

__all__ = ["PENALTIES", "regulariser"]

PENALTIES = (None, "l2", "l1", "elasticnet")


def regulariser(penalty: str | None, alpha: float, l1_ratio: float) -> Regulariser:
    """Raises ValueError for a penalty that there is not, a strength below 0, or a ratio outside [0, 1]."""
    if penalty not in PENALTIES:
        raise ValueError(f"penalty must be one of {', '.join(map(repr, PENALTIES))}, not {penalty!r}")
    if not 0 <= number("alpha", alpha) < float("inf"):
        raise ValueError(f"alpha must be 0 or a positive number, not {alpha}")
    if not 0 <= number("l1_ratio", l1_ratio) <= 1:
        raise ValueError(f"l1_ratio must be in 0..1, not {l1_ratio}")
    share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
    return Regulariser(0.0 if penalty is None else alpha * (1 - share), alpha * share)
