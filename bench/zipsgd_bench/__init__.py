"""Measurements with a goal. Each module with a BENCH is one, and ``zipsgd bench NAME`` runs it."""

from . import (
    automatic_step,
    bitstream,
    classes,
    convergence,
    cost,
    cycles,
    draws,
    emulator,
    faults,
    fuzz,
    gateware,
    identity,
    less_data,
    levels,
    link_rate,
    losses,
    momentum,
    netlists,
    one_pass,
    packing,
    quality,
    recovery,
    refetch,
    simulation,
    unbiased,
    wire,
)
from .registry import Bench, Result, describe, save

__all__ = ["BENCHES", "Bench", "Result", "describe", "save"]

BENCHES: dict[str, Bench] = {
    module.BENCH.name: module.BENCH
    for module in (
        identity,
        cycles,
        draws,
        unbiased,
        convergence,
        wire,
        link_rate,
        faults,
        recovery,
        simulation,
        emulator,
        gateware,
        cost,
        levels,
        losses,
        momentum,
        automatic_step,
        packing,
        less_data,
        netlists,
        fuzz,
        bitstream,
        quality,
        classes,
        refetch,
        one_pass,
    )
}
