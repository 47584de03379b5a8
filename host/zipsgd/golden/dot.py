"""The bit-serial dot product of a sample's planes with the model (ZipML, section 2.2; ``docs/architecture.md``, Datapath).

Each plane selects words of Q3(x) and adds them up. Horner's rule weights the base planes. Each up plane has the weight of the
last base plane, and contributes only to its own z. So m up planes give m dot products z_1 ... z_m of independently quantised
samples for the cost of p + m planes.
"""

import numpy as np

from .quantise import Codes
from .rounding import Int
from .weave import planes

__all__ = ["dot", "score_words"]


def dot(codes: Codes, q3: Int) -> Int:
    """Dot products z_i = (k + u_i)^T q3 of each sample. The result is exact.

    Parameters
    ----------
    codes : Codes
        Quantised samples.
    q3 : npt.NDArray[np.int64] of shape (features,)
        The rounded model.

    Returns
    -------
    npt.NDArray[np.int64] of shape (samples, max(1, m))
        In units of the last base plane times Q3's last bit. With m = 0, the single column is k^T q3.
    """
    partial = planes(codes).astype(np.int64) @ q3
    base = -partial[:, 0]  # the first plane carries the sign
    for i in range(1, codes.p):
        base = (base << 1) + partial[:, i]
    if codes.m == 0:
        return base[:, None]
    return base[:, None] + partial[:, codes.p :]


def score_words(z: Int) -> Int:
    """Scores as a device keeps them: words of 32 bits.

    Parameters
    ----------
    z : npt.NDArray[np.int64] of any shape
        Dot products. A host that wants them back has a model of whose scores none exceeds 32 bits.

    Returns
    -------
    npt.NDArray[np.int64] of the same shape
        The low 32 bits, signed.
    """
    return z.astype(np.int32).astype(np.int64)
