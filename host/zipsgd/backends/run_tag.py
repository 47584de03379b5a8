"""A word by which a later host recognises a run that a device has begun."""

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zipsgd.driver import Write
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.registers import REGISTERS
from zipsgd.protocol.store import StoreLayout

__all__ = ["run_tag"]


def run_tag(
    config: RunConfig, model: npt.NDArray[np.int64], layout: StoreLayout, check: int, writes: Sequence[Write]
) -> int:
    """A fingerprint of all that determines the bits of a run.

    Parameters
    ----------
    config : RunConfig
        Configuration of the run.
    model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
        The model that the run begins with.
    layout : StoreLayout
        Places of the samples.
    check : int
        Check of the store's content.
    writes : sequence of Write
        The schedule.

    Returns
    -------
    int
        32 bits, not 0.
    """
    parts: list[npt.NDArray[np.generic]] = [
        np.array([*config.registers().values(), *layout.registers().values(), check], dtype="<i8"),
        np.array([(REGISTERS[name].address, word) for name, word in writes], dtype="<i8"),
        model.astype("<i8"),
    ]
    if config.levels is not None:
        parts.append(config.levels.values.astype("<i8"))
    if config.polynomial is not None:
        parts.append(np.array([*config.polynomial.derivative, config.polynomial.constant], dtype="<f8"))
    if config.diagonal is not None:
        parts.append(config.diagonal.words.astype("<i8"))
    return zlib.crc32(b"".join(part.tobytes() for part in parts)) or 1
