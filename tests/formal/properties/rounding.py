"""Stochastic rounding: a value that is exactly representable stays, and any other becomes one of its two neighbours."""

from typing import Any

from amaranth.hdl import Mux, Value
from checker import Mutation, Property
from harness import Harness, inside
from small import small_build

from zipsgd_hw.datapath.loss_unit import LossUnit
from zipsgd_hw.datapath.update_unit import UpdateUnit

__all__ = ["PROPERTIES"]


def _show_rounding(harness: Harness, name: str, exact: Value, rounded: Value, drop: int) -> None:
    """``rounded`` is ``exact`` of the cycle before, with its last ``drop`` bits rounded away."""
    before = harness.past(exact)
    floor = before >> drop
    harness.show(f"{name}: what is exact stays", ~harness.started | before[:drop].any() | (rounded == floor))
    harness.show(f"{name}: a neighbour", ~harness.started | (rounded == floor) | (rounded == floor + 1))


def _delta() -> Harness:
    build = small_build()
    dut: Any = LossUnit(build)
    parts = inside(dut)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut)
    harness.cut(parts.lfsr, parts.lfsr.state)
    _show_rounding(harness, "delta", parts.scaled, parts.whole, build.delta_drop)
    return harness


def _update() -> Harness:
    build = small_build(update_lanes=1)
    dut: Any = UpdateUnit(build)
    parts = inside(dut)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut)
    harness.cut(parts.lfsr, parts.lfsr.state)
    harness.cut(parts.master, parts.read.data)
    exact = Mux(parts.at[0].zero, 0, parts.row[0])
    _show_rounding(harness, "Q4", exact, parts.whole, build.q4_drop)
    _show_rounding(harness, "Q3", parts.kept, parts.rounded, build.q3_drop)
    return harness


PROPERTIES = [
    Property(
        "rounding of deltas",
        "a product that is exactly a delta stays; any other becomes one of its two neighbours",
        "LossUnit",
        "delta of 8 bits, any draw",
        _delta,
        (
            Mutation(
                LossUnit,
                "a bit is dropped too few",
                "whole = rounded[drop:].as_signed()",
                "whole = rounded[drop - 1 :].as_signed()",
            ),
        ),
    ),
    Property(
        "rounding of steps and Q3",
        "a value that is exactly representable stays; any other becomes one of its two neighbours",
        "UpdateUnit",
        "U = 1 of L = 4, model of 12 bits, Q3 of 6, any draw",
        _update,
        (
            Mutation(
                UpdateUnit,
                "a one too much (Q4)",
                "align_draw(lfsr.state, build.q4_drop), wait)",
                "align_draw(lfsr.state, build.q4_drop) + 1, wait)",
            ),
            Mutation(UpdateUnit, "a one too much (Q3)", "(kept + q3_bits)", "(kept + q3_bits + 1)"),
        ),
    ),
]
