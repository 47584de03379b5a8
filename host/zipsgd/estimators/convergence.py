"""The warning of the estimators that a fit went wrong."""

import warnings

from sklearn.exceptions import ConvergenceWarning as SklearnWarning

from zipsgd.training.guard import ConvergenceWarning as TrainingWarning
from zipsgd.training.guard import Finding, describe

__all__ = ["ConvergenceWarning", "warn"]


class ConvergenceWarning(TrainingWarning, SklearnWarning):
    """The warning of :func:`zipsgd.train` and that of scikit-learn in one, so that filters for either of them apply."""


def warn(found: list[Finding], stacklevel: int) -> None:
    """Warn of the findings of a fit, if there are any.

    Parameters
    ----------
    found : list of Finding
        What went wrong.
    stacklevel : int
        Frames from here to the user's call.

    Warns
    -----
    ConvergenceWarning
        There are findings.
    """
    if found:
        warnings.warn(describe(found), ConvergenceWarning, stacklevel=stacklevel + 1)
