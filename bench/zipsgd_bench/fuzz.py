"""Send valid, mutated and random frames to the simulated gateware, and compare its behaviour with a model of the device.

``zipsgd_sim.fuzz`` describes what is sent and what is compared.
"""

from collections.abc import Mapping
from typing import Any

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build

from .comparison import build_name
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "BUILDS", "run"]

SEED = 5
GOAL = 1_000_000
"""Smallest total number of frames."""
BUILDS: Mapping[Build, int] = {
    Build(lanes=4, update_lanes=4, max_features=32, max_batch=32): 400_000,
    Build(lanes=4, update_lanes=1, max_features=32, rx_bytes=1024, replay_words=64, p_max=4): 300_000,
    Build(lanes=8, update_lanes=2, max_features=64, level_bits=4, level_p_max=2): 310_000,
    Build(
        lanes=4, update_lanes=2, max_features=64, heads=5, hinge=1, polynomial=3, prox=1, diagonal=1
    ): 200_000,
}
"""Builds, and the number of frames for each."""


def run(builds: Mapping[Build, int] = BUILDS, seed: int = SEED) -> Result:
    """Send random frames to each build.

    Parameters
    ----------
    builds : Mapping[Build, int]
        Builds, and the number of frames for each.
    seed : int
        Seed of the frames.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("sim", "this bench"):
        from zipsgd_sim.fuzz import fuzz

    rows: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    with Steps(len(builds)) as steps:
        for build, frames in builds.items():
            name = build_name(build)
            steps.next(f"{name}: {frames} frames")
            report = fuzz(build, frames, seed=seed, progress=steps.note)
            rows.append({"build": name, **report.counts, "findings": len(report.findings)})
            findings += [
                {"build": name, "burst": finding.burst, "what": finding.what, "sent": finding.sent.hex()}
                for finding in report.findings
            ]
    total = sum(row["frames"] for row in rows)
    return {
        "goal": f"in at least {GOAL:,} frames, the gateware writes, answers and counts only what valid frames request, answers "
        f"every SYNC, and produces the golden model's bits in training runs between the frames; measured: {total:,} frames",
        "met": total >= GOAL and not findings,
        "seeds": [seed],
        "rows": rows,
        "found": findings,
    }


BENCH = Bench("fuzz", "random and damaged frames to the gateware's link", run)
