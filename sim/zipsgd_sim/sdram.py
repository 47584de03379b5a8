"""The model of an SDRAM chip, and a controller that is exercised on it."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component

from zipsgd.backends import with_store
from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.memories import Sdram
from zipsgd_hw.store.sdram import SdramChip, SdramController

from .designs import TOP, Design
from .verilate import board_executable
from .verilog import to_verilog

__all__ = [
    "RuleBroken",
    "exercise_program",
    "model_text",
    "run_design",
    "run_exercise",
    "with_chip",
]

_BROKEN = 4
"""Status of a program that ends as a rule of its chip is broken, see ``sdram_model.hpp``."""


class RuleBroken(RuntimeError):
    """A rule of the chip was broken; the message has the rule, the cycle and the values."""


def with_chip(build: Build, memory: Sdram) -> Build:
    """A build whose store is a chip of SDRAM.

    Parameters
    ----------
    build : Build
        The build. If it has no schedule, it gets one.
    memory : Sdram
        The chip. With a clock of its own, a word of the store is two of the chip's.

    Returns
    -------
    Build
        The changed build.
    """
    size, parts = memory.specification.geometry, 1 if memory.clock_hz is None else 2
    return replace(
        with_store(build, 1),
        word_bytes=parts * size.data_bits // 8,
        store_words=size.words // parts,
        **({"schedule_words": build.schedule_words} if build.schedule_words else {}),
    )


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


def _design(component: "Component[Any]") -> Design:
    """A component with the pins of an SDRAM as a design to simulate."""
    source = to_verilog(component, TOP)

    def write(folder: Path) -> list[Path]:
        file = folder / f"{TOP}.v"
        file.write_text(source)
        return [file]

    return Design(
        type(component).__name__, "ten seconds", source, write, ("--x-assign", "fast", "--x-initial", "fast")
    )


def _run(program: Path, *arguments: object) -> list[Any]:
    """The lines of JSON that a program prints."""
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        error = RuleBroken if done.returncode == _BROKEN else RuntimeError
        raise error(done.stderr.strip() or f"the program ended with status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run_design(
    component: "Component[Any]",
    chip: SdramChip,
    clock_hz: float,
    *,
    io_cycles: int = 0,
    error_rate: float = 0.0,
    seed: int = 1,
    limit: int = 1_000_000_000,
    progress: Callable[[str], None] = lambda message: None,
) -> list[dict[str, int]]:
    """Run a design of your own on the model of its chip.

    Parameters
    ----------
    component : Component
        The design. It has the members ``pins``, of :func:`zipsgd_hw.store.sdram.sdram_pins`; ``phase``, of 8 bits, which is
        zero at first and again when all is done; and ``errors``, of any number of bits.
    chip : SdramChip
        The chip.
    clock_hz : float
        Frequency of the clock in hertz.
    io_cycles : int
        Of the controller.
    error_rate : float
        The chance that the chip stores a word with a wrong bit.
    seed : int
        Seed of the content at power-up, and of wrong bits.
    limit : int
        Most cycles.
    progress : callable
        Called with a line before a compilation begins.

    Returns
    -------
    list of dict of str to int
        For each phase ``phase``; ``cycles``, ``refreshes``, ``words read`` and ``words written`` in it; ``errors`` at its end.

    Raises
    ------
    RuleBroken
        The design broke a rule of the chip.
    RuntimeError
        The design was not done within ``limit`` cycles.
    BuildFailed
        Verilator or the C++ compiler is missing or failed.
    """
    program = board_executable(
        None, design=_design(component), program="sdram_design", optimise=1, progress=progress
    )
    return _run(program, model_text(chip, clock_hz), io_cycles, seed, error_rate, limit)


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
    design = _design(controller)
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
    found: dict[str, Any]
    (found,) = _run(program, model_text(chip, clock_hz), io_cycles, seed, bursts)
    return found
