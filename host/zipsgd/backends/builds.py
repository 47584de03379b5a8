"""Builds to emulate or simulate: one that fits the data, or one that is read from a report."""

import json
from dataclasses import replace
from pathlib import Path

from zipsgd.protocol.formats import LEVEL_WINDOW_WORDS, Build, BuildError
from zipsgd.protocol.numbers import MOST_FEATURES
from zipsgd.protocol.plain import plain

__all__ = ["build_for", "load_build", "most_features", "with_store"]

_LISTED = 1 << 14
"""Samples that a device with refetching can list. A longer epoch is trained in parts of this size."""


def most_features(lanes: int, level_planes: int | None) -> int:
    """The most features that a build can have, of all its heads together.

    Parameters
    ----------
    lanes : int
        Features that are processed in parallel.
    level_planes : int or None
        Most base planes of a value on optimal levels, whose table takes room; None for a build without a transcoder.

    Returns
    -------
    int
        A multiple of ``lanes``.
    """
    most = MOST_FEATURES // lanes * lanes
    if level_planes is None:
        return most
    one = Build(lanes=lanes, update_lanes=lanes, max_features=lanes, level_bits=8, level_p_max=level_planes)
    return min(most, LEVEL_WINDOW_WORDS // one.level_words * lanes)


def _check_columns(features: int, lanes: int, level_planes: int | None) -> None:
    """Raise BuildError if no build has room for a model of so many features."""
    most, given = most_features(lanes, level_planes), ""
    if level_planes is not None:
        given = f" on optimal levels at {level_planes} base bits and {lanes} lanes"
    if features > most:
        cure = (
            ""
            if level_planes is None
            else ", choose fewer base bits or up to 32 lanes, or use uniform levels"
        )
        raise BuildError(
            f"there are {features - 1:,} columns, and a model has {most - 1:,} at most{given}, besides the intercept: leave "
            f"out columns{cure}"
        )


def build_for(
    features: int,
    *,
    lanes: int = 8,
    max_features: int | None = None,
    batch: int = 1,
    level_planes: int | None = None,
    heads: int = 1,
    hinge: bool = False,
    polynomial: int = 0,
    refetch: bool = False,
    prox: bool = False,
    ball: bool = False,
    diagonal: bool = False,
    store: int = 0,
    scores: int = 0,
) -> Build:
    """A build that is large enough for a task.

    Parameters
    ----------
    features : int
        Number of features, including the intercept.
    lanes : int
        Features that are processed in parallel, a power of two.
    max_features : int or None
        Words of model memory; None for what the heads need, and at least 1024.
    batch : int
        Samples of a mini-batch.
    level_planes : int or None
        Most base planes of a value on optimal levels; None for a build without a transcoder.
    heads : int
        Number of models that are trained side by side.
    hinge : bool
        Whether the build has hinge losses.
    polynomial : int
        Highest degree of a polynomial loss; 0 for a build without them.
    refetch : bool
        Whether the build lists samples in doubt, so that they can be sent again.
    prox : bool
        Whether the build has the proximal step of the regularisers.
    ball : bool
        Whether the build can limit the length of the model; such a build has the proximal step, too.
    diagonal : bool
        Whether the build can correct the bias of one draw.
    store : int
        Bytes that the build's store has room for; 0 for a build without a store.
    scores : int
        Scores of an epoch that the build gives back, a power of two; 0 for a build that trains only.

    Returns
    -------
    Build
        The build.

    Raises
    ------
    BuildError
        No build can have these parameters.
    """
    features, lanes, max_features, batch = map(plain, (features, lanes, max_features, batch))
    level_planes, heads, polynomial = map(plain, (level_planes, heads, polynomial))
    lanes_above_zero = max(1, lanes)  # Build raises the error for a wrong number of lanes
    if max_features is None:
        _check_columns(features, lanes_above_zero, level_planes)
        max_features = max(1024, heads * -(-features // lanes_above_zero) * lanes_above_zero)
    # Eight base planes and all up planes, or two level values of eight bits each
    planes = 8 + max(2, polynomial + 1) if level_planes is None else 16
    words = max_features // lanes_above_zero * planes
    build = Build(
        lanes=lanes,
        update_lanes=lanes,
        max_features=max_features,
        max_batch=max(Build.max_batch, 1 << (batch - 1).bit_length()),
        replay_words=min(max(2048, 1 << (words - 1).bit_length()), 1 << 16),
        rx_bytes=1 << 14,  # large enough that a simulated board never waits for the host
        level_bits=0 if level_planes is None else 8,
        level_p_max=level_planes or 0,
        hinge=int(hinge),
        polynomial=polynomial,
        refetch=_LISTED if refetch else 0,
        prox=int(prox or ball),
        ball=int(ball),
        diagonal=int(diagonal),
        heads=heads,
        score_words=scores,
    )
    return with_store(build, store) if store else build


def with_store(build: Build, size: int) -> Build:
    """Give a build a store, and a schedule. The store's words feed the lanes as fast as they can.

    Parameters
    ----------
    build : Build
        The build.
    size : int
        Bytes that the store has room for.

    Returns
    -------
    Build
        The changed build.

    Raises
    ------
    BuildError
        No store is so large.
    """
    word_bytes = min(8, max(1, build.lanes // 8))
    words = max(64, 1 << (-(-size // word_bytes) - 1).bit_length())
    least = build.update_lanes + 32
    schedule = min(1 << 12, 1 << (16 * least - 1).bit_length())
    return replace(build, word_bytes=word_bytes, store_words=words, schedule_words=schedule)


def load_build(path: str | Path) -> Build:
    """Read a build from a JSON file that has it under the key "build".

    Parameters
    ----------
    path : str or Path
        A report of ``zipsgd build``, a saved model, or a folder with a ``build.json``.

    Returns
    -------
    Build
        The build.

    Raises
    ------
    BuildError
        The file cannot be read, or holds no valid build.
    """
    path = Path(path)
    path = path / "build.json" if path.is_dir() else path
    try:
        return Build(**json.loads(path.read_text())["build"])
    except BuildError as error:
        raise BuildError(f"{path}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} holds no build ({type(error).__name__}: {error}); 'zipsgd build' writes a build.json"
        ) from None
