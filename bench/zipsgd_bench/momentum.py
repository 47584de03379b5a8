"""Measure the gain from momentum, which the update unit does not have.

Heavy-ball momentum would need a memory as wide as the master model, and one addition per lane. This bench tries it in float64
on samples quantised with double sampling, for several multiples of the automatic step size. A gradient moves the model by the
step size in total, over time. So the comparison shows what momentum does beyond a larger step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Scaling, Table, load_set
from zipsgd.golden.quantise import quantise
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.training.steps import largest_step

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "compare", "run"]

SETS = ("cadata", "cpusmall")
EPOCHS = (5, 20)
BETAS = (0.0, 0.5, 0.9)
SIZES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Step sizes relative to the automatic one."""
SEEDS = (1, 2, 3)
BASE_BITS = 2
BATCH = 16
GAIN = 0.02
"""Relative reduction of the loss, both at their best step sizes, that would justify the cells."""

_Float = npt.NDArray[np.float64]


def _samples(values: _Float, seed: int, epoch: int, order: npt.NDArray[np.int64]) -> tuple[_Float, _Float]:
    """Two independent quantisations of the rows in ``order``, as a device receives them."""
    labels = np.zeros(order.size, dtype=np.int16)
    codes = quantise(values[order], labels, BASE_BITS, 2, seed=seed, epoch=epoch, rows=order)
    first, second = ((codes.base + (codes.up >> i & 1)) * 2.0 ** (1 - BASE_BITS) for i in range(2))
    return first, second


def _loss(values: _Float, target: _Float, size: float, beta: float, epochs: int, seed: int) -> float:
    """The loss on unquantised ``values`` after training; infinite if training diverges."""
    rng = np.random.default_rng(seed)
    model = np.zeros(values.shape[1])
    velocity = np.zeros_like(model)
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(epochs):
            order = rng.permutation(target.size)
            step = size * (1 - beta) * (1 - epoch / epochs)
            first, second = _samples(values, seed, epoch, order)
            for start in range(0, target.size, BATCH):
                one, other = first[start : start + BATCH], second[start : start + BATCH]
                labels = target[order[start : start + BATCH]]
                gradient = one.T @ (other @ model - labels) + other.T @ (one @ model - labels)
                velocity = beta * velocity + gradient / (2 * labels.size)
                model = model - step * velocity
            if not np.abs(model).max() < 1e6:
                return float("inf")
    return float(np.mean((values @ model - target) ** 2))


def compare(
    name: str, table: Table, seeds: Sequence[int] = SEEDS, begin: Callable[[str], None] = lambda what: None
) -> list[dict[str, Any]]:
    """Compare momentum parameters on one set.

    Parameters
    ----------
    name : str
        Name of the set.
    table : Table
        Features and labels.
    seeds : Sequence[int]
        Seeds of the runs.
    begin : Callable[[str], None]
        Called before each measurement.

    Returns
    -------
    list[dict[str, Any]]
        A row for each number of epochs and beta: the smallest loss over all step sizes, as the median over the seeds, relative
        to the optimum.
    """
    scaling = Scaling.fit(table)
    scaled = scaling.features(table.features)
    values = scaled.astype(np.float64)
    target = scaling.labels(table.labels).astype(np.float64) * 2.0**-LABEL_FRAC
    optimum = float(np.mean((values @ np.linalg.lstsq(values, target, rcond=None)[0] - target) ** 2))
    automatic = largest_step(scaled, BATCH, BASE_BITS)
    rows: list[dict[str, Any]] = []
    for epochs in EPOCHS:
        plain = 0.0
        for beta in BETAS:
            begin(f"{name}: {epochs} epochs, beta {beta}")
            losses = {
                size: float(
                    np.median([_loss(values, target, size * automatic, beta, epochs, s) for s in seeds])
                )
                for size in SIZES
            }
            best = min(losses, key=lambda size: losses[size])
            plain = plain or losses[best]
            rows.append(
                {
                    "set": name,
                    "epochs": epochs,
                    "beta": beta,
                    "best step": best,
                    "loss over optimum": losses[best] / optimum,
                    "over no momentum": losses[best] / plain,
                    "at the automatic step": losses[1.0] / optimum,
                }
            )
    return rows


def run() -> Result:
    """Compare momentum parameters on both sets.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    with Steps(len(SETS) * len(EPOCHS) * len(BETAS)) as steps:
        for name in SETS:
            rows += compare(name, load_set(name), begin=steps.next)
    return {
        "goal": f"momentum is not needed: if both use their best step size, it reduces no loss by more than {GAIN:.0%}",
        "met": all(row["over no momentum"] >= 1 - GAIN for row in rows),
        "seeds": list(SEEDS),
        "rows": rows,
    }


BENCH = Bench("momentum", "gain from momentum over SGD with double sampling", run)
