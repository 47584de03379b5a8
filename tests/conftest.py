"""What tests share: small builds of the virtual board, a small table, and how hypothesis runs."""

import os
import signal

os.environ["SCIPY_ARRAY_API"] = (
    "1"  # one of scikit-learn's checks needs it, and SciPy reads it when it is imported
)

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from zipsgd.backends import build_for
from zipsgd.data import Table
from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.toolchain import tool_version
from zipsgd_sim.board import VirtualBoard

# A busy machine is slow, and continuous integration must not fail by chance.
settings.register_profile(
    "zipsgd",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("zipsgd")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--toggles", type=Path, metavar="FOLDER", help="count which bits of the datapath toggle (slower)"
    )


SMALL = Build(lanes=4, update_lanes=4, max_features=32, max_batch=32, diagonal=1, clock_hz=24_000_000)


def pytest_configure(config: pytest.Config) -> None:
    """Where several workers will run, have yosys compile itself first: into a cache that is mapped into memory, so that two
    which do so at a time can crash each other. And have Ctrl-C and the end of a terminal reach the processes of the tests, also
    where a shell has started all in the background, without them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if getattr(config.option, "numprocesses", None):
        tool_version("yosys")


@pytest.fixture(scope="session")
def small_build() -> Build:
    return SMALL


@pytest.fixture
def board() -> Iterator[VirtualBoard]:
    """A virtual board on TCP; compiled once for all tests, a process each."""
    with VirtualBoard(SMALL, optimise=1) as served:
        yield served


@pytest.fixture(scope="session")
def level_board() -> Iterator[VirtualBoard]:
    """A virtual board with a transcoder, as ``zipsgd sim --lanes 4 --max-features 32 --level-planes 2`` starts one."""
    with VirtualBoard(
        build_for(1, lanes=4, max_features=32, level_planes=2, diagonal=True, scores=1024)
    ) as served:
        yield served


@pytest.fixture(scope="session")
def small_table() -> Table:
    """210 rows of 6 columns of different sizes, a linear model plus noise: room for a mini-batch that is not full."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(210, 6)) * [1, 10, 0.01, 5, 1e4, 1] + [0, 5, 0, -100, 0, 1]
    labels = features @ [3, 0.1, 200, -0.2, 1e-4, 0] + rng.normal(size=210) * 0.3 + 7
    return Table.from_arrays(features, labels, [f"x{i}" for i in range(6)], "the small table")
