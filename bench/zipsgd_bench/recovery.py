"""Kill boards and hosts during training: the continued run must have the bits of an undisturbed one.

A board is killed as by a power failure (kill -9), and another one is started on the same port. Usually it is back before the
host gives up, and the host starts the epoch again. In every fifth case the host has given up, and the run is resumed from its
checkpoint. A host is killed in the same way, and another process resumes the run.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zipsgd.data import Table, load_set
from zipsgd.driver import DeviceError
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd.training.api import train
from zipsgd.training.checkpoint import load_checkpoint

from .faults import BUILD, BYTE_CYCLES, OPTIONS, SET, bits
from .progress import Steps
from .registry import Bench, Result

if TYPE_CHECKING:
    from zipsgd_sim.board import VirtualBoard

__all__ = ["BENCH", "run"]

SEED = 3
KILLS = 25
"""Number of killed boards, and of killed hosts."""
GIVEN_UP = 5
"""One board out of this number comes back too late."""
COMMAND = (
    "import sys; from zipsgd.cli import main; sys.exit(main())",
    *("train", SET, "--epochs", str(OPTIONS.epochs), "--seed", str(OPTIONS.seed), "--quiet"),
)
"""Command line of the run as a process."""

_Row = dict[str, Any]
_Start = Callable[[int], "VirtualBoard"]


def _kept(path: Path) -> int:
    """Number of epochs in a checkpoint."""
    return len(load_checkpoint(path).epochs) if path.exists() else 0


def _kill_board(start: _Start, table: Table, path: Path, count: int, seconds: float | None) -> _Row | None:
    """Kill a board after ``count`` received bytes, and start another one after ``seconds``; None: after the host has given up.

    Returns None if the run was finished before.
    """
    from zipsgd_sim.mishaps import after_bytes

    board = start(0)
    port = urlsplit(board.url).port or 0
    others: list[VirtualBoard] = []

    def act() -> None:
        board.kill()
        if seconds is not None:
            time.sleep(seconds)
            others.append(start(port))

    try:
        with after_bytes(board, count, act) as times:
            try:
                result = train(table, options=OPTIONS, backend=board.url, checkpoint=path)
            except DeviceError:
                kept = _kept(path)
                others.append(start(port))
                result = train(table, options=OPTIONS, backend=board.url, checkpoint=path, resume=True)
                how = "resumed"
            else:
                kept, how = 0, "epoch begun again"
    finally:
        for other in (board, *others):
            other.close()
    if len(times) < 2:
        return None
    return {
        "killed": "board",
        "bytes": count,
        "away, s": seconds,
        "then": how,
        "epochs kept": kept,
        "bits": bits(result),
    }


def _kill_host(board: "VirtualBoard", table: Table, path: Path, count: int) -> _Row | None:
    """Kill a host after it has sent ``count`` bytes, and resume its run. Returns None if the run was finished before."""
    from zipsgd_sim.mishaps import after_bytes

    command = [sys.executable, "-c", *COMMAND, "--backend", board.url, "--checkpoint", str(path)]
    process = subprocess.Popen(command)
    with after_bytes(board, board.statistics()["received"] + count, process.kill):
        status = process.wait()
    if status == 0:
        return None
    kept = _kept(path)
    result = train(table, options=OPTIONS, backend=board.url, checkpoint=path, resume=True)
    return {
        "killed": "host",
        "bytes": count,
        "away, s": None,
        "then": "resumed",
        "epochs kept": kept,
        "bits": bits(result),
    }


def run(kills: int = KILLS, build: Build = BUILD) -> Result:
    """Kill boards and hosts, each at a random byte of a run.

    Parameters
    ----------
    kills : int
        Number of boards, and of hosts.
    build : Build
        Build of the virtual boards.

    Returns
    -------
    Result
        The result of the bench.
    """
    with extra("sim", "this bench"):
        from zipsgd_sim.board import VirtualBoard

    table = load_set(SET)
    rng = random.Random(SEED)
    points: list[_Row] = []
    missed = 0
    with Steps(2 * kills) as steps, tempfile.TemporaryDirectory() as folder:

        def start(port: int) -> VirtualBoard:
            baud = 10 * build.clock_hz // BYTE_CYCLES
            return VirtualBoard(build, baud=baud, port=port, progress=steps.note)

        def at_random(kill: Callable[[Path, int], _Row | None], total: int) -> None:
            nonlocal missed
            path = Path(folder) / "run.json"
            while (found := kill(path, rng.randrange(1, total))) is None:
                missed += 1  # the run was finished before: try another byte
                path.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            points.append(found)

        with start(0) as board:
            expected = bits(train(table, options=OPTIONS, backend=board.url))
            total = board.statistics()["received"]
            for number in range(kills):
                steps.next(f"host {number + 1}")
                at_random(lambda path, count: _kill_host(board, table, path, count), total)
        for number in range(kills):
            steps.next(f"board {number + 1}")
            away = None if number % GIVEN_UP == GIVEN_UP - 1 else rng.uniform(0, 1)
            at_random(partial(_kill_board, start, table, seconds=away), total)
    for point in points:
        point["identical"] = point.pop("bits") == expected
    rows = []
    for killed, then in sorted({(point["killed"], point["then"]) for point in points}):
        part = [point for point in points if (point["killed"], point["then"]) == (killed, then)]
        kept = [point["epochs kept"] for point in part]
        rows.append(
            {
                "killed": killed,
                "then": then,
                "times": len(part),
                "epochs in the checkpoint": f"{min(kept)} to {max(kept)}" if then == "resumed" else None,
                "identical": sum(point["identical"] for point in part),
            }
        )
    identical = sum(point["identical"] for point in points)
    return {
        "goal": f"after {KILLS} virtual boards and {KILLS} hosts are killed (kill -9) at random bytes of a run of "
        f"{OPTIONS.epochs} epochs, the losses and model words are those of an undisturbed run; measured: {identical} of "
        f"{len(points)}",
        "met": identical == len(points) >= 2 * KILLS,
        "seeds": [SEED, OPTIONS.seed],
        "set": SET,
        "rows": rows,
        "runs that were over before": missed,
        "points": {str(number): point for number, point in enumerate(points)},
    }


BENCH = Bench("recovery", "bits of runs that continue after boards and hosts are killed", run)
