"""The options of builds and runs as factors of a covering array, and the builds of its rows.

The identity bench tries the whole array, :func:`option_array`; the tests try a slice of it.
"""

import random
from collections.abc import Mapping
from functools import cache

from zipsgd.protocol.formats import Build

from .covering import Configuration, Rule, Space, cover

__all__ = [
    "BUILD_FACTORS",
    "RUN_FACTORS",
    "build_array",
    "build_of",
    "fast_memory_of",
    "implies",
    "option_array",
    "option_space",
    "run_array",
]

BUILD_FACTORS = {
    "lanes": ("4", "8", "16", "64"),
    "update lanes": ("all", "part", "one"),
    "memory": ("slow", "fast"),
    "widths": ("plain", "narrow", "wide"),
    "replay": ("tight", "roomy"),
    "heads": ("1", "4"),
    "transcoder": ("no", "yes"),
    "hinges": ("no", "yes"),
    "refetching": ("no", "yes"),
    "polynomials": ("no", "yes"),
    "proximal": ("no", "box", "ball"),
    "diagonal": ("no", "yes"),
    "word bytes": ("1", "2", "8"),
}
"""Factors of a build. ``update lanes``: as many as lanes, fewer, or one; ``memory``: ``fast_memory`` of
:class:`zipsgd_hw.datapath.gradient_unit.GradientUnit`."""

RUN_FACTORS = {
    "p": ("0", "1", "middle", "most"),
    "ups": ("0", "1", "2", "more"),
    "chunks": ("1", "2", "many"),
    "batch": ("1", "2", "odd", "most"),
    "last batch": ("full", "one", "part"),
    "heads used": ("one", "two", "all"),
    "labels": ("plain", "classes"),
    "label form": ("word", "byte", "sign"),
    "intercept": ("sent", "made"),
    "levels": ("no", "yes"),
    "loss": ("squared", "hinge", "squared_hinge", "polynomial_margin", "polynomial_residual"),
    "refetch": ("never", "certain", "likely"),
    "prox": ("none", "shrink", "threshold", "bound", "all"),
    "spared": ("no", "yes"),
    "ball": ("no", "yes"),
    "growth": ("none", "grow"),
    "sides": ("both", "one"),
    "saturates": ("no", "yes"),
    "stalls": ("no", "yes"),
    "resets": ("no", "yes"),
}
"""Factors of a run. ``last batch``: samples of an epoch's last mini-batch; ``stalls``: random gaps in the byte streams;
``resets``: resets in the middle of epochs."""

TIMING = (
    *("update lanes", "memory", "p", "ups", "chunks", "batch", "last batch", "heads used", "levels", "loss"),
    *("refetch", "prox", "ball", "growth", "stalls"),
)
"""Factors that determine when an update meets the samples that follow it; their triples are covered as well."""
_BUILD_TIMING = (
    *(
        "update lanes",
        "memory",
        "heads",
        "transcoder",
        "hinges",
        "refetching",
        "polynomials",
        "proximal",
        "diagonal",
    ),
)
"""Factors of a build that determine the same, or that limit those of a run."""

_SEED = 5
_MOST_CHUNKS = 16
_WIDTHS = {
    "plain": {},
    "narrow": {"model_bits": 20, "q3_bits": 9, "delta_bits": 14, "gradient_bits": 15, "p_max": 4},
    "wide": {"q3_bits": 14, "delta_bits": 20, "gradient_bits": 20},
}


def implies(condition: str, value: str, factor: str, *allowed: str) -> Rule:
    """A rule: where one factor has a value, another must have one of some values.

    Parameters
    ----------
    condition, value : str
        The one factor, and its value.
    factor : str
        The other factor.
    allowed : str
        The values that it may have then.

    Returns
    -------
    Rule
        The rule.
    """
    return Rule((condition, factor), lambda one, other: one != value or other in allowed)


