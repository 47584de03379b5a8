"""Compare ten classes in one pass over the rows with ten one-against-all runs: the same models from a tenth of the bytes.

The virtual board counts the bytes. The emulator, which has the same bits, does the same for all of MNIST.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochSamples, RunConfig
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.data.sets import mnist_digits
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import LabelForm, Loss

from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated

__all__ = ["BENCH", "run"]

CLASSES = 10
FEATURES = 785
P, M, BATCH = 2, 2, 16
BOARD_ROWS = 5000
GOAL = 0.101
"""Largest number of bytes of one pass relative to ten runs. Labels too are sent only once."""
BUILD = Build(
    lanes=64, update_lanes=64, max_features=64 * 13 * CLASSES, heads=CLASSES, hinge=1, rx_bytes=1 << 14
)
SEED = 0

_Words = npt.NDArray[np.int64]


def _train(
    backend: Backend, config: RunConfig, values: npt.NDArray[np.float32], labels: npt.NDArray[np.int16]
) -> tuple[_Words, int | None, int | None]:
    """The model after one epoch, the bytes of its samples, and its cycles."""
    backend.begin(config, np.zeros(config.model_shape(), dtype=np.int64), SEED)
    order = np.random.default_rng(SEED).permutation(len(labels))
    result = backend.epoch(
        EpochSamples(values, labels, order, SEED, 0), Step.nearest(0.01 / BATCH), lambda done: None
    )
    return backend.model(), result.sample_bytes, result.cycles


def _compare(
    backend: Backend, values: npt.NDArray[np.float32], digits: npt.NDArray[np.int16]
) -> dict[str, Any]:
    alone = RunConfig(
        FEATURES, P, M, BATCH, loss=Loss.SQUARED_HINGE, intercept=True, label_form=LabelForm.SIGN
    )
    together = replace(alone, heads=CLASSES, one_against_all=True, label_form=LabelForm.BYTE)
    models, moved, cycles = _train(backend, together, values, digits)
    runs = [
        _train(backend, alone, values, np.where(digits == digit, LABEL_ONE, -LABEL_ONE).astype(np.int16))
        for digit in range(CLASSES)
    ]
    different = sum(int(np.count_nonzero(models[digit] != model)) for digit, (model, _, _) in enumerate(runs))
    row: dict[str, Any] = {
        "backend": backend.name,
        "rows": len(digits),
        "words": models.size,
        "differing": different,
    }
    if moved is not None and cycles is not None:
        bytes_of_runs = sum(run[1] or 0 for run in runs)
        row |= {
            "bytes of one pass": moved,
            "of ten runs": bytes_of_runs,
            "bytes, ratio": moved / bytes_of_runs,
            "cycles of one pass": cycles,
            "cycles, ratio": cycles / sum(run[2] or 0 for run in runs),
        }
    return row


def run() -> Result:
    """Compare one epoch of each.

    Returns
    -------
    Result
        The result of the bench.
    """
    sets = mnist_digits()
    pixels = sets["train"].astype(np.float32) * np.float32(2 / 255) - 1
    values = np.concatenate([pixels, np.ones((len(pixels), 1), dtype=np.float32)], axis=1)
    digits = sets["train_digits"].astype(np.int16)
    with Steps(2) as steps:
        steps.next(f"virtual board, {BOARD_ROWS:,} rows")
        with simulated(BUILD, note=steps.note) as (_, device):
            board = _compare(device, values[:BOARD_ROWS], digits[:BOARD_ROWS])
        steps.next(f"emulator, {len(digits):,} rows")
        emulated = _compare(EmulatorBackend(BUILD), values, digits)
    return {
        "goal": f"one pass over MNIST for ten classes transfers at most {GOAL:.1%} of the bytes of ten runs, and all model "
        f"words are the same",
        "met": board["bytes, ratio"] <= GOAL and not board["differing"] and not emulated["differing"],
        "seeds": [SEED],
        "rows": [board],
        "on all of MNIST": [emulated],
    }


BENCH = Bench("one-pass", "ten classes in one pass over the rows, compared with ten runs", run)
