"""Compare the cycles of the training core with the plane limit, and measure the bubble between two mini-batches.

The plane limit is one plane per cycle: ceil(n / L) * (p + m) cycles per sample. Cycles are counted in an RTL simulation of the
core in which the next plane is always available. They are the difference between epochs of three mini-batches and of one, so
that the beginning and the end of an epoch cancel.

The bubble is the number of cycles beyond the plane limit for a mini-batch of one sample. Larger mini-batches need more only if
samples wait for each other, which happens only for very short samples.
"""

import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run", "stages", "sweep"]

LANES = (8, 32, 64)
FEATURES = (32, 100, 256, 784, 2048)
PLANES = ((1, 2), (2, 2), (4, 2), (8, 2), (2, 1), (8, 1), (2, 0), (8, 0))
"""p and m."""
ONE_DRAW = ((1, 1), (2, 1), (3, 1), (7, 1))
"""p and m on builds with a diagonal."""
BATCHES = (1, 16, 64)
NARROW = ((8, 1), (64, 8))
"""L and U of builds with a narrow update unit, for which there is no goal."""
GOAL = 1.05
LONG = 600
"""Smallest number of planes of a mini-batch for which the goal applies."""
BUBBLE = 24
"""Largest bubble in cycles, without the p + m planes of a chunk."""

_Row = dict[str, Any]


def _build(lanes: int, update_lanes: int, diagonal: int = 0) -> Build:
    return Build(
        lanes=lanes,
        update_lanes=update_lanes,
        max_features=max(FEATURES),
        replay_words=4096,
        diagonal=diagonal,
    )


def stages(lanes: int, p: int, m: int, diagonal: int = 0) -> dict[str, int]:
    """The expected bubble by stage of the core for a full-width update.

    Parameters
    ----------
    lanes : int
        Lanes of the build.
    p : int
        Number of base planes.
    m : int
        Number of up planes.
    diagonal : int
        1 for a build with a diagonal.

    Returns
    -------
    dict[str, int]
        Cycles without a plane, by stage.
    """
    tree = -(-(lanes.bit_length() - 1) // 2)  # two levels of adders between registers
    return {
        "dot product: last plane to z_1 (m = 0: to z)": 5 + tree + (m == 0),
        "dot product: z_2 after z_1": int(m == 2),
        "loss unit: last z to delta": 5,
        "gradient: delta through its queue, to the planes' weights": 2,
        "gradient: the first chunk's planes, p + m": p + m,
        "gradient: last of them to its sum": 1,
        "update: sum to Q3 written; the next plane follows": 4,
        "update: growth": 2 * diagonal,
    }


def sweep(
    build: Build, features: Sequence[int], planes: Sequence[tuple[int, int]], batches: Sequence[int]
) -> list[_Row]:
    """Measure all combinations of shapes on one build.

    Parameters
    ----------
    build : Build
        The build.
    features : Sequence[int]
        Numbers of features.
    planes : Sequence[tuple[int, int]]
        Pairs of p and m.
    batches : Sequence[int]
        Mini-batch sizes.

    Returns
    -------
    list[dict[str, Any]]
        A row per shape: planes of a mini-batch, and the cycles beyond them.
    """
    with extra("bench", "this bench"):
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
        "diagonal": build.diagonal,
        "p": p,
        "m": m,
        "bubble": max(bubbles),
        "same for all n": len(bubbles) == 1,
        "sum of stages": sum(stages(build.lanes, p, m, build.diagonal).values()),
        "limit": BUBBLE + p + m,
        "worst ratio": worst["ratio"],
        "at": f"n={worst['n']} batch={worst['batch']}: {worst['cycles']:g} cycles for {worst['planes']} planes",
        "met": max(bubbles) <= BUBBLE + p + m and len(bubbles) == 1 and worst["ratio"] <= GOAL,
    }


def run() -> Result:
    """Measure all lanes, n, p, m and mini-batch sizes with a full-width update, without a diagonal and with one, and two builds
    with a narrow update unit.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[_Row] = []
    narrow: list[_Row] = []
    shapes = {}
    with Steps(2 * len(LANES) + len(NARROW)) as steps:
        for lanes, (diagonal, planes) in product(LANES, enumerate((PLANES, ONE_DRAW))):
            name = f"L={lanes}{', diagonal' if diagonal else ''}"
            steps.next(f"{name}, full-width update: {len(FEATURES) * len(planes) * len(BATCHES)} shapes")
            build = _build(lanes, lanes, diagonal)
            shapes[name] = measured = sweep(build, FEATURES, planes, BATCHES)
            rows += [_judge(build, p, m, measured) for p, m in planes]
        for lanes, update_lanes in NARROW:
            steps.next(f"L={lanes}, {update_lanes} update lanes")
            measured = sweep(_build(lanes, update_lanes), (784,), ((1, 2), (4, 2), (8, 2)), (16,))
            narrow += [{"lanes": lanes, "update lanes": update_lanes, **row} for row in measured]
    explained = {lanes: stages(lanes, 2, 2) for lanes in LANES}
    return {
        "goal": f"a sample takes at most {GOAL} times ceil(n/L) (p+m) cycles if a mini-batch has at least {LONG} planes; the "
        f"bubble at the end of a mini-batch is at most {BUBBLE} + p + m cycles for any n; so one draw with a diagonal "
        f"takes p + 1 cycles a chunk, one less than double sampling with as many base planes",
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


BENCH = Bench(
    "cycles", "cycles per sample relative to the plane limit, and the bubble between mini-batches", run
)
