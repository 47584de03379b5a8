"""Tomography: an image from integrals along rays, as least squares with a ray a row and a pixel a column."""

from .geometry import Geometry, disc
from .noise import photon_noise
from .phantoms import PHANTOMS, foam, shepp_logan
from .quality import relative_error, structural_similarity
from .scan import RayRows, Scan

__all__ = [
    "PHANTOMS",
    "Geometry",
    "RayRows",
    "Scan",
    "disc",
    "foam",
    "photon_noise",
    "relative_error",
    "shepp_logan",
    "structural_similarity",
]
