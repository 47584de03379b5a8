"""The datapath gives the golden model's bits: builds of many shapes, random runs on each."""

from pathlib import Path

import pytest
from datapath_runs import format_build

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_sim.cocotb_runner import run_cocotb
from zipsgd_sim.toggles import read_toggles

BUILDS = [
    Build(lanes=4, update_lanes=4, max_features=300, max_batch=64),
    Build(
        lanes=4,
        update_lanes=1,
        max_features=300,
        max_batch=16,
        p_max=4,
        delta_bits=12,
        q3_bits=14,
        gradient_bits=14,
    ),
    Build(lanes=8, update_lanes=8, max_features=304),
    Build(lanes=8, update_lanes=2, max_features=1024, q3_bits=10, gradient_bits=20, delta_bits=20),
    Build(
        lanes=16, update_lanes=16, max_features=304, p_max=5, max_batch=32, delta_bits=14, gradient_bits=16
    ),
    Build(lanes=32, update_lanes=4, max_features=320, max_batch=1),
    Build(lanes=64, update_lanes=64, max_features=320),
    Build(lanes=4, update_lanes=4, max_features=300, level_bits=5, level_p_max=4),
    Build(lanes=8, update_lanes=2, max_features=304, level_bits=8, level_p_max=2),
    Build(lanes=64, update_lanes=16, max_features=320, level_bits=8, level_p_max=0),
    Build(lanes=8, update_lanes=8, max_features=304, hinge=1),
    Build(lanes=16, update_lanes=4, max_features=304, hinge=1, refetch=64),
    Build(lanes=8, update_lanes=4, max_features=304, polynomial=7),
    Build(lanes=32, update_lanes=8, max_features=320, polynomial=2, heads=3, q3_bits=16),
    Build(lanes=8, update_lanes=2, max_features=304, prox=1),
    Build(lanes=16, update_lanes=4, max_features=304, hinge=1, refetch=1024, prox=1, ball=1),
    Build(lanes=8, update_lanes=1, max_features=512, heads=10),
    Build(
        lanes=16,
        update_lanes=4,
        max_features=512,
        heads=3,
        hinge=1,
        polynomial=3,
        refetch=1024,
        prox=1,
        level_bits=5,
        level_p_max=2,
    ),
]


CORES = [
    Build(lanes=8, update_lanes=1, max_features=304, replay_words=512),
    Build(lanes=64, update_lanes=64, max_features=320, replay_words=64),
    Build(lanes=4, update_lanes=4, max_features=64, replay_words=32),  # which is full at times
]
TOGGLED = [BUILDS[0], BUILDS[-1]]
"""Bits that toggle are counted in these, on request."""
HERE = Path(__file__).parent


def _name(build: Build) -> str:
    levels = f"-levels{build.level_bits}.{build.level_p_max}" if build.level_bits else ""
    more = "".join(
        f"-{name}" for name in ("hinge", "polynomial", "refetch", "prox", "ball", "heads") if build.has(name)
    )
    return f"L{build.lanes}-U{build.update_lanes}{levels}{more}"


@pytest.mark.parametrize("build", BUILDS, ids=_name)
def test_identity(build: Build, tmp_path: Path) -> None:
    parameters = {"build": format_build(build), "seed": build.lanes + build.update_lanes, "runs": 10}
    assert run_cocotb(Datapath(build), HERE / "bench_datapath.py", tmp_path, parameters) == 1


@pytest.mark.parametrize("build", TOGGLED, ids=_name)
def test_toggles(build: Build, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Identity once more, over more runs, in simulators that count; ``tests/coverage/report.py`` reads what they write."""
    folder = pytestconfig.getoption("--toggles")
    if folder is None:
        pytest.skip("counts bits that toggle: --toggles FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{_name(build)}.dat"
    data.unlink(missing_ok=True)
    parameters = {"build": format_build(build), "seed": 1, "runs": 120}
    run_cocotb(Datapath(build), HERE / "bench_datapath.py", tmp_path, parameters, toggles=data)
    assert read_toggles(data)


@pytest.mark.parametrize("build", CORES, ids=_name)
def test_core_identity(build: Build, tmp_path: Path) -> None:
    """Planes straight into the core, which takes one each cycle: all its own stalls show here."""
    parameters = {"build": format_build(build), "seed": 7, "runs": 15}
    assert run_cocotb(TrainingCore(build), HERE / "bench_core.py", tmp_path, parameters) == 1
