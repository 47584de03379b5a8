"""What benches of the datapath share: a build as a case's parameters, and packed words on its ports."""

import random
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import cocotb
from amaranth.lib.wiring import Component
from component_bench import Case

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.config import run_layout

__all__ = ["build_case", "case_build", "is_fast", "pack", "run_bits"]


def build_case(
    name: str, component: "Callable[[Build], Component[Any]]", fast: int = 0, **parameters: int
) -> Case:
    """A case that makes a component from a build. The cocotb test gets the build from :func:`case_build`, and from
    :func:`is_fast` whether ``component`` gives it fast memory, as ``fast`` says."""
    return Case(name, lambda: component(Build(**parameters)), {"fast": fast, **parameters})


def case_build() -> Build:
    """The build of the running case."""
    names = {field.name for field in fields(Build)}
    return Build(**{name: int(value) for name, value in cocotb.plusargs.items() if name in names})


def is_fast() -> bool:
    """Whether the component of the running case has fast memory."""
    return bool(int(cocotb.plusargs["fast"]))


def pack(words: Iterable[int], width: int) -> int:
    """Concatenates words as the port of an array does, with the first word in the lowest bits."""
    mask = (1 << width) - 1
    return sum((int(word) & mask) << (place * width) for place, word in enumerate(words))


def run_bits(build: Build, **values: int) -> int:
    """The word for the ``run`` port with these values. Fields not given are random, since the component must not use them.

    Values of fields that the build does not have are ignored.
    """
    word = 0
    for name, field in run_layout(build):
        value = values.get(name, random.getrandbits(field.width))
        assert 0 <= value < 1 << field.width, f"{name} = {value} does not fit"
        word |= int(value) << field.offset
    return word
