"""Measure refetching on a set like ZipML's gisette: digits 4 and 9 with 5,000 features, a hinge, and 2 to 8 base planes.

The features are the pixels of MNIST that vary, and products of two random pixels, up to 5,000; gisette was made in this way.
The emulator measures the share of samples that are fetched again. Some of the rows are also trained on the virtual board, which
must give the same models and shares.
"""

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data.sets import mnist_digits
from zipsgd.extras import extra
from zipsgd.protocol.run import Refetch

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

FEATURES = 5000
ROWS, BOARD_ROWS = 6000, 600
EPOCHS, BOARD_EPOCHS = 10, 2
BITS = range(2, 9)
SEED = 0
GOAL = 0.06
"""Largest share of samples that are fetched again in the last epoch with 8 base planes: ZipML's figure for gisette."""

_Features = npt.NDArray[np.float32]


def _digits() -> tuple[_Features, npt.NDArray[np.int64], _Features, npt.NDArray[np.int64]]:
    """Rows for training and for testing."""
    sets = mnist_digits()
    rng = np.random.default_rng(SEED)
    varies = np.flatnonzero(sets["train"].max(axis=0) > sets["train"].min(axis=0))
    left, right = varies[rng.integers(0, varies.size, (2, FEATURES - varies.size))]

    def part(name: str, most: int) -> tuple[_Features, npt.NDArray[np.int64]]:
        digits = sets[f"{name}_digits"]
        rows = np.flatnonzero((digits == 4) | (digits == 9))[:most]
        pixels = sets[name][rows].astype(np.float32) / 255
        features = np.concatenate([pixels[:, varies], pixels[:, left] * pixels[:, right]], axis=1)
        return features, digits[rows].astype(np.int64)

    return *part("train", ROWS), *part("test", ROWS)


def _shares(model: Any) -> list[float]:
    """Share of the samples that were fetched again, for each epoch."""
    return [entry.get("refetched", 0.0) for entry in model.history_]


def run() -> Result:
    """Measure all precisions with both bounds.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("sklearn", "this bench"):
        from zipsgd.estimators import ZipClassifier

    train, digits, test, test_digits = _digits()
    part = train[:BOARD_ROWS], digits[:BOARD_ROWS]
    rows: list[dict[str, Any]] = []
    with Steps(len(BITS) * len(Refetch)) as steps:
        for bits, kind in product(BITS, Refetch):
            steps.next(f"{kind.name.lower()}, p = {bits}")
            model = partial(
                ZipClassifier,
                loss="hinge",
                base_bits=bits,
                estimator="naive",
                refetch=kind.name.lower(),
                random_state=SEED,
            )
            fitted = model(max_iter=EPOCHS).fit(train, digits)
            board, same = (
                model(max_iter=BOARD_EPOCHS, backend=name).fit(*part) for name in ("sim", "emulator")
            )
            shares = _shares(fitted)
            rows.append(
                {
                    "p": bits,
                    "bound": kind.name.lower(),
                    "first epoch": shares[0],
                    "last epoch": shares[-1],
                    "bits a value": sum(entry["bits"] for entry in fitted.history_) / (EPOCHS * train.size),
                    "test accuracy": float(fitted.score(test, test_digits)),
                    "on the board": _shares(board)[-1],
                    "identical": np.array_equal(board.model_words_, same.model_words_)
                    and _shares(board) == _shares(same),
                }
            )
    least = {row["bound"]: row["last epoch"] for row in rows if row["p"] == max(BITS)}
    return {
        "goal": f"for digits 4 and 9 with {FEATURES:,} features, the virtual board has the emulator's bits ({BOARD_ROWS} rows, "
        f"{BOARD_EPOCHS} epochs), and with {max(BITS)} base planes and the likely bound, at most {GOAL:.0%} of the samples are "
        f"fetched again in the last epoch",
        "met": all(row["identical"] for row in rows) and least["likely"] <= GOAL,
        "seeds": [SEED],
        "options": {
            "rows": len(digits),
            "test rows": len(test_digits),
            "epochs": EPOCHS,
            "estimator": "naive",
        },
        "rows": rows,
    }


BENCH = Bench("refetch", "share of hinge samples fetched again, for digits 4 and 9 with 5,000 features", run)
