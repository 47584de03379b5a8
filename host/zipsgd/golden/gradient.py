"""The gradient unit: double sampling (ZipML, section 2.2; DESIGN section 4)."""

import numpy as np

from zipsgd.protocol.formats import Build

from .quantise import Codes
from .rounding import Int

__all__ = ["gate_weights", "gradient", "transcoded_gradient"]


def gate_weights(delta: Int, m: int, one_sided: bool) -> tuple[Int, Int]:
    """What the planes of a sample gate into the accumulators, in halves of delta's unit.

    ``delta``: shape (samples, 1 or 2). Returns (base, up): ``base`` of shape (samples,) for the base planes, ``up`` of
    shape (samples, m) for the up planes.

    Symmetric: (Q_1(a) delta_2 + Q_m(a) delta_1) / 2, so the base planes gate delta_1 + delta_2, and the first and the last up
    plane the *other* one's delta; those between have served the dot products, which a polynomial takes more than two of.
    One-sided: Q_1(a) delta_2. With m < 2 there is one sample, and the estimator is naive.
    """
    up = np.zeros((delta.shape[0], m), dtype=np.int64)
    if m >= 2 and not one_sided:
        up[:, 0], up[:, -1] = delta[:, 1], delta[:, 0]
        return delta[:, 0] + delta[:, 1], up
    last = 2 * delta[:, -1]
    if m:
        up[:, 0] = last
    return last, up


def gradient(codes: Codes, delta: Int, one_sided: bool, build: Build) -> Int:
    """Exact sum over the samples of the estimator, int64 of shape (features,), with build.accumulator_frac fraction bits."""
    base, up = gate_weights(delta, codes.m, one_sided)
    total = codes.base.astype(np.int64).T @ base
    for i in range(codes.m):
        total += (codes.up.astype(np.int64) >> i & 1).T @ up[:, i]
    return total << (build.p_max - codes.p)


def transcoded_gradient(quantised: list[Codes], delta: Int, one_sided: bool, build: Build) -> Int:
    """The same of transcoded samples (:func:`zipsgd.golden.levels.transcode`), whose planes gate what an up plane else does."""
    if len(quantised) == 2:
        weights = gate_weights(delta, 2, one_sided)[1]
    else:
        weights = 2 * delta
    total = sum(codes.base.astype(np.int64).T @ weights[:, i] for i, codes in enumerate(quantised))
    return np.asarray(total) << (build.p_max - quantised[0].p)
