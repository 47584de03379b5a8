"""Random quantised samples and hypothesis strategies for the tests of the golden model."""

import numpy as np
from hypothesis import strategies as st

from zipsgd.golden.quantise import Codes

__all__ = ["base_planes", "quantised_values", "random_codes", "seeds", "up_planes"]

seeds = st.integers(0, 2**32 - 1)
base_planes = st.integers(1, 8)
up_planes = st.integers(0, 2)


def random_codes(seed: int, count: int, features: int, p: int, m: int) -> Codes:
    rng = np.random.default_rng(seed)
    return Codes(
        rng.integers(-(1 << (p - 1)), 1 << (p - 1), (count, features)).astype(np.int8),
        rng.integers(0, 1 << m, (count, features)).astype(np.uint8),
        rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16),
        p,
        m,
    )


def quantised_values(codes: Codes) -> list[np.ndarray]:
    """Q_i in units of the last base plane, for each i."""
    base = codes.base.astype(np.int64)
    return [base + (codes.up >> i & 1) for i in range(codes.m)] or [base]
