"""What a run asks of a build: what fits, and what is named where it does not."""

from dataclasses import replace

import numpy as np
import pytest

from zipsgd.golden.levels import LevelTable
from zipsgd.golden.run import LimitError, RunConfig
from zipsgd.protocol.formats import Build, BuildError
from zipsgd.protocol.run import Loss, Refetch

BUILD = Build(lanes=4, update_lanes=4, max_features=32, max_batch=16, p_max=6, replay_words=64)
LARGEST = RunConfig(features=32, p=6, m=2, batch=16)
REFETCHES = replace(BUILD, hinge=1, refetch=64)
IN_DOUBT = RunConfig(features=12, p=6, m=2, batch=16, loss=Loss.HINGE, refetch=Refetch.CERTAIN)
LEVELS = replace(BUILD, level_bits=6, level_p_max=2)


def on_levels(p: int = 2, bits: int = 6, features: int = 20, m: int = 2) -> RunConfig:
    table = LevelTable(np.zeros((features, 2**p + 1), dtype=np.int16), bits)
    return RunConfig(features, p, m, batch=16, levels=table)


@pytest.mark.parametrize(
    "config", [LARGEST, RunConfig(1, 1, 0, 1), RunConfig(3, 2, 1, 7, one_sided=True)], ids=str
)
def test_even_levels_fit(config):
    config.check(BUILD)
    config.check(LEVELS, LEVELS.max_samples)


@pytest.mark.parametrize(
    "config",
    [on_levels(), on_levels(p=0), on_levels(p=0, m=1), on_levels(m=0), on_levels(bits=2, features=32)],
)
def test_levels_fit(config):
    config.check(LEVELS)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"features": 33},
            r"there are 32 columns, and this build takes 31, besides the intercept: leave out columns",
        ),
        ({"features": 0}, "features"),
        ({"p": 7}, r"base planes p must be in 1\.\.6 on this build, not 7; larger builds have higher limits"),
        ({"p": 0}, r"base planes p must be in 1\.\.6 on this build, not 0"),
        ({"m": 3}, r"samples per value m must be in 0\.\.2"),
        ({"batch": 17}, r"batch size must be in 1\.\.16"),
        ({"batch": 0}, "batch size"),
    ],
)
def test_limits_are_named(changes, says):
    for build in (BUILD, LEVELS):
        with pytest.raises(LimitError, match=says):
            replace(LARGEST, **changes).check(build)


def test_samples_of_an_epoch():
    with pytest.raises(
        LimitError, match=rf"samples of an epoch must be in 0\.\.{BUILD.max_samples} on this build"
    ):
        LARGEST.check(BUILD, BUILD.max_samples + 1)


def test_the_replay_buffer():
    with pytest.raises(
        LimitError,
        match="there are 31 columns, and at 8 planes a value this build takes 15, besides the intercept",
    ):
        LARGEST.check(replace(BUILD, replay_words=32))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (on_levels(p=3), r"base planes p must be in 0\.\.2 on this build, not 3"),
        (on_levels(bits=7), r"bits of a level must be in 2\.\.6 on this build, not 7"),
        (on_levels(p=0, m=0), r"samples per value m must be in 1\.\.2 on this build, not 0"),
        # Two quantisations of six bits each, however few planes are streamed
        (
            on_levels(p=0, features=24),
            "there are 23 columns, and at 12 planes a value this build takes 19, besides the intercept",
        ),
    ],
)
def test_limits_on_levels_are_named(config, says):
    with pytest.raises(LimitError, match=says):
        config.check(LEVELS)


def test_a_build_without_a_transcoder():
    with pytest.raises(
        LimitError,
        match="no transcoder for optimal levels: use uniform levels, or take a build with level_bits=8",
    ):
        on_levels().check(BUILD)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loss": Loss.HINGE}, "does not support hinge losses: take a build with hinge=1"),
        ({"prox": True}, "does not support regularisers: take a build with prox=1"),
        (
            {"heads": 3},
            "there are 11 columns, and for 3 models side by side this build takes 7, besides the intercepts",
        ),
    ],
)
def test_what_a_build_lacks_is_named(changes, says):
    with pytest.raises(LimitError, match=says):
        replace(LARGEST, features=12, **changes).check(replace(BUILD, heads=4))


def test_refetching_fits():
    for refetch in Refetch:
        replace(IN_DOUBT, refetch=refetch).check(REFETCHES, 64)
    replace(IN_DOUBT, refetch=Refetch.NEVER).check(REFETCHES, REFETCHES.max_samples)
    replace(IN_DOUBT, p=1, m=1, loss=Loss.SQUARED_HINGE).check(REFETCHES, 1)


@pytest.mark.parametrize(
    ("build", "samples", "changes", "says"),
    [
        (
            replace(REFETCHES, refetch=0),
            8,
            {},
            "^this build does not support refetching: take a build with hinge=1 and refetch=16384$",
        ),
        (
            replace(REFETCHES, heads=2),
            8,
            {"heads": 2},
            "^refetching works with one model at a time, not with several heads$",
        ),
        (REFETCHES, 65, {}, r"^samples of an epoch must be in 0\.\.64 on this build, not 65; larger builds"),
    ],
)
def test_limits_on_refetching_are_named(build, samples, changes, says):
    with pytest.raises(LimitError, match=says):
        replace(IN_DOUBT, **changes).check(build, samples)


@pytest.mark.parametrize("changes", [{"loss": Loss.SQUARED}, {"m": 0}, {"levels": on_levels().levels}])
def test_runs_that_fetch_nothing_again(changes):
    with pytest.raises(ValueError, match="refetch does not work with"):
        replace(IN_DOUBT, features=20, p=2, **changes)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"hinge": 1, "refetch": 48}, "^refetch must be 0 or a power of two from 32 on, not 48$"),
        ({"hinge": 1, "refetch": 16}, "^refetch must be 0 or a power of two from 32 on, not 16$"),
        ({"hinge": 1, "refetch": 1 << 21}, r"^refetch must be in 0\.\.1048576, not 2097152$"),
        ({"refetch": 64}, r"^refetch must be 0 without hinge, not 64"),
        ({"polynomial": 8}, r"^polynomial must be in 0\.\.7, not 8$"),
    ],
)
def test_builds_that_cannot_be(parameters, says):
    with pytest.raises(BuildError, match=says):
        Build(**parameters)


@pytest.mark.parametrize("changes", [{"features": 19}, {"p": 1}])
def test_levels_of_another_run(changes):
    with pytest.raises(
        ValueError,
        match=r"the levels are for 20 features and p = 2, but the run has (19|20) features and p = [12]",
    ):
        replace(on_levels(), **changes)
