"""cocotb: cycles of the training core when a plane is always available.

:func:`measure` simulates a build's :class:`zipsgd_hw.datapath.core.TrainingCore` and returns the counts. The counts do not
depend on the values of the planes, so that no Python runs in each cycle.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from zipsgd.backends import RunConfig
from zipsgd.golden.loss import Step
from zipsgd.golden.polynomial import Polynomial
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Loss
from zipsgd_sim.run_word import run_word  # not relative: cocotb imports this file as a module of its own

__all__ = ["CycleCount", "Shape", "measure"]


@dataclass(frozen=True)
class Shape:
    """A run whose cycles are counted, in one epoch.

    Parameters
    ----------
    features : int
        Features of a sample, with the intercept.
    p, m : int
        Base planes and up planes.
    batch, batches : int
        Samples of a mini-batch, and full mini-batches.
    heads : int
        Models trained side by side.
    degree : int
        Degree of a polynomial loss, 0 for least squares.
    """

    features: int
    p: int
    m: int
    batch: int
    batches: int
    heads: int = 1
    degree: int = 0

    @property
    def config(self) -> RunConfig:
        """What the run asks of a device."""
        common = RunConfig(self.features, self.p, self.m, self.batch, heads=self.heads)
        if not self.degree:
            return common
        polynomial = Polynomial((0.25,) * (self.degree + 1))
        return replace(common, loss=Loss.POLYNOMIAL_RESIDUAL, polynomial=polynomial)


@dataclass(frozen=True)
class CycleCount:
    """Cycles of an epoch.

    Parameters
    ----------
    cycles : int
        Cycles from the epoch's start to its last update.
    planes : int
        Cycles of these in which a plane was taken.
    """

    cycles: int
    planes: int


def measure(
    build: Build, shapes: Iterable[Shape], work: Path, *, fast_memory: bool = False
) -> list[CycleCount]:
    """Counts for each shape, from RTL simulation of ``build``.

    Parameters
    ----------
    build : Build
        Build parameters.
    shapes : iterable of Shape
        The runs.
    work : Path
        Folder for the simulator's files.
    fast_memory : bool
        As of :class:`zipsgd_hw.datapath.core.TrainingCore`.

    Returns
    -------
    list of CycleCount
        One for each shape.
    """
    from zipsgd_hw.datapath.core import TrainingCore

    from .cocotb_runner import run_cocotb

    jobs = work / "jobs.json"
    results = work / "results.json"
    results.unlink(missing_ok=True)
    jobs.write_text(json.dumps({"build": build.as_dict(), "shapes": [asdict(shape) for shape in shapes]}))
    run_cocotb(
        TrainingCore(build, fast_memory=fast_memory),
        __file__,
        work,
        {"jobs": str(jobs), "results": str(results)},
    )
    return [CycleCount(**row) for row in json.loads(results.read_text())]


async def _epoch(dut: Any, build: Build, shape: Shape) -> CycleCount:
    dut.run.value = run_word(build, shape.config, Step(mantissa=1, exponent=3))
    for name in ("load", "start"):
        dut.samples.value = shape.batch * shape.batches
        dut.clear.value = 1
        await FallingEdge(dut.clk)
        dut.clear.value = 0
        getattr(dut, name).value = 1
        await FallingEdge(dut.clk)
        getattr(dut, name).value = 0
        await FallingEdge(dut.clk)
        if int(dut.busy.value):
            await FallingEdge(dut.busy)
        await FallingEdge(dut.clk)
    return CycleCount(int(dut.counters__cycles.value), int(dut.counters__plane_cycles.value))


@cocotb.test()
async def count(dut: Any) -> None:
    """Count the cycles of the shapes in the file ``jobs``, and write them to the file ``results``."""
    jobs = json.loads(Path(str(cocotb.plusargs["jobs"])).read_text())
    build = Build(**jobs["build"])
    for name in (
        "load",
        "clear",
        "start",
        "seed__valid",
        "model_window__write__valid",
        "model_window__read__valid",
        "model_window__data__ready",
        *(["coefficient_window__valid"] if build.polynomial else []),
        *(["variance_window__valid"] if build.diagonal else []),
    ):
        getattr(dut, name).value = 0
    dut.planes__payload.value = (1 << build.lanes) - 1
    dut.planes__valid.value = 1
    dut.labels__payload.value = 0
    dut.labels__valid.value = 1
    Clock(dut.clk, 2, unit="ns").start()
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    counts = [await _epoch(dut, build, Shape(**shape)) for shape in jobs["shapes"]]
    Path(str(cocotb.plusargs["results"])).write_text(json.dumps([asdict(item) for item in counts]))
