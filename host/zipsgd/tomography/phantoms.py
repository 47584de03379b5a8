"""Images to reconstruct, made by scikit-image (extra ``tomography``)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from zipsgd.extras import extra

from .geometry import disc

__all__ = ["PHANTOMS", "foam", "shepp_logan"]

_Float = npt.NDArray[np.float64]


def shepp_logan(side: int) -> _Float:
    """The Shepp-Logan phantom, a head, with the contrasts that can be seen.

    Parameters
    ----------
    side : int
        Pixels of a side (n).

    Returns
    -------
    _Float of shape (n, n)
        Values from 0 to 1, 0 outside the disc.
    """
    with extra("tomography", "a phantom"):
        from skimage.data import shepp_logan_phantom
        from skimage.transform import resize
    image = resize(shepp_logan_phantom(), (side, side), anti_aliasing=True)
    return np.asarray(np.clip(image, 0.0, 1.0) * disc(side), dtype=np.float64)


def foam(side: int, seed: int = 0) -> _Float:
    """Bubbles in a matter of two densities: edges everywhere, and no smooth part.

    Parameters
    ----------
    side : int
        Pixels of a side (n).
    seed : int
        Determines the bubbles.

    Returns
    -------
    _Float of shape (n, n)
        0, 0.5 and 1, 0 outside the disc.
    """
    with extra("tomography", "a phantom"):
        from skimage.data import binary_blobs
    coarse, fine = (
        binary_blobs(side, blob_size_fraction=size, volume_fraction=share, rng=seed + number)
        for number, (size, share) in enumerate([(0.25, 0.6), (0.1, 0.4)])
    )
    return np.asarray((0.5 * coarse + 0.5 * (coarse & fine)) * disc(side), dtype=np.float64)


PHANTOMS: dict[str, Callable[[int], _Float]] = {"Shepp-Logan": shepp_logan, "foam": foam}
"""Phantoms by name: functions of the side."""
