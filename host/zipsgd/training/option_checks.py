"""What options may be, and which of them contradict each other."""

from typing import TYPE_CHECKING

from zipsgd.data.scaling_kinds import KINDS
from zipsgd.protocol.numbers import MOST_EPOCHS
from zipsgd.protocol.run import Refetch

if TYPE_CHECKING:
    from .options import Options

__all__ = ["KEEP", "LEVELS", "REFETCH", "SCALINGS", "check_choices"]

LEVELS = ("uniform", "optimal", "auto")
"""Values of ``Options.levels``."""
KEEP = ("auto", "best", "last")
"""Values of ``Options.keep``."""
SCALINGS = ("auto", *KINDS)
"""Values of ``Options.scaling``."""
REFETCH = tuple(kind.name.lower() for kind in Refetch)
"""Values of ``Options.refetch``."""
_WORDS = {"levels": LEVELS, "keep": KEEP, "scaling": SCALINGS, "refetch": REFETCH}


def check_choices(options: "Options") -> None:
    """Check words and whole numbers, each by itself and with the others.

    Parameters
    ----------
    options : Options
        The options.

    Raises
    ------
    TypeError
        A number that must be whole is not.
    ValueError
        A choice is out of its range, or contradicts another one.
    """
    for name, words in _WORDS.items():
        if getattr(options, name) not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(options, name)!r}")
    if not options.intercept and options.scaling not in ("auto", "none"):
        raise ValueError(
            f"without an intercept nothing is centred: choose scaling='none' instead of {options.scaling!r} (on the command "
            f"line: --scaling none)"
        )
    if not 0 < options.clip < 0.5:
        raise ValueError(f"clip must be a share above 0 and below 0.5, not {options.clip}")
    if options.resident and (options.scheduled or options.refetch != "never"):
        raise ValueError(
            "resident samples have the same bits in all epochs: give one number of bits and no refetch, or stream them"
        )
    if options.refetch != "never" and not options.classify:
        raise ValueError(
            "refetch is for hinges, on classes: set classify=True (on the command line: --classify), or leave it out"
        )
    if options.shards not in (1, "auto") and options.refetch != "never":
        raise ValueError(
            "refetch works with one model, not with those of several shards: leave out one of the two"
        )
    if options.rounds not in (None, 1) and (options.shards == 1 or options.resident):
        raise ValueError(
            "rounds are the averages of several shards' models in an epoch, and resident samples are not cut into parts: "
            "set shards to 2 or more and resident=False, or leave out rounds"
        )
    ranges = {
        "base_bits": {"uniform": (1, 8), "optimal": (0, 4), "auto": (0, 8)}[options.levels],
        "level_bits": (2, 8),
        "batch_size": (1, 1 << 12),
        "epochs": (1, 1 << 32),
        "seed": (0, (1 << 64) - 1),
        "unattended": (1, MOST_EPOCHS if options.resident and not options.average else 1),
        "shards": (1, 1 << 16),
        "rounds": (1, 64),
        "average": (0, 1 << 32),
        "patience": (0, 1 << 32),
    }
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if (name, value) in (("base_bits", None), ("rounds", None), ("shards", "auto")):
            continue
        if not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number, not {value!r}")
        if not low <= value <= high:
            if (name, high) == ("unattended", 1):
                raise ValueError(
                    "unattended epochs need samples that stay on the board, and models that are not averaged: set "
                    "resident=True and average=0 (on the command line: --resident, without --average)"
                )
            raise ValueError(f"{name} must be in {low}..{high}, not {value}")
