"""The gradient unit: the double-sampling estimator of a mini-batch's gradient (ZipML, section 2.2)."""

import numpy as np

from zipsgd.protocol.formats import Build

from .quantise import Codes
from .rounding import Int

__all__ = ["gate_weights", "gradient", "transcoded_gradient"]


def gate_weights(delta: Int, m: int, one_sided: bool) -> tuple[Int, Int]:
    """Weights with which the planes of a sample enter the accumulators.

    The symmetric estimator is (Q_1(a) delta_2 + Q_m(a) delta_1) / 2. So the base planes have the weight delta_1 + delta_2. The
    first and the last up plane have the delta of the *other* quantisation. The up planes in between have the weight 0: a
    polynomial loss needs more than two dot products, and those planes are used only for them.

    The one-sided estimator is Q_1(a) delta_2. With m < 2 there is only one quantisation, and the estimator is naive (biased).

    Parameters
    ----------
    delta : npt.NDArray[np.int64] of shape (samples, 1 or 2)
        Step times derivative, from :func:`zipsgd.golden.loss.deltas`.
    m : int
        Number of up planes.
    one_sided : bool
        Use the one-sided estimator instead of the symmetric one.

    Returns
    -------
    base : npt.NDArray[np.int64] of shape (samples,)
        Weight of the base planes, in halves of delta's unit.
    up : npt.NDArray[np.int64] of shape (samples, m)
        Weights of the up planes, in halves of delta's unit.
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
    """Sum of the gradient estimator over the samples of a mini-batch. The result is exact.

    Parameters
    ----------
    codes : Codes
        The mini-batch.
    delta : npt.NDArray[np.int64] of shape (samples, 1 or 2)
        Step times derivative of each sample.
    one_sided : bool
        Use the one-sided estimator instead of the symmetric one.
    build : Build
        Widths and binary points.

    Returns
    -------
    npt.NDArray[np.int64] of shape (features,)
        With ``build.accumulator_frac`` fraction bits.
    """
    base, up = gate_weights(delta, codes.m, one_sided)
    total = codes.base.astype(np.int64).T @ base
    for i in range(codes.m):
        total += (codes.up.astype(np.int64) >> i & 1).T @ up[:, i]
    return total << (build.p_max - codes.p)


def transcoded_gradient(quantised: list[Codes], delta: Int, one_sided: bool, build: Build) -> Int:
    """As :func:`gradient`, for samples whose levels come from a table.

    Parameters
    ----------
    quantised : list[Codes]
        One or two quantisations of the mini-batch, from :func:`zipsgd.golden.levels.transcode`. All planes of a quantisation
        have the weight that its up plane would have.
    delta : npt.NDArray[np.int64] of shape (samples, 1 or 2)
        Step times derivative of each sample.
    one_sided : bool
        Use the one-sided estimator instead of the symmetric one.
    build : Build
        Widths and binary points.

    Returns
    -------
    npt.NDArray[np.int64] of shape (features,)
        With ``build.accumulator_frac`` fraction bits.
    """
    if len(quantised) == 2:
        weights = gate_weights(delta, 2, one_sided)[1]
    else:
        weights = 2 * delta
    total = sum(codes.base.astype(np.int64).T @ weights[:, i] for i, codes in enumerate(quantised))
    return np.asarray(total) << (build.p_max - quantised[0].p)