_BUILD_RULES = (implies("refetching", "yes", "hinges", "yes"),)
_RUN_RULES = (
    implies("levels", "yes", "transcoder", "yes"),
    implies("p", "0", "levels", "yes"),
    implies("p", "0", "ups", "1", "2"),
    implies("ups", "more", "levels", "no"),
    implies("ups", "more", "loss", "polynomial_margin", "polynomial_residual"),
    implies("loss", "hinge", "hinges", "yes"),
    implies("loss", "squared_hinge", "hinges", "yes"),
    implies("loss", "polynomial_margin", "polynomials", "yes"),
    implies("loss", "polynomial_residual", "polynomials", "yes"),
    implies("heads used", "two", "heads", "4"),
    implies("heads used", "all", "heads", "4"),
    implies("labels", "classes", "heads", "4"),
    implies("label form", "byte", "labels", "classes"),
    implies("label form", "sign", "labels", "plain"),
    implies("label form", "sign", "heads used", "one"),
    implies("batch", "1", "last batch", "full"),
    implies("batch", "2", "last batch", "full", "one"),
    *(
        implies("refetch", kind, factor, *allowed)
        for kind in ("certain", "likely")
        for factor, allowed in {
            "refetching": ("yes",),
            "loss": ("hinge", "squared_hinge"),
            "heads used": ("one",),
            "labels": ("plain",),
            "levels": ("no",),
            "ups": ("1", "2"),
        }.items()
    ),
    *(implies("prox", kind, "proximal", "box", "ball") for kind in ("shrink", "threshold", "bound", "all")),
    implies("spared", "yes", "proximal", "box", "ball"),
    implies("ball", "yes", "proximal", "ball"),
    implies("ball", "yes", "heads used", "one"),
    implies("growth", "grow", "diagonal", "yes"),
    implies("growth", "grow", "ups", "1"),
    implies("growth", "grow", "loss", "squared", "squared_hinge"),
    implies("growth", "grow", "refetch", "never"),
)


@cache
def option_space() -> Space:
    """All builds, with all runs that each can do."""
    return Space({**BUILD_FACTORS, **RUN_FACTORS}, (*_BUILD_RULES, *_RUN_RULES))


def _names(configuration: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(configuration[factor] for factor in BUILD_FACTORS)


@cache
def build_array() -> list[Configuration]:
    """Builds that cover all pairs of their options, and all triples of the options that determine how updates are timed."""
    builds, _ = cover(
        Space(BUILD_FACTORS, _BUILD_RULES), {2: BUILD_FACTORS, 3: _BUILD_TIMING}, random.Random(_SEED)
    )
    return builds


def run_array(build: Mapping[str, str]) -> list[Configuration]:
    """Configurations of one build that cover all pairs of a run's options; the first ones cover the most.

    Parameters
    ----------
    build : Mapping of str to str
        A value for each factor of :data:`BUILD_FACTORS`.

    Returns
    -------
    list of dict of str to str
        The configurations.
    """
    space = Space(
        {**{factor: (value,) for factor, value in build.items()}, **RUN_FACTORS}, option_space().rules
    )
    return cover(space, {2: RUN_FACTORS}, random.Random(_SEED))[0]


@cache
def option_array() -> tuple[list[Configuration], dict[int, int]]:
    """Configurations that cover all pairs of values, and all triples of :data:`TIMING`.

    Returns
    -------
    list of dict of str to str
        The configurations; those with the same build are next to each other.
    dict of int to int
        How many pairs (2) and triples (3) there are.
    """
    array, counts = cover(
        option_space(), {2: option_space().factors, 3: TIMING}, random.Random(_SEED), build_array()
    )
    return sorted(array, key=_names), counts


def fast_memory_of(configuration: Mapping[str, str]) -> bool:
    """Whether a configuration is for FPGAs with fast memories.

    Parameters
    ----------
    configuration : Mapping of str to str
        A value for each factor of :data:`BUILD_FACTORS`, at least.

    Returns
    -------
    bool
        ``fast_memory`` of :class:`zipsgd_hw.datapath.datapath.Datapath`.
    """
    return configuration["memory"] == "fast"


def build_of(configuration: Mapping[str, str]) -> Build:
    """The build of a configuration.

    Parameters
    ----------
    configuration : Mapping of str to str
        A value for each factor of :data:`BUILD_FACTORS`, at least.

    Returns
    -------
    Build
        The build.
    """
    lanes, heads = int(configuration["lanes"]), int(configuration["heads"])
    has = {
        name: configuration[name] == "yes" for name in ("transcoder", "hinges", "refetching", "polynomials")
    }
    widths = _WIDTHS[configuration["widths"]]
    return Build(
        lanes=lanes,
        update_lanes={"all": lanes, "part": max(2, lanes // 4), "one": 1}[configuration["update lanes"]],
        max_features=_MOST_CHUNKS * lanes,
        max_batch=16,
        replay_words={"tight": 64, "roomy": 512}[configuration["replay"]],
        heads=heads,
        level_bits=4 * has["transcoder"],
        level_p_max=2 * has["transcoder"],
        hinge=int(has["hinges"]),
        refetch=256 * has["refetching"],
        polynomial=3 * has["polynomials"],
        prox=int(configuration["proximal"] != "no"),
        ball=int(configuration["proximal"] == "ball"),
        diagonal=int(configuration["diagonal"] == "yes"),
        word_bytes=int(configuration["word bytes"]),
        **widths,
    )
