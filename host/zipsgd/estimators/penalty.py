"""Regularisers with scikit-learn's names and parameters."""

from zipsgd.training.regulariser import Regulariser

from .checks import number

__all__ = ["PENALTIES", "regulariser"]

PENALTIES = (None, "l2", "l1", "elasticnet")
"""Values of the parameter ``penalty``."""


def regulariser(penalty: str | None, alpha: float, l1_ratio: float) -> Regulariser:
    """The regulariser for scikit-learn's parameters.

    Parameters
    ----------
    penalty : str or None
        One of :data:`PENALTIES`.
    alpha : float
        Strength, 0 or positive.
    l1_ratio : float
        Share of the L1 penalty in "elasticnet", 0 to 1.

    Returns
    -------
    Regulariser
        The regulariser.

    Raises
    ------
    ValueError
        There is no such penalty, or a number is out of range.
    """
    if penalty not in PENALTIES:
        raise ValueError(f"penalty must be one of {', '.join(map(repr, PENALTIES))}, not {penalty!r}")
    if not 0 <= number("alpha", alpha) < float("inf"):
        raise ValueError(f"alpha must be 0 or a positive number, not {alpha}")
    if not 0 <= number("l1_ratio", l1_ratio) <= 1:
        raise ValueError(f"l1_ratio must be in 0..1, not {l1_ratio}")
    share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
    return Regulariser(0.0 if penalty is None else alpha * (1 - share), alpha * share)
