"""What a backend has besides if it shares the work among others."""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Distributed"]


@runtime_checkable
class Distributed(Protocol):
    """A backend that deals the rows out to shards.

    With momentum, it begins an epoch from other models than the last one gave.
    """

    def ahead(self) -> npt.NDArray[np.int64] | None:
        """The models that the next epoch begins from.

        Returns
        -------
        npt.NDArray[np.int64] of shape (heads, features) or None
            Their words; None where they are those of :meth:`Backend.model`.
        """

    def begin_ahead(self, words: npt.NDArray[np.int64]) -> None:
        """Begin the next epoch from other models than :meth:`Backend.begin` was given, so that a saved run goes on.

        Parameters
        ----------
        words : npt.NDArray[np.int64] of shape (heads, features)
            What :meth:`ahead` said.
        """

    def capacity(self) -> int:
        """How many shards are trained at the same time.

        Returns
        -------
        int
            Number of workers; 0 if it is not known.
        """
