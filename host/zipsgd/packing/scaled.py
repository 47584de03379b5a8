"""Rows of a table that are scaled on request."""

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Rows

from .kernels import read_only, scale_rows

__all__ = ["ScaledRows"]


class ScaledRows:
    """Rows of features in [-1, 1] times ``scale``, computed on request from a table that is not copied.

    A value becomes (value - centre) / spread, clipped to [-1, 1], in float64. The result is converted to float32 and multiplied
    by ``scale``. The last column holds ``constant`` times ``scale``; it belongs to the intercept.

    Parameters
    ----------
    features : Rows of shape (rows, columns)
        Real numbers in the units of the data.
    centre : npt.NDArray[np.float64] of shape (columns,)
        Centre of each column, from :class:`zipsgd.data.Scaling`.
    spread : npt.NDArray[np.float64] of shape (columns,)
        Spread of each column.
    scale : float
        1, or the scale of a device's levels.
    constant : float
        1, or 0 for a model without an intercept.

    Raises
    ------
    ValueError
        The shapes do not match.
    """

    def __init__(
        self,
        features: Rows,
        centre: npt.NDArray[np.float64],
        spread: npt.NDArray[np.float64],
        scale: float = 1.0,
        constant: float = 1.0,
    ) -> None:
        if len(features.shape) != 2 or not centre.shape == spread.shape == features.shape[1:]:
            raise ValueError(
                f"features must have the shape (rows, columns), centre and spread (columns,), not {features.shape}, "
                f"{centre.shape} and {spread.shape}"
            )
        self._features = features
        self._centre, self._spread = read_only(centre), read_only(spread)
        self._scale, self._last = np.float32(scale), np.float32(constant * scale)

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Rows, and features including the constant one."""
        return self._features.shape[0], self._features.shape[1] + 1

    def __getitem__(self, rows: slice | npt.NDArray[np.int64], /) -> npt.NDArray[np.float32]:
        block = self._features[rows]
        kind = np.float32 if block.dtype == np.float32 else np.float64
        values: npt.NDArray[np.floating] = block.astype(kind, copy=False)
        scaled = np.empty((values.shape[0], values.shape[1] + 1), dtype=np.float32)
        scale_rows(read_only(values), self._centre, self._spread, self._scale, self._last, scaled)
        return scaled
