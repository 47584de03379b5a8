"""Cycles of the training core against the plane limit, and the bubble between two mini-batches.

The plane limit is a plane a cycle: ceil(n / L) * (p + m) cycles a sample. Counted in RTL simulation of the core, with planes
always there, as the difference between epochs of three mini-batches and of one: what starts and ends an epoch drops out.

The bubble is what a mini-batch of one sample takes beyond the plane limit. What a larger one takes beyond that is spent
waiting between its samples, which only very short samples do.
"""

import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from zipsgd.protocol.formats import Build

from .extras import extra
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run", "stages", "sweep"]

LANES = (8, 32, 64)
FEATURES = (32, 100, 256, 784, 2048)
PLANES = ((1, 2), (2, 2), (4, 2), (8, 2), (2, 1), (8, 1), (2, 0), (8, 0))
"""p and m."""
BATCHES = (1, 16, 64)
NARROW = ((8, 1), (64, 8))
"""L and U of builds with a narrow update unit; no goal is set for them."""
GOAL = 1.05
LONG = 600
"""Planes of a mini-batch from which on the goal holds."""
BUBBLE = 24
"""Cycles of the bubble beside the p + m planes of a chunk, at most."""

_Row = dict[str, Any]


def _build(lanes: int, update_lanes: int) -> Build:
    return Build(lanes=lanes, update_lanes=update_lanes, max_features=max(FEATURES), replay_words=4096)


def stages(lanes: int, p: int, m: int) -> dict[str, int]:
    """What the bubble should be, by stage of the core, with a full-width update: cycles without a plane."""
    tree = -(-(lanes.bit_length() - 1) // 2)  # two levels of adders between registers
    return {
        "dot product: last plane to z_1 (m = 0: to z)": 5 + tree + (m == 0),
        "dot product: z_2 after z_1": int(m == 2),
        "loss unit: last z to delta": 5,
        "gradient: delta through its queue, to the planes' weights": 2,
        "gradient: the first chunk's planes, p + m": p + m,
        "gradient: last of them to its sum": 1,
        "update: sum to Q3 written; the next plane follows": 4,
    }


def sweep(
    build: Build, features: Sequence[int], planes: Sequence[tuple[int, int]], batches: Sequence[int]
) -> list[_Row]:
    """A row for each shape: planes of a mini-batch, and the cycles it takes beyond them."""
    with extra("bench"):
        from zipsgd_sim.cycles import Shape, measure
    shapes = [
        Shape(n, p, m, batch, count)
        for n, (p, m), batch in product(features, planes, batches)
        for count in (1, 3)
    ]
    with tempfile.TemporaryDirectory() as work:
        counts = measure(build, shapes, Path(work))
    rows = []
    for shape, one, three in zip(shapes[::2], counts[::2], counts[1::2], strict=True):
        limit = build.chunks(shape.features) * (shape.p + shape.m) * shape.batch
        assert (one.planes, three.planes) == (limit, 3 * limit)
        cycles = (three.cycles - one.cycles) / 2
        rows.append(
            {
                "n": shape.features,
                "p": shape.p,
                "m": shape.m,
                "batch": shape.batch,
                "planes": limit,
                "cycles": cycles,
                "lost": cycles - limit,
                "ratio": cycles / limit,
            }
        )
    return rows


def _judge(build: Build, p: int, m: int, rows: list[_Row]) -> _Row:
    """A build's row for one p and m."""
    mine = [row for row in rows if (row["p"], row["m"]) == (p, m)]
    bubbles = {row["lost"] for row in mine if row["batch"] == 1}
    worst = max((row for row in mine if row["planes"] >= LONG), key=lambda row: float(row["ratio"]))
    return {
        "lanes": build.lanes,
        "p": p,
        "m": m,
        "bubble": max(bubbles),
        "same for all n": len(bubbles) == 1,
        "sum of stages": sum(stages(build.lanes, p, m).values()),
        "limit": BUBBLE + p + m,
        "worst ratio": worst["ratio"],
        "at": f"n={worst['n']} batch={worst['batch']}: {worst['cycles']:g} cycles for {worst['planes']} planes",
        "met": max(bubbles) <= BUBBLE + p + m and len(bubbles) == 1 and worst["ratio"] <= GOAL,
    }


def run() -> Result:
    """Sweep lanes, n, p, m and batch with a full-width update; two narrow update units beside them."""
    rows: list[_Row] = []
    narrow: list[_Row] = []
    shapes = {}
    with Steps(len(LANES) + len(NARROW)) as steps:
        for lanes in LANES:
            steps.next(f"L={lanes}, full-width update: {len(FEATURES) * len(PLANES) * len(BATCHES)} shapes")
            build = _build(lanes, lanes)
            shapes[f"L={lanes}"] = measured = sweep(build, FEATURES, PLANES, BATCHES)
            rows += [_judge(build, p, m, measured) for p, m in PLANES]
        for lanes, update_lanes in NARROW:
            steps.next(f"L={lanes}, {update_lanes} update lanes")
            measured = sweep(_build(lanes, update_lanes), (784,), ((1, 2), (4, 2), (8, 2)), (16,))
            narrow += [{"lanes": lanes, "update lanes": update_lanes, **row} for row in measured]
    explained = {lanes: stages(lanes, 2, 2) for lanes in LANES}
    return {
        "goal": f"cycles a sample over ceil(n/L) (p+m) at most {GOAL} wherever a mini-batch has {LONG} planes or more; the "
        f"bubble at the end of a mini-batch at most {BUBBLE} + p + m cycles, whatever n is",
        "met": all(row["met"] for row in rows),
        "seeds": [],
        "rows": rows,
        "bubble": [
            {
                "stage of the bubble, p = 2, m = 2": stage,
                **{f"L={lanes}": part[stage] for lanes, part in explained.items()},
            }
            for stage in explained[LANES[0]]
        ],
        "narrow": narrow,
        "shapes": shapes,
    }


BENCH = Bench("cycles", "cycles a sample over the plane limit, and the bubble between mini-batches", run)
