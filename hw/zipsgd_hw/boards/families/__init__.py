"""Families of FPGAs: one module each, with everything in which the family differs from the others."""

from .ecp5 import ECP5
from .family import Family, Pll
from .gowin import GOWIN
from .ice40 import ICE40

__all__ = ["FAMILIES", "Family", "Pll"]

FAMILIES: dict[str, Family] = {family.name: family for family in (ICE40, ECP5, GOWIN)}
"""Every family, by name."""
