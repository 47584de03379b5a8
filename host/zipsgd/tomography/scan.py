"""A scan as a data set: a ray a row, a pixel a column, and no row kept in memory."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.data import Table

from .geometry import Geometry, disc
from .siddon import fill_rows, project, visits

__all__ = ["RayRows", "Scan"]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]


class RayRows:
    """The rows of a system matrix, computed when they are read: the length of each ray in each pixel.

    Parameters
    ----------
    geometry : Geometry
        The rays.
    places : _Index of shape (n * n,)
        Column of each pixel; -1 for pixels that are left out.
    """

    def __init__(self, geometry: Geometry, places: _Index) -> None:
        self._geometry, self._places = geometry, places
        self._columns = int(places.max(initial=-1)) + 1

    @property
    def shape(self) -> tuple[int, int]:
        """tuple[int, int]: Rays and pixels."""
        return self._geometry.rays, self._columns

    def __getitem__(self, rows: slice | _Index, /) -> npt.NDArray[np.float32]:
        angles, offsets = self._geometry.angles[rows], self._geometry.offsets[rows]
        block = np.zeros((angles.size, self._columns), dtype=np.float32)
        fill_rows(
            self._geometry.side,
            np.ascontiguousarray(angles),
            np.ascontiguousarray(offsets),
            self._places,
            block,
        )
        return block


@dataclass(frozen=True)
class Scan:
    """What a scanner measures, and how an image is made of a model.

    Pixels outside the disc that every view sees are left out: they are 0. So an image of n x n pixels has about 0.79 n^2
    unknowns.

    Parameters
    ----------
    geometry : Geometry
        The rays.
    """

    geometry: Geometry

    @property
    def side(self) -> int:
        """int: Pixels of a side of the image (n)."""
        return self.geometry.side

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """npt.NDArray[np.bool_] of shape (n, n): The pixels that are unknowns."""
        return disc(self.side)

    @property
    def _places(self) -> _Index:
        inside = self.inside.ravel()
        return np.where(inside, np.cumsum(inside) - 1, -1)

    @property
    def rows(self) -> RayRows:
        """RayRows of shape (rays, unknowns): The system matrix."""
        return RayRows(self.geometry, self._places)

    def sinogram(self, image: npt.ArrayLike) -> _Float:
        """Exact integrals of an image along the rays.

        Parameters
        ----------
        image : array of shape (n, n)
            The image, whose pixels outside the disc must be 0.

        Returns
        -------
        _Float of shape (rays,)
            The integrals, in pixels times the image's unit.

        Raises
        ------
        ValueError
            The image has another shape, or a pixel outside the disc is not 0.
        """
        values = np.asarray(image, dtype=np.float64)
        if values.shape != (self.side, self.side):
            raise ValueError(
                f"the image must have {self.side} x {self.side} pixels, not the shape {values.shape}"
            )
        if values[~self.inside].any():
            raise ValueError(
                "some pixels outside the disc are not 0: set them to 0, by image * zipsgd.tomography.disc(side)"
            )
        return project(self.side, self.geometry.angles, self.geometry.offsets, values.ravel())

    def table(self, sinogram: _Float) -> Table:
        """The data set of a scan, to be trained on with ``intercept=False`` and ``nonnegative=True``.

        Parameters
        ----------
        sinogram : _Float of shape (rays,)
            What was measured.

        Returns
        -------
        Table
            A row for each ray and a column for each pixel.
        """
        rows, columns = np.nonzero(self.inside)
        names = tuple(f"row {row} column {column}" for row, column in zip(rows.tolist(), columns.tolist()))
        return Table(self.rows, np.asarray(sinogram, dtype=np.float64), names, "the scan", "integral")

    def image(self, model: npt.ArrayLike) -> _Float:
        """The image of a model.

        Parameters
        ----------
        model : array of shape (unknowns,)
            Weights, such as ``coef`` of a result.

        Returns
        -------
        _Float of shape (n, n)
            The image, 0 outside the disc.
        """
        pixels = np.zeros((self.side, self.side))
        pixels[self.inside] = np.asarray(model, dtype=np.float64)
        return pixels

    def crossings(self) -> _Index:
        """How many unknowns each ray crosses: the values of a row that are not 0.

        Returns
        -------
        npt.NDArray[np.int64] of shape (rays,)
            The counts.
        """
        return visits(self.side, self.geometry.angles, self.geometry.offsets, self._places)
