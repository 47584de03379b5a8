"""Measurements with a goal: each module is one bench, ``python -m zipsgd.bench NAME`` runs it."""

from . import convergence, emulator, unbiased, wire
from .registry import Bench, Result, describe, save

__all__ = ["BENCHES", "Bench", "Result", "describe", "save"]

BENCHES: dict[str, Bench] = {
    module.BENCH.name: module.BENCH for module in (unbiased, convergence, emulator, wire)
}
