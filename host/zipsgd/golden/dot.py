"""The bit-serial dot product (DESIGN section 4).

One plane at a time gates the words of Q3(x) into a sum; Horner's rule weighs the base planes; each up plane is one more
plane of the last weight, added to its own z. With m up planes this gives m dot products z_1 ... z_m of independently
quantised samples for the price of p + m planes.
"""

import numpy as np

from .quantise import Codes
from .rounding import Int
from .weave import planes

__all__ = ["dot"]


def dot(codes: Codes, q3: Int) -> Int:
    """z_i = (k + u_i)^T q3 for each sample, shape (samples, max(1, m)); with m = 0 the one column is k^T q3.

    ``q3``: int64, shape (features,). Units: the last base plane times Q3's last bit. Exact.
    """
    partial = planes(codes).astype(np.int64) @ q3
    base = -partial[:, 0]  # the first plane carries the sign
    for i in range(1, codes.p):
        base = (base << 1) + partial[:, i]
    if codes.m == 0:
        return base[:, None]
    return base[:, None] + partial[:, codes.p :]
