"""How near a reconstruction is to the image."""

import numpy as np
import numpy.typing as npt

from zipsgd.extras import extra

__all__ = ["relative_error", "structural_similarity"]

_Float = npt.NDArray[np.float64]


def relative_error(image: _Float, exact: _Float) -> float:
    """The root of the mean squared error, relative to that of an empty image.

    Parameters
    ----------
    image, exact : _Float of shape (n, n)
        Reconstruction, and the image, which is not all 0.

    Returns
    -------
    float
        0 for the image itself, 1 for an empty one.
    """
    return float(np.linalg.norm(image - exact) / np.linalg.norm(exact))


def structural_similarity(image: _Float, exact: _Float) -> float:
    """SSIM of scikit-image, with its usual window (extra ``tomography``).

    Parameters
    ----------
    image, exact : _Float of shape (n, n)
        Reconstruction, and the image; of 7 x 7 pixels or more.

    Returns
    -------
    float
        1 for the image itself; less for others.
    """
    with extra("tomography", "the structural similarity"):
        from skimage.metrics import structural_similarity as ssim
    return float(ssim(image, exact, data_range=float(np.ptp(exact))))
