"""Rows of features to quantise, in memory or on disk."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from .kernels import read_only, scale_rows

__all__ = ["Rows", "ScaledRows"]


class Rows(Protocol):
    """Features in [-1, 1], shape (rows, features), of which some rows at a time are asked for: an array, for one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> npt.NDArray[np.floating]: ...


class ScaledRows:
    """Rows of a table that stays on disk, scaled when they are asked for.

    Each is what :meth:`zipsgd.data.Scaling.features` makes of it, bit for bit: (value - centre) / spread clipped to [-1, 1],
    as float32, and a last column of ones.

    Parameters
    ----------
    features : real numbers, shape (rows, columns), such as ``numpy.load(path, mmap_mode="r")``.
    centre, spread : shape (columns,).

    Raises ValueError where the shapes do not fit.
    """

    def __init__(
        self,
        features: npt.NDArray[np.generic],
        centre: npt.NDArray[np.float64],
        spread: npt.NDArray[np.float64],
    ) -> None:
        if features.ndim != 2 or not centre.shape == spread.shape == features.shape[1:]:
            raise ValueError(
                f"features must be (rows, columns), centre and spread (columns,), not {features.shape}, {centre.shape} and "
                f"{spread.shape}"
            )
        self._features = features
        self._centre, self._spread = read_only(centre), read_only(spread)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and features with the constant one."""
        return self._features.shape[0], self._features.shape[1] + 1

    def __getitem__(self, rows: npt.NDArray[np.int64], /) -> npt.NDArray[np.float32]:
        block = self._features[rows]
        kind = np.float32 if block.dtype == np.float32 else np.float64
        values: npt.NDArray[np.floating] = block.astype(kind, copy=False)
        scaled = np.empty((values.shape[0], values.shape[1] + 1), dtype=np.float32)
        scale_rows(read_only(values), self._centre, self._spread, scaled)
        return scaled
