"""Places where a component's source may be changed, and what may stand there instead."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

__all__ = ["Kind", "Mutant", "Point", "Variant"]


@dataclass(frozen=True, order=True)
class Mutant:
    """The name of a mutant. It holds no line number, so that changes of other lines leave it as it is.

    Attributes
    ----------
    file : str
        The changed file, as a path below ``zipsgd_hw``.
    place : str
        Class and function, joined by a point.
    line : str
        The source line in which the point begins, without the spaces around it.
    operator : str
        The kind of change.
    change : str
        Old and new text.
    nth : int
        Tells apart equal changes of equal lines, from 1.
    """

    file: str
    place: str
    line: str
    operator: str
    change: str
    nth: int = 1

    def __str__(self) -> str:
        nth = f" (no. {self.nth})" if self.nth > 1 else ""
        return f"{self.file}: {self.place}: {self.operator}: {self.change}{nth}, in '{self.line}'"


class Kind(Enum):
    """How a point is rewritten."""

    VALUE = "an expression"
    INIT = "what a signal holds at reset"
    ASSIGN = "an assignment"
    NEXT = "the next state"
    CONNECT = "a connection"


@dataclass(frozen=True)
class Variant:
    """One mutant of a point.

    Attributes
    ----------
    mutant : Mutant
        Its name.
    make : callable
        Returns what stands at the point instead, from the operands there. Raises an exception if the change makes no
        sense for these operands.
    only_static : bool
        Whether the mutant needs a build of its own, since no multiplexer can choose it.
    """

    mutant: Mutant
    make: Callable[..., Any]
    only_static: bool = False


@dataclass
class Point:
    """An expression or a statement that can be changed.

    Attributes
    ----------
    kind : Kind
        How the source is rewritten there.
    original : callable
        Returns what stands there without a change, from the operands.
    variants : list of Variant
        The possible changes.
    """

    kind: Kind
    original: Callable[..., Any]
    variants: list[Variant] = field(default_factory=list)
