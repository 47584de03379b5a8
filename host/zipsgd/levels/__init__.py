"""Quantisation levels placed where the values are: for stochastic rounding (ZipML, section 3), and for nearest rounding.

A value x between neighbouring levels l <= x <= u is rounded to u with probability (x - l) / (u - l), and else to l. Its mean is
x, and its variance (u - x)(x - l). :func:`levels` places a given number of levels so that the sum of the variances is minimal,
or nearly so. :func:`nearest_levels` places levels to which each value is rounded as it is, so that the sum of the squared
errors is minimal.

The problem, its O(k N) dynamic programme, and the closed form for a level between two others are from Zhang et al., *ZipML*
(ICML 2017), and Ben Basat et al., *Optimal and Approximate Adaptive Stochastic Quantization* (NeurIPS 2024). New in this solver
are brackets that contain every optimal set, and a bound on the loss of a coarse grid; see :mod:`.brackets` and :mod:`.solver`.
"""

from .api import Levels, Method, levels, variance
from .nearest import NearestLevels, nearest_levels, squared_error

__all__ = ["Levels", "Method", "NearestLevels", "levels", "nearest_levels", "squared_error", "variance"]
