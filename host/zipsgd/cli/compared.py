"""A board's predicted epoch beside one of the emulator on this computer."""

from collections.abc import Mapping
from typing import Any

from zipsgd.data import Table
from zipsgd.protocol.formats import Build
from zipsgd.training.epoch_time import emulator_time
from zipsgd.training.options import Options

__all__ = ["compared"]


def _ratio(board: float, emulator: float) -> str:
    """How a board's epoch compares."""
    if board <= emulator:
        return f"the board is {emulator / board:.3g} times as fast as the emulator"
    return f"the board takes {board / emulator:.3g} times as long as the emulator"


def compared(predicted: Mapping[str, Any], table: Table, options: Options, build: Build) -> dict[str, Any]:
    """Measure epochs of the emulator, and compare a prediction with them.

    Parameters
    ----------
    predicted : mapping of str to Any
        The prediction, from ``predict_epoch``.
    table : Table
        The set that it is for.
    options : Options
        How to train.
    build : Build
        The board's build.

    Returns
    -------
    dict of str to Any
        ``rows_measured``; seconds of an epoch whose values are rounded anew, and in words how the board compares; the same for
        samples in the store, if they fit there.
    """
    measured = emulator_time(table, options, build)
    result = {
        "rows_measured": measured.rows,
        "streamed_seconds": measured.streamed,
        "streamed": _ratio(predicted["seconds"], measured.streamed),
    }
    store = predicted.get("store", {})
    if "seconds" in store:
        result["resident_seconds"] = measured.resident
        result["resident"] = _ratio(store["seconds"], measured.resident)
    return result
