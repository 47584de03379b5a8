"""Covering arrays: few configurations that contain all combinations of values of any few factors.

Most faults that depend on several factors need only two or three of them to have certain values at once. A covering array of
strength two is a list of configurations in which each pair of values of any two factors occurs, if the rules allow the pair;
strength three is the same for triples.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Combination", "Configuration", "Rule", "Space", "cover"]

Configuration = dict[str, str]
"""A value of each factor."""
Combination = tuple[tuple[str, str], ...]
"""Values of some factors that are to occur together: (factor, value), in the factors' order."""

_CANDIDATES = 20
"""Random configurations from which the best one is taken."""


@dataclass(frozen=True)
class Rule:
    """A condition on configurations.

    Parameters
    ----------
    factors : tuple of str
        The factors that the condition is about.
    holds : callable
        Whether the condition holds, of the factors' values in their order.
    """

    factors: tuple[str, ...]
    holds: Callable[..., bool]


@dataclass(frozen=True)
class Space:
    """All configurations.

    Parameters
    ----------
    factors : mapping of str to sequence of str
        The values of each factor.
    rules : sequence of Rule
        Conditions, all of which a configuration must satisfy.
    """

    factors: Mapping[str, Sequence[str]]
    rules: Sequence[Rule]
    _of: dict[str, list[Rule]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.rules:
            for factor in rule.factors:
                self._of.setdefault(factor, []).append(rule)

    def _allows(self, chosen: Configuration, factor: str) -> bool:
        """Whether those rules of ``factor`` hold whose factors all have a value."""
        return all(
            rule.holds(*(chosen[name] for name in rule.factors))
            for rule in self._of.get(factor, ())
            if all(name in chosen for name in rule.factors)
        )

    def complete(self, some: Mapping[str, str], rng: random.Random) -> Configuration | None:
        """A random configuration with given values.

        Parameters
        ----------
        some : Mapping of str to str
            Values of some factors.
        rng : random.Random
            Source of the choices.

        Returns
        -------
        dict of str to str or None
            The configuration; None if the rules allow none.
        """
        chosen = dict(some)
        if not all(self._allows(chosen, factor) for factor in some):
            return None
        free = [factor for factor in self.factors if factor not in chosen]
        # Factors of many rules first: they determine most often whether a configuration is possible.
        free.sort(key=lambda factor: -len(self._of.get(factor, ())))

        def fill(place: int) -> bool:
            if place == len(free):
                return True
            factor = free[place]
            for value in rng.sample(self.factors[factor], len(self.factors[factor])):
                chosen[factor] = value
                if self._allows(chosen, factor) and fill(place + 1):
                    return True
            del chosen[factor]
            return False

        return {factor: chosen[factor] for factor in self.factors} if fill(0) else None

    def combinations(self, factors: Iterable[str], strength: int) -> set[Combination]:
        """All combinations of values that the rules allow.

        Parameters
        ----------
        factors : iterable of str
            The factors whose values are combined.
        strength : int
            Factors of a combination.

        Returns
        -------
        set of Combination
            The combinations.
        """
        rng = random.Random(0)
        names = [name for name in self.factors if name in set(factors)]
        found: set[Combination] = set()
        for chosen in itertools.combinations(names, strength):
            for values in itertools.product(*(self.factors[name] for name in chosen)):
                combination = tuple(zip(chosen, values, strict=True))
                if combination in found:
                    continue
                if (example := self.complete(dict(combination), rng)) is not None:
                    # All combinations of a configuration are possible, which saves most searches.
                    found |= _met(example, names, strength)
        return found


def _met(configuration: Mapping[str, str], names: Sequence[str], strength: int) -> set[Combination]:
    return set(itertools.combinations([(name, configuration[name]) for name in names], strength))


def cover(
    space: Space,
    strengths: Mapping[int, Iterable[str]],
    rng: random.Random,
    bases: Sequence[Mapping[str, str]] = ({},),
) -> tuple[list[Configuration], dict[int, int]]:
    """A covering array, built by repeatedly taking the best of a few random configurations.

    Parameters
    ----------
    space : Space
        Where configurations come from.
    strengths : mapping of int to iterables of str
        For each strength, the factors whose combinations are to be covered.
    rng : random.Random
        Source of the choices.
    bases : sequence of mappings
        Values of some factors to start from: each configuration contains one of these, unless none of them allows a
        combination that is still missing.

    Returns
    -------
    list of Configuration, dict of int to int
        The array, which covers every combination that the rules allow; and the number of combinations of each strength.
    """
    names = {
        strength: [name for name in space.factors if name in set(some)]
        for strength, some in strengths.items()
    }
    missing = {strength: space.combinations(some, strength) for strength, some in names.items()}
    counts = {strength: len(some) for strength, some in missing.items()}
    array: list[Configuration] = []

    def fresh(configuration: Configuration) -> int:
        return sum(
            len(_met(configuration, names[strength], strength) & missing[strength]) for strength in names
        )

    def candidate(wanted: Sequence[Combination]) -> Configuration:
        """A random configuration with one of the ``wanted`` combinations, and with a few more as far as they fit."""
        first, *more = rng.sample(wanted, min(len(wanted), 8))
        some = dict(first)
        for base in rng.sample(bases, len(bases)):
            if (joined := _joined(some, base)) is not None and space.complete(joined, rng) is not None:
                some = joined
                break
        for combination in more:
            joined = _joined(some, dict(combination))
            if joined is not None and space.complete(joined, rng) is not None:
                some = joined
        found = space.complete(some, rng)
        assert found is not None
        return found

    while any(missing.values()):
        _, wanted = max((len(some), sorted(some)) for some in missing.values())
        best = max((candidate(wanted) for _ in range(_CANDIDATES)), key=fresh)
        array.append(best)
        for strength in names:
            missing[strength] -= _met(best, names[strength], strength)
    return array, counts


def _joined(some: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str] | None:
    """The values of both; None if they contradict each other."""
    if any(some.get(name, value) != value for name, value in more.items()):
        return None
    return {**some, **more}
