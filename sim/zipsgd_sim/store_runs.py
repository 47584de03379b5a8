"""Random training runs on samples that stay in a device's store, and the check that their store has by the golden model."""

import random
from collections.abc import Mapping
from dataclasses import replace

from zipsgd.backends import EpochSamples
from zipsgd.backends.base import Stored
from zipsgd.golden.order import Order, row_order
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BLOCK_ROWS
from zipsgd.protocol.store import StoreLayout

from .random_runs import RandomRun, random_run

__all__ = ["random_store_run", "store_layout", "stored_check"]

_MOST_BLOCKS = 7
_MOST_EPOCHS = 5
_ESTIMATORS = {
    "double": {"ups": "2", "growth": "none"},
    "one draw": {"ups": "1", "growth": "grow"},
    "naive": {"ups": "1", "growth": "none"},
    "truncated": {"ups": "0", "growth": "none"},
}


def _rows(rng: random.Random, kind: Mapping[str, str]) -> int:
    """Samples of a set."""
    few = {"one": 1, "two": 2, "many": rng.randint(3, _MOST_BLOCKS)}
    last = {"one": 1, "full": BLOCK_ROWS, "part": rng.randint(2, BLOCK_ROWS - 1)}
    blocks = few[kind["blocks"]] if "blocks" in kind else rng.randint(1, _MOST_BLOCKS)
    ends = last[kind["last block"]] if "last block" in kind else rng.randint(1, BLOCK_ROWS)
    return (blocks - 1) * BLOCK_ROWS + ends


def _orders(rng: random.Random, kind: Mapping[str, str], blocks: int, seed: int, epochs: int) -> list[Order]:
    """The order of the blocks in each epoch."""
    in_sequence = kind["order"] == "in sequence" if "order" in kind else rng.random() < 0.3
    if in_sequence:
        return [Order(blocks, 0, min(1, blocks - 1))] * epochs
    return [Order.draw(blocks, seed, epoch) for epoch in range(epochs)]


def random_store_run(build: Build, rng: random.Random, *, kind: Mapping[str, str] | None = None) -> RandomRun:
    """A run of three to five epochs on one set of samples.

    Options that ``kind`` does not fix are random.

    Parameters
    ----------
    build : Build
        The build. It may have no store: a device streams the samples then.
    rng : random.Random
        Source of all random choices.
    kind : Mapping of str to str or None
        Values of some factors of :data:`zipsgd_sim.store_options.STORE_RUN_FACTORS`.

    Returns
    -------
    RandomRun
        The run. If it is unattended, it has two turns.
    """
    kind = kind or {}
    fixed = _ESTIMATORS[kind["estimator"]] if "estimator" in kind else {}
    drawn = random_run(build, rng, kind={"refetch": "never", **kind, **fixed}, rows=_rows(rng, kind))
    samples, seed = drawn.epochs[0], drawn.seed
    epochs = rng.randint(3, _MOST_EPOCHS)
    rows = samples.order
    orders = _orders(rng, kind, -(-rows.size // BLOCK_ROWS), seed, epochs)
    place = kind.get("samples") or rng.choice(["streamed", "resident", "unattended", "unattended"])
    first = rng.randint(1, epochs - 1)

    def of(order: Order) -> EpochSamples:
        stored = None if place == "streamed" else Stored(rows, order)
        return replace(samples, order=rows[row_order(order, rows.size)], stored=stored)

    return replace(
        drawn,
        epochs=[of(order) for order in orders],
        steps=[rng.choice(drawn.steps) for _ in orders],
        turns=(first, epochs - first) if place == "unattended" else (),
    )


def store_layout(run: RandomRun, build: Build) -> StoreLayout:
    """The places of a run's samples in the store.

    Parameters
    ----------
    run : RandomRun
        The run.
    build : Build
        Build of the device.

    Returns
    -------
    StoreLayout
        The places.
    """
    return StoreLayout(run.epochs[0].order.size, run.config.layout(build).size, build.word_bytes)


def stored_check(run: RandomRun, build: Build) -> int:
    """The check of a store with a run's samples, from what the golden model quantises and weaves.

    Parameters
    ----------
    run : RandomRun
        A run with samples that stay in the store.
    build : Build
        Build of the device.

    Returns
    -------
    int
        32 bits, see :meth:`zipsgd.protocol.store.StoreLayout.check`.
    """
    samples, layout = run.epochs[0], store_layout(run, build)
    assert samples.stored is not None
    woven = (
        weave(codes, run.config.layout(build)).tobytes()
        for codes in samples.in_order(samples.stored.rows).blocks(run.config)
    )
    return layout.check(layout.images(woven))
