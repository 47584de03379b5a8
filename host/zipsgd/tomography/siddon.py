"""The lengths of lines in the pixels of an image, exact, by Siddon's method (Medical Physics 12, 1985)."""

import math

import numpy as np
import numpy.typing as npt

from zipsgd.compiled import compiled

__all__ = ["fill_rows", "project", "visits"]

_Float = npt.NDArray[np.float64]
_Index = npt.NDArray[np.int64]

_PARALLEL = 1e-12
"""A line whose direction has a smaller component never leaves its row or column of pixels."""
_SHORTEST = 1e-9
"""A line in the corner of a pixel: shorter pieces are rounding errors."""


@compiled
def _walk(side: int, angle: float, offset: float, pixels: _Index, lengths: _Float) -> int:
    """The pixels on a line, one after another, and the length of the line in each. Returns their number, at most 2 n.

    Coordinates are those of the image's array: u from left to right and v downwards, both from 0 to n.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    du, dv = -sin, -cos  # along the line; y points upwards, v downwards
    u0, v0 = offset * cos + side // 2 + 0.5, -offset * sin + side // 2 + 0.5
    enter, leave = -math.inf, math.inf
    for start, step in ((u0, du), (v0, dv)):
        if abs(step) < _PARALLEL:
            if start < 0 or start >= side:
                return 0
        else:
            one, other = -start / step, (side - start) / step
            enter, leave = max(enter, min(one, other)), min(leave, max(one, other))
    count = 0
    here = enter
    while here < leave - _SHORTEST:
        # The next line of the grid in either direction, from a point just behind the last one
        following = leave
        for start, step in ((u0, du), (v0, dv)):
            if abs(step) >= _PARALLEL:
                place = start + (here + _SHORTEST) * step
                border = math.floor(place) + 1 if step > 0 else math.ceil(place) - 1
                following = min(following, (border - start) / step)
        if following - here > _SHORTEST:
            middle = (here + following) / 2
            column = min(max(math.floor(u0 + middle * du), 0), side - 1)
            row = min(max(math.floor(v0 + middle * dv), 0), side - 1)
            pixels[count] = row * side + column
            lengths[count] = following - here
            count += 1
        here = max(following, here + _SHORTEST)
    return count


@compiled
def fill_rows(
    side: int, angles: _Float, offsets: _Float, places: _Index, out: npt.NDArray[np.float32]
) -> None:
    """The rows of the system matrix of some rays.

    Parameters
    ----------
    side : int
        Pixels of a side of the image (n).
    angles, offsets : _Float of shape (rays,)
        The lines.
    places : _Index of shape (n * n,)
        Column of each pixel; -1 for pixels that are left out.
    out : npt.NDArray[np.float32] of shape (rays, columns)
        Receives lengths in pixels; it must be 0 before.
    """
    pixels, lengths = np.empty(2 * side + 2, dtype=np.int64), np.empty(2 * side + 2)
    for ray in range(angles.size):
        count = _walk(side, angles[ray], offsets[ray], pixels, lengths)
        for k in range(count):
            place = places[pixels[k]]
            if place >= 0:
                out[ray, place] = lengths[k]


@compiled
def project(side: int, angles: _Float, offsets: _Float, image: _Float) -> _Float:
    """Integrals of an image along lines.

    Parameters
    ----------
    side : int
        Pixels of a side of the image (n).
    angles, offsets : _Float of shape (rays,)
        The lines.
    image : _Float of shape (n * n,)
        The image, row by row.

    Returns
    -------
    _Float of shape (rays,)
        The integrals.
    """
    pixels, lengths = np.empty(2 * side + 2, dtype=np.int64), np.empty(2 * side + 2)
    sums = np.zeros(angles.size)
    for ray in range(angles.size):
        count = _walk(side, angles[ray], offsets[ray], pixels, lengths)
        for k in range(count):
            sums[ray] += image[pixels[k]] * lengths[k]
    return sums


@compiled
def visits(side: int, angles: _Float, offsets: _Float, places: _Index) -> _Index:
    """How many pixels each line crosses.

    Parameters
    ----------
    side, angles, offsets, places
        See :func:`fill_rows`.

    Returns
    -------
    _Index of shape (rays,)
        Pixels that are not left out.
    """
    pixels, lengths = np.empty(2 * side + 2, dtype=np.int64), np.empty(2 * side + 2)
    counts = np.zeros(angles.size, dtype=np.int64)
    for ray in range(angles.size):
        for k in range(_walk(side, angles[ray], offsets[ray], pixels, lengths)):
            counts[ray] += places[pixels[k]] >= 0
    return counts
