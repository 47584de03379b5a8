"""Grids so coarse that even small inputs take several rounds."""

from types import ModuleType

import pytest

__all__ = ["make_coarse"]


def make_coarse(patch: pytest.MonkeyPatch, solver: ModuleType, without: str | None) -> list[int]:
    """Make the grids of a solver coarse; returns a list whose item counts the rounds that narrowed brackets.

    ``without``: name of the solver's function that narrows them before the grids do, which is left out.
    """
    if without is not None:
        patch.setattr(solver, without, lambda *_: None)
    rounds = [0]
    narrow = solver.narrow

    def counted(*arguments: object) -> None:
        rounds[0] += 1
        narrow(*arguments)

    patch.setattr(solver, "narrow", counted)
    patch.setattr(solver, "_CELLS", 1)
    patch.setattr(solver, "_LEAST", 1)
    return rounds
