"""What the parameters of a build must keep to."""

from typing import TYPE_CHECKING

from .numbers import BLOCK_ROWS, LFSR_BITS, MOST_DEGREE, MOST_FEATURES, MOST_HEADS, MOST_STORE_WORDS

if TYPE_CHECKING:
    from .formats import Build

__all__ = ["LEVEL_WINDOW_WORDS", "BuildError", "check_build"]

LEVEL_WINDOW_WORDS = 1 << 16
"""Words of the window through which the transcoder's table is written."""
_POWERS_OF_TWO = ("lanes", "update_lanes", "max_batch", "replay_words", "rx_bytes", "word_bytes")
_REASONS = {
    "schedule_words": "a schedule runs epochs from a store, so store_words comes first",
    "update_lanes": "there may not be more update lanes than lanes",
    "rx_bytes": "ACKs count freed bytes modulo 65536, where a whole larger buffer may read as none",
}
"""Why a parameter may not be larger, where that is not plain."""


class BuildError(ValueError):
    """A set of build parameters that cannot be elaborated; the message names the parameter and its range."""


def check_build(build: "Build") -> None:
    """Check all parameters.

    Parameters
    ----------
    build : Build
        The build.

    Raises
    ------
    TypeError
        A parameter is not an integer.
    BuildError
        A parameter is out of its range, or the combination has no exact datapath.
    """
    _check_ranges(build)
    _check_parts(build)
    _check_arithmetic(build)


def _check_ranges(build: "Build") -> None:
    """Each parameter by itself."""
    ranges = {
        "lanes": (4, 256),
        "update_lanes": (1, build.lanes),
        "max_batch": (1, 1 << 12),
        "p_max": (1, 8),
        "model_bits": (12, 31),
        "q3_bits": (6, 18),
        "delta_bits": (8, 20),
        "gradient_bits": (8, 24),
        "replay_words": (32, 1 << 16),
        "rx_bytes": (1024, 1 << 15),
        "word_bytes": (1, 8),
        "store_words": (0, MOST_STORE_WORDS),
        "schedule_words": (0, 1 << 12 if build.store_words else 0),
        "score_words": (0, 1 << 16),
        "max_features": (build.lanes, MOST_FEATURES),
        "level_bits": (0, build.p_max),
        "level_p_max": (0, 4 if build.level_bits else 0),
        "hinge": (0, 1),
        "polynomial": (0, MOST_DEGREE),
        "refetch": (0, 1 << 20),
        "prox": (0, 1),
        "ball": (0, build.prox),
        "diagonal": (0, 1),
        "heads": (1, MOST_HEADS),
        "clock_hz": (1, 1 << 31),
    }
    for name, (low, high) in ranges.items():
        value = getattr(build, name)
        if not isinstance(value, int):
            raise TypeError(f"{name} must be an integer, not {value!r}")
        if not low <= value <= high:
            reason = f": {_REASONS[name]}" if name in _REASONS and value > high else ""
            raise BuildError(f"{name} must be in {low}..{high}, not {value}{reason}")
        if name in _POWERS_OF_TWO and value.bit_count() != 1:
            raise BuildError(f"{name} must be a power of two, not {value}")


def _check_parts(build: "Build") -> None:
    """Chunks, heads and the optional parts, which depend on one another."""
    if build.max_features % build.lanes:
        raise BuildError(
            f"max_features must be a multiple of the {build.lanes} lanes, such as "
            f"{-(-build.max_features // build.lanes) * build.lanes}, not {build.max_features}"
        )
    if build.heads > build.max_chunks:
        raise BuildError(
            f"heads must be at most max_features / lanes ({build.max_chunks}), not {build.heads}: each takes a chunk or more"
        )
    if build.refetch and not build.hinge:
        raise BuildError(
            f"refetch must be 0 without hinge, not {build.refetch}: samples of hinges are fetched again"
        )
    if build.refetch and (build.refetch < 32 or build.refetch.bit_count() != 1):
        raise BuildError(f"refetch must be 0 or a power of two from 32 on, not {build.refetch}")
    for name, least in (("store_words", 64), ("schedule_words", 32), ("score_words", 32)):
        words = getattr(build, name)
        if words and (words < least or words.bit_count() != 1):
            raise BuildError(f"{name} must be 0 or a power of two from {least} on, not {words}")
    if build.schedule_words and build.schedule_words < build.update_lanes + 32:
        raise BuildError(
            f"schedule_words must be at least {build.update_lanes + 32}, for the seeds of {build.update_lanes} update lanes "
            f"and the settings of an epoch, not {build.schedule_words}"
        )
    if build.score_words and build.score_words < BLOCK_ROWS * build.heads:
        raise BuildError(
            f"score_words must be at least {BLOCK_ROWS * build.heads}, for a block of {BLOCK_ROWS} samples and {build.heads} "
            f"heads, not {build.score_words}"
        )
    if build.level_bits == 1:
        raise BuildError("level_bits must be 0 or at least 2, not 1")
    if build.level_bits and build.level_words > LEVEL_WINDOW_WORDS:
        raise BuildError(
            f"a table of {build.max_features} features, {build.level_bits} bits and 2^{build.level_p_max} + 1 levels takes "
            f"{build.level_words} words of its window, which has {LEVEL_WINDOW_WORDS}: lower max_features, level_bits or "
            f"level_p_max"
        )


def _check_arithmetic(build: "Build") -> None:
    """The widths, which must leave an exact datapath."""
    if build.q3_bits >= build.model_bits:
        raise BuildError(f"q3_bits must be below model_bits ({build.model_bits}), not {build.q3_bits}")
    if build.gradient_frac > build.model_frac:
        raise BuildError(
            f"gradient_bits must be at most {build.model_frac + 1} (the model's fraction), not {build.gradient_bits}"
        )
    if build.q4_drop < 0:
        raise BuildError(
            f"gradient_bits must be at most {build.accumulator_frac + 1} (the accumulator's fraction), "
            f"not {build.gradient_bits}"
        )
    if build.q3_drop + build.q4_drop > LFSR_BITS:
        raise BuildError(
            f"rounding Q3 ({build.q3_drop} bits) and Q4 ({build.q4_drop} bits) needs more than the {LFSR_BITS} random "
            f"bits of a draw; raise q3_bits or gradient_bits"
        )
