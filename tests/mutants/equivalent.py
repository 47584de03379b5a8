"""Mutants that no test can catch, since what they make behaves alike, each with the reason.

A mutant is told by what ``make mutants`` prints of it. An entry whose mutant no longer exists, or that a bench catches,
is an error.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from operators import Mutant

__all__ = ["EQUIVALENT", "PROVED", "Equivalent", "entry", "reasons"]

PROVED = "A solver proved it, for any input and in each build that the component's bench has."
"""The reason of what ``run.py --prove`` proved: but for words of streams that are not valid, no output ever differs."""


@dataclass(frozen=True)
class Equivalent:
    """Mutants of one file for one reason: all whose line, operator, change and number are these.

    Parameters
    ----------
    file : below ``zipsgd_hw``.
    line : the source's line, without spaces around it.
    change : what is done there, old and new text. operator : of :class:`.Mutant`.
    why : the reason, a sentence.
    nth : of :class:`.Mutant`.
    """

    file: str
    line: str
    operator: str
    change: str
    why: str
    nth: int = 1

    def matches(self, mutant: Mutant) -> bool:
        return (self.file, self.line, self.operator, self.change, self.nth) == (
            mutant.file,
            mutant.line,
            mutant.operator,
            mutant.change,
            mutant.nth,
        )


EQUIVALENT: tuple[Equivalent, ...] = ()


def entry(mutant: Mutant, why: str) -> str:
    """The source of a mutant's entry."""
    fields = {"file": mutant.file, "line": mutant.line, "operator": mutant.operator, "change": mutant.change}
    lines = [f"        {name}={json.dumps(value, ensure_ascii=False)}," for name, value in fields.items()]
    lines.append(f"        why={'PROVED' if why == PROVED else json.dumps(why)},")
    if mutant.nth > 1:
        lines.append(f"        nth={mutant.nth},")
    return "\n".join(["    Equivalent(", *lines, "    ),"])


def reasons(population: Iterable[Mutant], entries: Iterable[Equivalent] = EQUIVALENT) -> dict[Mutant, str]:
    """Why each listed mutant is equivalent. Raises ValueError if an entry fits none."""
    by_line: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in population:
        by_line.setdefault((mutant.file, mutant.line), []).append(mutant)
    found = {}
    for entry in entries:
        fits = [mutant for mutant in by_line.get((entry.file, entry.line), []) if entry.matches(mutant)]
        if not fits:
            raise ValueError(
                f"{entry.file} has no mutant '{entry.operator}: {entry.change}' (no. {entry.nth}) in '{entry.line}'"
            )
        found.update(dict.fromkeys(fits, entry.why))
    return found
