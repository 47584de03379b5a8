"""The options of builds and runs that matter to samples in a store, as factors of a covering array of its own.

The rules, and the values of the options that both arrays have, are those of :mod:`.options`. The identity bench tries the whole
array, :func:`store_array`; the tests try the rows of one build.
"""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.memories import Sdram

from .covering import Configuration, Space, cover
from .options import BUILD_FACTORS, RUN_FACTORS, build_of, implies, option_space

__all__ = ["STORE_BUILD_FACTORS", "STORE_RUN_FACTORS", "sdram_of", "store_array", "store_build_of"]

_CHIPS = {
    "SDRAM 16 bits": Sdram("16Mx16"),
    "SDRAM 32 bits": Sdram("M12L64322A-7"),
    "SDRAM in its own clock": Sdram("16Mx16", 66_000_000),
}
_STORE_BYTES = 1 << 18
"""Bytes of a store in block RAM: more than the largest set has."""
_SCHEDULE_WORDS = 128
"""Writes of a schedule: too few for all epochs of a run where a build has many update lanes."""
_SEED = 3

_PARTS = {
    "heads": ("4",),
    "transcoder": ("yes",),
    "hinges": ("yes",),
    "refetching": ("no",),
    "polynomials": ("no",),
    "proximal": ("no",),
    "diagonal": ("yes",),
    "widths": ("plain",),
}
"""What all builds have, so that each can do every run. Parts that only compute are for the other array."""

STORE_BUILD_FACTORS = {
    "store": ("none", "block RAM", *_CHIPS),
    "word bytes": ("1", "2", "4", "8"),
    "schedule": ("no", "yes"),
    "lanes": ("4", "16"),
    "update lanes": ("all", "one"),
    **{name: BUILD_FACTORS[name] for name in ("memory", "replay")},
}
"""Factors of a build."""

STORE_RUN_FACTORS = {
    "samples": ("streamed", "resident", "unattended"),
    "order": ("in sequence", "random"),
    "blocks": ("one", "two", "many"),
    "last block": ("one", "part", "full"),
    "estimator": ("double", "one draw", "naive", "truncated"),
    **{
        name: RUN_FACTORS[name]
        for name in (
            *("p", "chunks", "batch", "heads used", "labels", "label form", "intercept", "levels"),
            *("saturates", "stalls", "resets"),
        )
    },
    "loss": ("squared", "hinge", "squared_hinge"),
}
"""Factors of a run. ``samples``: whether they are streamed, or a device keeps them; unattended, it runs several epochs on its
own; ``order``: that of the blocks; ``last block``: its samples, of the 16 that a block has."""

_TRIPLES = (
    *(
        "store",
        "schedule",
        "samples",
        "order",
        "blocks",
        "last block",
        "estimator",
        "heads used",
        "label form",
    ),
    *("p", "chunks", "batch", "stalls", "resets"),
)
"""Factors whose triples are covered as well: they determine what lies in the store, and how it is read."""
_SQUARED = ("squared", "squared_hinge")
_RULES = (
    implies("store", "none", "schedule", "no"),
    implies("store", "none", "word bytes", "1"),
    implies("store", "SDRAM 16 bits", "word bytes", "2"),
    implies("store", "SDRAM 32 bits", "word bytes", "4"),
    implies("store", "SDRAM in its own clock", "word bytes", "2", "4", "8"),
    implies("estimator", "one draw", "diagonal", "yes"),
    implies("estimator", "one draw", "loss", *_SQUARED),
    implies("estimator", "truncated", "p", "1", "middle", "most"),
)


def _space(factors: Mapping[str, tuple[str, ...]]) -> Space:
    """The space of these factors, with all rules on them."""
    factors = {**_PARTS, **factors}
    rules = (*option_space().rules, *_RULES)
    return Space(factors, [rule for rule in rules if factors.keys() >= set(rule.factors)])


def _names(configuration: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(configuration[factor] for factor in STORE_BUILD_FACTORS)


@cache
def store_array() -> tuple[list[Configuration], dict[int, int]]:
    """Configurations that cover all pairs of values, and all triples of the factors around a store.

    Returns
    -------
    list of dict of str to str
        The configurations; those with the same build are next to each other.
    dict of int to int
        How many pairs (2) and triples (3) there are.
    """
    builds, _ = cover(_space(STORE_BUILD_FACTORS), {2: STORE_BUILD_FACTORS}, random.Random(_SEED))
    both = {**STORE_BUILD_FACTORS, **STORE_RUN_FACTORS}
    array, counts = cover(_space(both), {2: both, 3: _TRIPLES}, random.Random(_SEED), builds)
    return sorted(array, key=_names), counts


def sdram_of(configuration: Mapping[str, str]) -> Sdram | None:
    """The chip of SDRAM that a configuration's store is, if any.

    Parameters
    ----------
    configuration : Mapping of str to str
        A value for each factor of :data:`STORE_BUILD_FACTORS`, at least.

    Returns
    -------
    Sdram or None
        The chip; None for a store in block RAM, or none.
    """
    return _CHIPS.get(configuration["store"])


def store_build_of(configuration: Mapping[str, str]) -> Build:
    """The build of a configuration.

    Parameters
    ----------
    configuration : Mapping of str to str
        A value for each factor of :data:`STORE_BUILD_FACTORS`, at least.

    Returns
    -------
    Build
        The build.
    """
    build = build_of(configuration)
    sdram, words = sdram_of(configuration), 0
    if sdram is not None:
        size = sdram.specification.geometry
        words = size.words * size.data_bits // 8 // build.word_bytes
    elif configuration["store"] != "none":
        words = _STORE_BYTES // build.word_bytes
    schedule = _SCHEDULE_WORDS if configuration["schedule"] == "yes" else 0
    return replace(build, store_words=words, schedule_words=schedule)
