"""Draws a sample of the mutants, from every component."""

import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from points import Mutant

__all__ = ["group_of", "sample"]


def group_of(mutant: Mutant) -> str:
    """The class that a mutant changes, or the functions of its file."""
    owner = mutant.place.split(".")[0]
    return owner if owner[0].isupper() else Path(mutant.file).stem


def sample(
    live: Iterable[Mutant], static: set[Mutant], count: int, seed: int, *, least: int = 6
) -> list[Mutant]:
    """Draws mutants from all components, in proportion to the number that each component has.

    The draw for one component does not depend on the others. Up to one in eight of a component's mutants are static, unless
    all of its mutants are.

    Parameters
    ----------
    live : iterable of Mutant
        The mutants to draw from.
    static : set of Mutant
        Those of them that need a build of their own.
    count : int
        About how many to draw. A minimum for each component can make it more.
    seed : int
        Seed of the draw.
    least : int
        Minimum for each component, as far as it has so many.

    Returns
    -------
    list of Mutant
        The drawn mutants, ordered by component.
    """
    groups: defaultdict[str, list[Mutant]] = defaultdict(list)
    for mutant in sorted(live):
        groups[group_of(mutant)].append(mutant)
    switched = {name: [m for m in group if m not in static] for name, group in groups.items()}
    total = sum(map(len, switched.values()))
    drawn = []
    for name, group in sorted(groups.items()):
        rng = random.Random(f"{seed}:{name}")
        want = max(least, -(-count * len(switched[name]) // max(1, total)))
        alone = [mutant for mutant in group if mutant in static]
        rest = switched[name]
        few = rng.sample(alone, min(len(alone), max(1, want // 8) if rest else least))
        drawn += rng.sample(rest, min(len(rest), max(0, want - len(few)))) + few
    return drawn
