"""Read random files in many dialects, sound and broken, and compare with what other libraries read.

``zipsgd_bench.random_files`` describes the files.
"""

import tempfile
from pathlib import Path
from random import Random
from typing import Any

from .progress import Steps
from .random_files import KINDS, check, draw
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

SEED = 9
SHARES = {"csv": 6000, "libsvm": 2000, "npy": 1000, "parquet": 1000}
"""Number of files of each format."""
_SHOWN = 20


def run(shares: dict[str, int] = SHARES, seed: int = SEED) -> Result:
    """Read random files.

    Parameters
    ----------
    shares : dict of str to int
        Number of files of each format.
    seed : int
        Seed of the files.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    with Steps(len(shares)) as steps, tempfile.TemporaryDirectory(prefix="zipsgd-") as folder:
        for kind, count in shares.items():
            steps.next(f"{kind}: {count} files")
            broken = wrong = 0
            for number in range(count):
                name = f"{seed} {kind} {number}"
                case = draw(Random(name), kind)
                said = check(case, Path(folder))
                broken += case.expected is None
                wrong += bool(said)
                if said and len(findings) < _SHOWN:
                    findings.append({"seed": name, "what": said, "content": repr(case.content)})
            rows.append({"format": kind, "files": count, "broken": broken, "findings": wrong})
    total = sum(row["files"] for row in rows)
    return {
        "goal": f"each of {total:,} random files gives the values that pandas, scikit-learn, NumPy or Arrow reads from it, or, "
        f"if it is broken, an error that names its line or row and its column or field",
        "met": not any(row["findings"] for row in rows) and set(shares) == set(KINDS),
        "seeds": [seed],
        "rows": rows,
        "found": findings,
    }


BENCH = Bench("files", "random data files in many dialects, against other libraries", run)
