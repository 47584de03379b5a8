"""The model of an SDRAM chip, and a controller that is exercised on it."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zipsgd_hw.store.sdram import SdramChip, SdramController

from .designs import TOP, Design
from .verilate import board_executable
from .verilog import to_verilog

__all__ = ["RuleBroken", "exercise_program", "model_text", "run_exercise", "sdram_design"]

_BROKEN = 4
"""Status of a program that ends as a rule of its chip is broken, see ``sdram_model.hpp``."""


class RuleBroken(RuntimeError):
    """A rule of the chip was broken; the message has the rule, the cycle and the values."""


def model_text(chip: SdramChip, clock_hz: float) -> str:
    """The rules of a chip as ``SdramRules::parse`` of ``sdram_model.hpp`` reads them.

    Parameters
    ----------
    chip : SdramChip
        The chip.
    clock_hz : float
        Frequency of its clock in hertz.

    Returns
    -------
    str
        Names and values.
    """
    values = asdict(chip.geometry) | asdict(chip.timing.cycles(clock_hz))
    return ",".join(f"{name}={value}" for name, value in values.items())


def sdram_design(controller: SdramController) -> Design:
    """A controller as a design to simulate.

    Parameters
    ----------
    controller : SdramController
        The controller.

    Returns
    -------
    Design
        The design.
    """
    source = to_verilog(controller, TOP)

    def write(folder: Path) -> list[Path]:
        file = folder / f"{TOP}.v"
        file.write_text(source)
        return [file]

    return Design(
        "SDRAM controller", "ten seconds", source, write, ("--x-assign", "fast", "--x-initial", "fast")
    )


def exercise_program(
    controller: SdramController, *, progress: Callable[[str], None] = lambda message: None
) -> Path:
    """Compile the program that exercises a controller, unless the cache has it.

    Parameters
    ----------
    controller : SdramController
        The controller.
    progress : callable
        Called with a line before a compilation begins.

    Returns
    -------
    Path
        The program, for :func:`run_exercise`.

    Raises
    ------
    BuildFailed
        Verilator or the C++ compiler is missing or failed.
    """
    design = sdram_design(controller)
    return board_executable(None, design=design, program="sdram_exercise", optimise=1, progress=progress)


def run_exercise(
    program: Path,
    chip: SdramChip,
    clock_hz: float,
    *,
    io_cycles: int = 0,
    bursts: int = 20_000,
    seed: int = 1,
) -> dict[str, Any]:
    """Exercise a controller on the model of a chip: random bursts against a plain array, then the share of the bus.

    Parameters
    ----------
    program : Path
        Of :func:`exercise_program`.
    chip : SdramChip
        The chip, of the controller's geometry.
    clock_hz : float
        Frequency of the clock in hertz.
    io_cycles : int
        Of the controller.
    bursts : int
        Number of random bursts.
    seed : int
        Seed of bursts, stalls and content.

    Returns
    -------
    dict of str to Any
        ``cycles``, ``refreshes``, ``activations``, ``words read``, ``words written``; ``latency``, cycles from a read's command
        to its first word, by what it finds; ``share``, by order of the bursts, the share of the bus's cycles that have a word.

    Raises
    ------
    RuleBroken
        The controller broke a rule of the chip.
    RuntimeError
        A word was wrong, or none moved any more.
    """
    done = subprocess.run(
        [program, model_text(chip, clock_hz), str(io_cycles), str(seed), str(bursts)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        error = RuleBroken if done.returncode == _BROKEN else RuntimeError
        raise error(done.stderr.strip() or f"the program ended with status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
