"""The datapath gives the golden model's bits: builds of many shapes, runs of many kinds on each."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from datapath_runs import CORNERS, FULL, format_build

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_sim.cocotb_runner import run_cocotb
from zipsgd_sim.options import build_array, build_of, fast_memory_of, run_array
from zipsgd_sim.toggles import read_toggles

COVERED = 8
"""Builds of the covering array that are tried here; the identity bench tries them all."""
RUNS = 16
"""Runs of each: the first ones of its array meet the most pairs."""
COVERING = [build for build in build_array() if build["lanes"] != "64"][:COVERED]
WIDE = Build(lanes=32, update_lanes=32, max_features=320, hinge=1, refetch=256, score_words=128, word_bytes=2)
"""Planes wait for the core in a queue."""
PLAIN = Build(lanes=4, update_lanes=4, max_features=300, max_batch=64)
CORES = [
    (Build(lanes=8, update_lanes=1, max_features=304, replay_words=512), False),
    (Build(lanes=8, update_lanes=1, max_features=304, replay_words=512), True),
    (Build(lanes=64, update_lanes=64, max_features=320, replay_words=64), False),
    (Build(lanes=4, update_lanes=4, max_features=64, replay_words=32), True),  # which is full at times
]
"""With slow or fast memories."""
TOGGLED = [(PLAIN, False), (PLAIN, True), (FULL, False)]
"""Bits that toggle are counted in these, on request; with slow or fast memories."""
HERE = Path(__file__).parent

pytestmark = pytest.mark.timeout(3600)
"""Seconds: the largest simulators take minutes to compile where the machine is busy with more than these tests."""


def _name(build: Build) -> str:
    levels = f"-levels{build.level_bits}.{build.level_p_max}" if build.level_bits else ""
    more = "".join(
        f"-{name}"
        for name in ("hinge", "polynomial", "refetch", "prox", "ball", "diagonal", "heads", "score_words")
        if build.has(name)
    )
    return f"L{build.lanes}-U{build.update_lanes}{levels}{more}"


def _core_name(value: Build | bool) -> str:
    return _name(value) if isinstance(value, Build) else ("fast" if value else "slow")


def _identity(
    build: Build,
    kinds: Sequence[Mapping[str, str]],
    folder: Path,
    *,
    fast_memory: bool = False,
    toggles: Path | None = None,
) -> None:
    file = folder / "kinds.json"
    file.write_text(json.dumps(kinds))
    parameters = {
        "build": format_build(build),
        "seed": build.lanes + build.update_lanes,
        "kinds": file.name,
    }
    datapath = Datapath(build, fast_memory=fast_memory)
    assert run_cocotb(datapath, HERE / "bench_datapath.py", folder, parameters, toggles=toggles) == 2


@pytest.mark.parametrize("number", range(COVERED), ids=lambda number: _name(build_of(COVERING[number])))
def test_identity(number: int, tmp_path: Path) -> None:
    build = COVERING[number]
    _identity(build_of(build), run_array(build)[:RUNS], tmp_path, fast_memory=fast_memory_of(build))


@pytest.mark.parametrize("corner", CORNERS)
def test_corners(corner: str, tmp_path: Path) -> None:
    where = CORNERS[corner]
    top, bench = (TrainingCore, "bench_core.py") if where.core else (Datapath, "bench_datapath.py")
    parameters = {"build": format_build(where.build), "seed": 3, "corner": corner}
    assert run_cocotb(top(where.build), HERE / bench, tmp_path, parameters, testcase="identity") == 1


def test_many_lanes(tmp_path: Path) -> None:
    _identity(WIDE, [{}] * 6, tmp_path)


@pytest.mark.parametrize(("build", "fast_memory"), TOGGLED, ids=_core_name)
def test_toggles(build: Build, fast_memory: bool, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Identity once more, over more runs, in simulators that count; ``tests/coverage/report.py`` reads what they write."""
    folder = pytestconfig.getoption("--toggles")
    if folder is None:
        pytest.skip("counts bits that toggle: --toggles FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{_name(build)}{'-fast' if fast_memory else ''}.dat"
    data.unlink(missing_ok=True)
    _identity(build, [{}] * 120, tmp_path, fast_memory=fast_memory, toggles=data)
    assert read_toggles(data)


@pytest.mark.parametrize(("build", "fast_memory"), CORES, ids=_core_name)
def test_core_identity(build: Build, fast_memory: bool, tmp_path: Path) -> None:
    """Planes straight into the core, which takes one each cycle: all its own stalls show here."""
    parameters = {"build": format_build(build), "seed": 7, "runs": 15}
    core = TrainingCore(build, fast_memory=fast_memory)
    assert run_cocotb(core, HERE / "bench_core.py", tmp_path, parameters) == 1
