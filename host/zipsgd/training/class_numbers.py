"""Numbers of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["numbers_of"]


def numbers_of(labels: npt.NDArray[Any], classes: Sequence[float] | Sequence[str]) -> npt.NDArray[np.int64]:
    """The class number of each label.

    Parameters
    ----------
    labels : array of shape (rows,)
        Labels of rows.
    classes : sequence of float or str
        The labels of the classes in ascending order.

    Returns
    -------
    npt.NDArray[np.int64] of shape (rows,)
        Places among the classes; -1 for a label that is none of them.
    """
    known = np.array(classes)
    places = np.minimum(np.searchsorted(known, labels), known.size - 1)
    return np.where(known[places] == labels, places, -1)
