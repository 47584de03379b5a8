"""Compare the emulator's speed with scikit-learn's SGDRegressor on the same machine."""

import statistics
from collections.abc import Callable

import numpy as np

from zipsgd.emulator import Emulator
from zipsgd.extras import extra
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build

from .progress import Steps
from .registry import Bench, Result
from .turns import take_turns

__all__ = ["BENCH", "run"]

FEATURES = 784
BATCH = 16
SEED = 1
GOAL = 3.0
OTHERS = ((1, 2), (4, 2), (8, 2), (2, 1), (2, 0))


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
    build = Build()

    def emulate(p: int, m: int) -> Callable[[], None]:
        emulator = Emulator(build, np.zeros(FEATURES), RunConfig(FEATURES, p, m, BATCH), seed=SEED)
        clock = iter(range(1 << 30))

        def epochs_of_training() -> None:
            for _ in range(epochs):
                epoch = next(clock)
                order = np.random.default_rng((SEED, epoch)).permutation(rows)
                emulator.epoch_rows(values, labels, order, seed=SEED, epoch=epoch, step=step)

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

    main = "emulator p=2 m=2"
    rivals = {f"SGDRegressor {dtype.__name__}": regress(dtype) for dtype in (np.float64, np.float32)}
    others = {f"emulator p={p} m={m}": emulate(p, m) for p, m in OTHERS}
    with Steps(2) as steps:
        steps.next(f"{main} and SGDRegressor in turns")
        turns = take_turns({main: emulate(2, 2)} | rivals, repeats)
        steps.next("other p and m in turns")
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
        "goal": f"{main} trains at least {GOAL:g} times as many samples per second as SGDRegressor with its faster type; "
        f"n = {FEATURES}, mini-batches of {BATCH}, new up bits in each epoch",
        "met": speed[main] >= GOAL * reference,
        "seeds": [SEED],
        "features": FEATURES,
        "samples": rows,
        "epochs a turn": epochs,
        "turns": repeats,
        "rows": table,
    }


BENCH = Bench("emulator", "samples per second of the emulator and of scikit-learn's SGDRegressor", run)
