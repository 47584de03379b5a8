"""What the cocotb bench of a component declares, and how all benches are found."""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from amaranth import Elaboratable
from amaranth.lib.wiring import Component

__all__ = ["Case", "ComponentBench", "all_benches"]

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One configuration that a bench runs in.

    Parameters
    ----------
    name : str
        Short, unique within the bench.
    make : callable
        Makes the component that becomes the simulator's top module, or Verilog of a module ``dut`` around it.
    parameters : mapping of str to str or int
        What the cocotb tests read in :data:`cocotb.plusargs`, as strings.
    """

    name: str
    make: "Callable[[], Component[Any] | str]"
    parameters: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class ComponentBench:
    """The bench of a component: a file ``bench_*.py`` with cocotb tests and one of these, called ``BENCH``.

    Parameters
    ----------
    components : tuple of types
        The classes that the bench holds to their golden functions.
    golden : str
        What it holds them to: the golden function's dotted name or, for what moves words only, the rule in a few words.
    cases : tuple of Case
        Every cocotb test of the file runs in each of them.
    parts : tuple of types
        Other classes that make hardware of these components; the bench is theirs as well.
    """

    components: tuple[type[Elaboratable], ...]
    golden: str
    cases: tuple[Case, ...]
    parts: tuple[type, ...] = ()


@cache
def all_benches() -> dict[Path, ComponentBench]:
    """Every bench below this folder, by its file."""
    found = {}
    for file in sorted(_HERE.rglob("bench_*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module
        spec.loader.exec_module(module)
        found[file] = module.BENCH
    return found
