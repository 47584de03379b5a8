"""Levels placed where the values are: least variance of stochastic quantisation (ZipML, section 3).

A value x between neighbouring levels l <= x <= u becomes u with probability (x - l) / (u - l), else l: its mean is x, and its
variance (u - x)(x - l). :func:`levels` places a number of levels so that the sum of the variances is least, or nearly so.

The problem, its O(k N) dynamic programme and the closed form of a level between two others are from Zhang et al., *ZipML* (ICML
2017), and Ben Basat et al., *Optimal and Approximate Adaptive Stochastic Quantization* (NeurIPS 2024). The solver's own ideas,
brackets that hold every optimal set and a bound on what a coarse grid loses, are in :mod:`.brackets` and :mod:`.solver`.
"""

from .api import Levels, Method, levels, variance

__all__ = ["Levels", "Method", "levels", "variance"]
