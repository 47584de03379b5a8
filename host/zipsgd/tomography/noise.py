"""Photon noise: detectors count photons, and few come through where much is in their way."""

import numpy as np
import numpy.typing as npt

__all__ = ["photon_noise"]

_Float = npt.NDArray[np.float64]


def photon_noise(sinogram: _Float, photons: float, *, seed: int = 0, deepest: float = 4.0) -> _Float:
    """A sinogram from counted photons (Beer and Lambert's law).

    Of the photons of a ray, the share exp(-a) comes through, where a is proportional to the integral along the ray. The count
    is Poisson distributed. The measurement is the logarithm of the count, in the sinogram's unit. A ray of which no photon
    comes through counts as one photon.

    Parameters
    ----------
    sinogram : _Float of shape (rays,)
        Exact integrals, 0 or positive.
    photons : float
        Photons that are sent along each ray, 1 or more.
    seed : int
        Seed of the counts.
    deepest : float
        a of the largest integral.

    Returns
    -------
    _Float of shape (rays,)
        Integrals with noise. Some may be slightly negative.

    Raises
    ------
    ValueError
        There are no photons, or no attenuation.
    """
    if not 1 <= photons < np.inf:
        raise ValueError(f"photons must be 1 or more for each ray, not {photons}")
    if not 0 < deepest < np.inf:
        raise ValueError(f"deepest must be positive, not {deepest}")
    most = float(np.max(sinogram, initial=0.0))
    unit = most / deepest if most > 0 else 1.0
    counts = np.random.default_rng(seed).poisson(photons * np.exp(-np.asarray(sinogram) / unit))
    return np.asarray(-np.log(np.maximum(counts, 1) / photons) * unit)
