"""Check the bytes of a sample on the wire: features are not padded to the number of lanes, and the intercept takes none."""

import numpy as np

from zipsgd.golden.quantise import Codes
from zipsgd.golden.weave import weave
from zipsgd.protocol.samples import SampleLayout

from .registry import Bench, Result

__all__ = ["BENCH", "run"]

LANES = (4, 8, 16, 32, 64, 128, 256)
FEATURES = (*range(1, 80), 127, 128, 129, 255, 256, 257, 300, 784, 1000, 1024)


def _bytes(features: int, p: int, m: int, lanes: int) -> int:
    """Number of bytes that packing really produces for one sample, whose last feature is the intercept."""
    codes = Codes(
        np.zeros((1, features), np.int8), np.zeros((1, features), np.uint8), np.zeros(1, np.int16), p, m
    )
    return int(weave(codes, SampleLayout(features, p, m, lanes, intercept=True)).shape[1])


def run() -> Result:
    """Compare the size with 2 + (p + m) * ceil((n - 1) / 8) bytes for all lanes, n, p and m.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows = []
    for lanes in LANES:
        worst = (0.0, "")
        above = configurations = 0
        for features in FEATURES:
            for p in range(1, 9):
                for m in range(3):
                    size = _bytes(features, p, m, lanes)
                    limit = 2 + (p + m) * -(-(features - 1) // 8)
                    configurations += 1
                    above += size > limit
                    worst = max(worst, (size / limit, f"n={features} p={p} m={m}: {size} of {limit} bytes"))
        example = _bytes(785, 2, 2, lanes)
        rows.append(
            {
                "lanes": lanes,
                "configurations": configurations,
                "above the limit": above,
                "largest share of the limit": worst[0],
                "at": worst[1],
                "n=785 p=2 m=2, bytes": example,
                "float32 over that": (784 * 4 + 4) / example,
            }
        )
    return {
        "goal": "a sample takes at most 2 + (p + m) * ceil((n - 1) / 8) bytes, where the intercept is one of the n features",
        "met": all(row["above the limit"] == 0 for row in rows),
        "seeds": [],
        "rows": rows,
    }


BENCH = Bench("wire", "bytes of a sample on the wire, compared with 2 + (p + m) * ceil((n - 1) / 8)", run)
