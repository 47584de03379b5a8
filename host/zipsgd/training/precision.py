"""How many bits a value has, and how they are split into base planes and independent quantisations."""

from collections.abc import Sequence
from dataclasses import dataclass

from .objective import Objective

__all__ = ["ESTIMATORS", "Bits", "Precision", "find_precision"]

ESTIMATORS = ("auto", "double", "one-draw", "naive", "truncated")
"""Values of ``Options.estimator``."""

Bits = int | str | Sequence[int] | None
"""Values of ``Options.bits``."""

_USUAL = 4
"""Bits a value where the user says nothing."""
_USUAL_PLANES = 2
"""Base planes where the user says nothing, and the derivative of the loss is a polynomial."""
_MOST_PLANES = 8
"""Most base planes of even levels."""
_MOST_LEVEL_PLANES = 4
"""Most base planes of optimal levels."""


@dataclass(frozen=True)
class Precision:
    """Base planes and quantisations of a value.

    Parameters
    ----------
    estimator : str
        "double", "one-draw", "naive" or "truncated".
    draws : int
        Independent quantisations m of a value, each of which costs one bit.
    planes : tuple of int
        Base planes p of each epoch; the last entry holds for all further epochs.
    climbs : bool
        Whether ``planes`` are the rungs of a ladder instead: training begins with the first entry, and goes on to the next one
        when its loss no longer falls.
    """

    estimator: str
    draws: int
    planes: tuple[int, ...]
    climbs: bool = False


def _check_bits(bits: Bits) -> None:
    """Raise ValueError unless the bits are whole numbers, or "auto", or left open."""
    if bits is None or bits == "auto":
        return
    if not isinstance(bits, int | str) and not bits:
        raise ValueError("bits must be a number, or one for each epoch, not an empty list")
    numbers = (bits,) if isinstance(bits, int | str) or not isinstance(bits, Sequence) else bits
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError(f"bits must be a whole number, one for each epoch, or 'auto', not {bits!r}")


def find_precision(
    estimator: str,
    bits: Bits,
    base_bits: int | None,
    objective: Objective,
    *,
    diagonal: bool,
    levels: str,
) -> Precision:
    """Split the bits of a value as the options ask for.

    Where the estimator is left open and the total is given, one draw is best, as measured: it has one base plane more than
    double sampling. Where the base planes are given, double sampling is best, at one bit more.

    Parameters
    ----------
    estimator : str
        One of :data:`ESTIMATORS`.
    bits : Bits
        Bits of a value; None to follow ``base_bits``.
    base_bits : int or None
        Base planes, or those to begin with where ``bits`` is "auto"; None to follow ``bits``.
    objective : Objective
        The loss.
    diagonal : bool
        Whether one draw is possible: by the device, the loss and the other options.
    levels : str
        "uniform", "optimal" or "auto".

    Returns
    -------
    Precision
        The split.

    Raises
    ------
    ValueError
        There are too few or too many bits, or the two numbers contradict each other.
    """
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator must be one of {', '.join(ESTIMATORS)}, not {estimator!r}")
    _check_bits(bits)
    if estimator == "auto":
        one = diagonal and (base_bits is None or bits is not None) and objective.polynomial is None
        estimator = "one-draw" if one else "double"
    planes: tuple[int, ...]
    needed = objective.samples_per_value
    draws = {"double": needed, "one-draw": 1, "naive": 1, "truncated": 0}[estimator]
    least, most = (int(levels == "uniform"), _MOST_PLANES if levels != "optimal" else _MOST_LEVEL_PLANES)
    least = max(least, int(draws == 0))
    if bits == "auto":
        first = max(1, least) if base_bits is None else base_bits
        planes = tuple(range(first, most + 1))
        if first < least or not planes:
            raise ValueError(f"base_bits must be in {least}..{most}, not {first}")
        return Precision(estimator, draws, planes, climbs=True)
    if bits is None and base_bits is None:
        bits = _USUAL if objective.polynomial is None else _USUAL_PLANES + draws
    if bits is None:
        assert base_bits is not None
        planes = (base_bits,)
    else:
        assert not isinstance(bits, str)
        totals = (bits,) if isinstance(bits, int) else tuple(bits)
        planes = tuple(total - draws for total in totals)
        for total, plane in zip(totals, planes, strict=True):
            if not least <= plane <= most:
                kinds = f"{levels} levels" if levels != "auto" else "these levels"
                raise ValueError(
                    f"bits must be in {least + draws}..{most + draws} with estimator={estimator!r} and {kinds}, not {total}: "
                    f"{draws} of them are for draws, and {least}..{most} are base bits"
                    + "; with optimal levels there may be 0 of these"
                    * (levels == "uniform" and plane == 0)
                )
        if base_bits is not None and base_bits != planes[0]:
            raise ValueError(
                f"bits={bits} and base_bits={base_bits} contradict each other with estimator={estimator!r}, which takes "
                f"{draws} quantisations: leave one out"
            )
    if not least <= planes[0] <= most:
        raise ValueError(f"base_bits must be in {least}..{most}, not {planes[0]}")
    return Precision(estimator, draws, planes)
