"""Lines through an image: which rays a scanner measures.

A line has an angle t and an offset s: the points with x cos t + y sin t = s. x goes to the right and y upwards, in pixels, and
the origin is the middle of the pixel in row n // 2 and column n // 2, as in scikit-image. A parallel beam has the same offsets
at every angle. A fan beam's rays meet in the source, which turns about the image; each of them is a line of another angle.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Geometry", "disc"]

_Float = npt.NDArray[np.float64]


def disc(side: int) -> npt.NDArray[np.bool_]:
    """The pixels that a scanner sees at every angle.

    Parameters
    ----------
    side : int
        Pixels of a side of the image (n), 2 or more.

    Returns
    -------
    npt.NDArray[np.bool_] of shape (n, n)
        Whether the middle of a pixel is within n // 2 of the origin.

    Raises
    ------
    ValueError
        The image is too small.
    """
    if side < 2:
        raise ValueError(f"an image has a side of 2 pixels or more, not {side}")
    away = np.arange(side) - side // 2
    return np.asarray(np.hypot(away[:, None], away) <= side // 2)


@dataclass(frozen=True)
class Geometry:
    """The rays of a scan.

    Parameters
    ----------
    side : int
        Pixels of a side of the image (n).
    angles : _Float of shape (rays,)
        Angle of each line, in radians.
    offsets : _Float of shape (rays,)
        Offset of each line, in pixels.
    views : int
        Positions of the scanner. Each has as many rays, and they follow one another.

    Raises
    ------
    ValueError
        The image is too small, or the rays are not those of whole views.
    """

    side: int
    angles: _Float
    offsets: _Float
    views: int

    def __post_init__(self) -> None:
        disc(self.side)
        if self.angles.ndim != 1 or self.angles.shape != self.offsets.shape or not self.angles.size:
            raise ValueError(
                f"angles and offsets must be vectors of the same length, one ray or more, not {self.angles.shape} and "
                f"{self.offsets.shape}"
            )
        if self.views < 1 or self.angles.size % self.views:
            raise ValueError(f"{self.angles.size} rays do not make {self.views} views of as many rays each")

    @property
    def rays(self) -> int:
        """int: Number of rays."""
        return self.angles.size

    @classmethod
    def parallel(cls, side: int, views: int, detectors: int | None = None) -> "Geometry":
        """A parallel beam at angles evenly spaced over half a turn, with detectors a pixel apart.

        Parameters
        ----------
        side : int
            Pixels of a side of the image (n).
        views : int
            Angles, 1 or more.
        detectors : int or None
            Rays of an angle; None for n. Offsets are whole numbers, from -(detectors // 2) on.

        Returns
        -------
        Geometry
            The rays, those of the first angle first.
        """
        places = _places(side if detectors is None else detectors, "detectors")
        turned = np.pi * _places(views, "views", first=0) / views
        return cls(side, np.repeat(turned, places.size), np.tile(places, turned.size), views)

    @classmethod
    def fan(
        cls, side: int, views: int, detectors: int | None = None, *, distance: float | None = None
    ) -> "Geometry":
        """A fan beam: a source that turns once about the image, and detectors that see the disc at even angles.

        Parameters
        ----------
        side : int
            Pixels of a side of the image (n).
        views : int
            Positions of the source, 1 or more.
        detectors : int or None
            Rays of a position; None for n.
        distance : float or None
            From the source to the origin, in pixels, more than n / 2; None for twice the side.

        Returns
        -------
        Geometry
            The rays, those of the first position first.

        Raises
        ------
        ValueError
            The source is within the image's disc.
        """
        distance = 2.0 * side if distance is None else float(distance)
        if not side / 2 < distance < np.inf:
            raise ValueError(
                f"the source must be outside the image's disc, more than {side / 2:g} pixels away, not {distance:g}"
            )
        count = side if detectors is None else detectors
        within = np.arcsin(side / 2 / distance)  # half of the fan
        fan = within * (2 * _places(count, "detectors", first=0) + 1 - count) / count
        turned = 2 * np.pi * _places(views, "views", first=0) / views
        angles = (turned[:, None] + fan).ravel()
        return cls(side, angles, np.tile(distance * np.sin(fan), turned.size), views)


def _places(count: int, what: str, first: int | None = None) -> _Float:
    """``count`` numbers one apart, from ``first`` on, by default with 0 in the middle."""
    if count < 1:
        raise ValueError(f"a scan has 1 or more {what}, not {count}")
    return np.arange(count, dtype=np.float64) + (-(count // 2) if first is None else first)
