"""Compare the emulator's speed with scikit-learn's SGDRegressor on the same machine."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from zipsgd.emulator import Emulator
from zipsgd.extras import extra
from zipsgd.golden.diagonal import Diagonal, Growth
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.training.rounding_noise import rounding_variance

from .convergence import DRAWS, METHODS
from .progress import Steps
from .registry import Bench, Result
from .turns import take_turns

__all__ = ["BENCH", "run"]

FEATURES = 784
BATCH = 16
SEED = 1
GOAL = 3.0
HELD = (("one-draw", 3), ("double", 2))
"""Estimators and base planes that the goal is for: the default, and double sampling, both at 4 bits a value."""
OTHERS = (("one-draw", 1), ("double", 1), ("double", 4), ("double", 8), ("naive", 2), ("truncated", 2))


def run(rows: int = 5000, epochs: int = 10, repeats: int = 9) -> Result:
    """Measure samples per second, with new up bits and a new order in each epoch.

    The contestants take turns, so that other load on the machine affects all of them. The median over the turns counts.

    Parameters
    ----------
    rows : int
        Rows of the data.
    epochs : int
        Epochs per turn.
    repeats : int
        Number of turns.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("bench", "this bench"):
        from sklearn.linear_model import SGDRegressor

    rng = np.random.default_rng(SEED)
    values = rng.uniform(-1, 1, (rows, FEATURES)).astype(np.float32)
    target = values @ rng.normal(size=FEATURES) * 0.02 + rng.normal(size=rows) * 0.05
    labels = np.clip(np.round(target * 2**15), -(1 << 15), (1 << 15) - 1).astype(np.int16)
    step = Step.nearest(1e-3 / BATCH)
    build = Build(diagonal=1)

    def emulate(estimator: str, p: int) -> Callable[[], None]:
        diagonal = Diagonal.nearest(rounding_variance(values, p)) if estimator == "one-draw" else None
        config = RunConfig(FEATURES, p, DRAWS[estimator], BATCH, diagonal=diagonal)
        emulator = Emulator(build, np.zeros(FEATURES), config, seed=SEED)
        clock = iter(range(1 << 30))

        def epochs_of_training() -> None:
            for _ in range(epochs):
                epoch = next(clock)
                order = np.random.default_rng((SEED, epoch)).permutation(rows)
                own = step
                if diagonal is not None:
                    growth = Growth.nearest(step.value * BATCH * diagonal.unit, epoch * rows // BATCH)
                    own = replace(step, growth=growth)
                emulator.epoch_rows(values, labels, order, seed=SEED, epoch=epoch, step=own)

        return epochs_of_training

    def regress(dtype: type[np.floating]) -> Callable[[], None]:
        inputs, outputs = values.astype(dtype), target.astype(dtype)

        def fit() -> None:
            model = SGDRegressor(
                penalty=None,
                learning_rate="constant",
                eta0=1e-3,
                max_iter=epochs,
                tol=None,
                random_state=SEED,
            )
            model.fit(inputs, outputs)

        return fit

    def all_of(runs: Iterable[tuple[str, int]]) -> dict[str, Callable[[], None]]:
        return {f"emulator, {METHODS[estimator]}, p = {p}": emulate(estimator, p) for estimator, p in runs}

    held, others = all_of(HELD), all_of(OTHERS)
    rivals = {f"SGDRegressor {dtype.__name__}": regress(dtype) for dtype in (np.float64, np.float32)}
    with Steps(2) as steps:
        steps.next(f"{' and '.join(held)} and SGDRegressor in turns")
        turns = take_turns(held | rivals, repeats)
        steps.next("other estimators and base planes in turns")
        turns |= take_turns(others, repeats)
    speed = {name: rows * epochs / statistics.median(seconds) for name, seconds in turns.items()}
    reference = max(speed[name] for name in rivals)
    table = [
        {
            "what": name,
            "samples/s": round(speed[name]),
            "over SGDRegressor": speed[name] / reference,
            "slowest turn": round(rows * epochs / max(turns[name])),
            "fastest turn": round(rows * epochs / min(turns[name])),
        }
        for name in turns
    ]
    return {
        "goal": f"the emulator trains at least {GOAL:g} times as many samples per second as SGDRegressor with its faster type, "
        f"with one draw (p = 3) and with double sampling (p = 2); n = {FEATURES}, mini-batches of {BATCH}, new up bits in each "
        f"epoch",
        "met": all(speed[name] >= GOAL * reference for name in held),
        "seeds": [SEED],
        "features": FEATURES,
        "samples": rows,
        "epochs a turn": epochs,
        "turns": repeats,
        "rows": table,
    }


BENCH = Bench("emulator", "samples per second of the emulator and of scikit-learn's SGDRegressor", run)
