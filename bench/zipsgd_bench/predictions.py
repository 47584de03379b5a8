"""Measure how good predictions of a device are, by the bits of a value, against those of the same model in floating point."""

from typing import Any

from zipsgd.data import load_set
from zipsgd.training.api import train
from zipsgd.training.prediction import predict

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

SETS = {"cadata": False, "cpusmall": False, "digits": True, "breast_cancer": True}
"""Name of each set, and whether its labels are classes."""
BITS = (1, 2, 3, 4, 5, 6, 7, 8)
EPOCHS = 20
SEED = 1
MOST = 0.001
"""Largest difference of the scores, R2 or accuracy, at the most bits."""


def run() -> Result:
    """Train a model on each set, and predict its rows on the emulator.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    with Steps(len(SETS)) as steps:
        for name, classify in SETS.items():
            steps.next(name)
            table = load_set(name)
            model = train(table, classify=classify, epochs=EPOCHS, seed=SEED)
            trained = model.score_of(predict(model, table.features, as_trained=True).outputs, table.labels)
            by_bits = {
                f"{bits} bits": model.score_of(
                    predict(model, table.features, bits=bits).outputs, table.labels
                )
                for bits in BITS
            }
            floats = model.score(table.features, table.labels)
            scores = {"floating point": floats, **by_bits, "as trained, 4 bits": trained}
            row = {"set": name, "estimator": model.options["estimator"]}
            rows.append({**row, **{how: round(score, 4) for how, score in scores.items()}})
    return {
        "goal": f"at {BITS[-1]} bits the score differs by at most {MOST} from that in floating point",
        "met": all(abs(row[f"{BITS[-1]} bits"] - row["floating point"]) <= MOST for row in rows),
        "seeds": [SEED],
        "rows": rows,
    }


BENCH = Bench("predictions", "score of a device's predictions by the bits of a value", run)
