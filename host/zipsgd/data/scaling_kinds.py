"""The kinds of scaling: which part of a column's range becomes [-1, 1]."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zipsgd.rows import Ranges, Rows

from .spread import deviations, inner, sample_of

__all__ = ["KINDS", "Ends", "Kind"]

_Float = npt.NDArray[np.float64]


class Ends(NamedTuple):
    """The part of each column that is scaled to [-1, 1].

    Parameters
    ----------
    centre : npt.NDArray[np.float64] of shape (columns,)
        What becomes 0.
    low, high : npt.NDArray[np.float64] of shape (columns,)
        The end that is farther from the centre becomes -1 or +1.
    """

    centre: _Float
    low: _Float
    high: _Float

    @property
    def spread(self) -> _Float:
        """_Float of shape (columns,): Distance of the farther end from the centre, which becomes 1."""
        return np.maximum(self.high - self.centre, self.centre - self.low)


@dataclass(frozen=True)
class Kind:
    """A kind of scaling.

    Parameters
    ----------
    summary : str
        What it does, in a few words.
    ends : Callable[[Rows, Ranges, float], Ends]
        The part of each column that is kept, from the rows, the range of each column, and the share of values to clip.
    clips : bool
        Whether values may be clipped.
    """

    summary: str
    ends: Callable[[Rows, Ranges, float], Ends]
    clips: bool = False


def _range(rows: Rows, found: Ranges, clip: float) -> Ends:
    return Ends(np.clip(found.mean, found.low, found.high), found.low, found.high)


def _standard(rows: Rows, found: Ranges, clip: float) -> Ends:
    reach = NormalDist().inv_cdf(1 - clip / 2) * deviations(rows, found)
    return Ends(
        np.clip(found.mean, found.low, found.high),
        np.maximum(found.low, found.mean - reach),
        np.minimum(found.high, found.mean + reach),
    )


def _quantile(rows: Rows, found: Ranges, clip: float) -> Ends:
    low, high, mean = inner(rows[sample_of(*rows.shape)].astype(np.float64), clip)
    kept = low < high  # otherwise nearly all values are equal, and the others are what the column says
    return Ends(
        *(
            np.where(kept, part, all_)
            for part, all_ in zip((mean, low, high), _range(rows, found, clip), strict=True)
        )
    )


def _one_scale(rows: Rows, found: Ranges, clip: float) -> Ends:
    most = np.maximum(np.abs(found.low), np.abs(found.high)).max(initial=0.0)
    return Ends(np.zeros_like(found.low), np.full_like(found.low, -most), np.full_like(found.high, most))


KINDS: dict[str, Kind] = {
    "range": Kind("from the least to the greatest value, about the mean; nothing is clipped", _range),
    "standard": Kind(
        "3.3 standard deviations about the mean (as many as leave out the share CLIP of normal values)",
        _standard,
        clips=True,
    ),
    "quantile": Kind("all but the share CLIP of the values, half of it at either end", _quantile, clips=True),
    "none": Kind(
        "one scale for all columns, and no centring: 0 stays 0, for images and sparse data", _one_scale
    ),
}
"""The kinds by name. Values beyond the ends are clipped."""
