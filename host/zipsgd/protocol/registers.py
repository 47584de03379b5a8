"""Registers and windows behind the link: 32-bit words by word address.

:data:`REGISTERS` and :data:`WINDOWS` are the only tables of addresses. The gateware makes its register bank from them, the
host addresses words by their names, and ``make docs`` writes docs/registers.md from them.
"""

from dataclasses import dataclass
from typing import TypeVar

from .formats import Build
from .numbers import VARIANCE_BITS
from .register_rows import COMMANDS, CONFIGURATION, IDENTIFICATION, RESULTS, Access

__all__ = [
    "COEFFICIENT_WORDS",
    "LOSS_WORDS",
    "REGISTERS",
    "RESULT_WORDS",
    "WINDOWS",
    "WINDOW_OFFSET_BITS",
    "Control",
    "Register",
    "Status",
    "Window",
    "registers_of",
    "windows_of",
]

WINDOW_OFFSET_BITS = 16
"""Bits of a word's place in its window: every window has addresses for 2^16 words."""
LOSS_WORDS = 16
"""Place of the loss's coefficients in the coefficient window; those of the derivative begin at place 0."""
RESULT_WORDS = 16
"""Places of an epoch in the window of results."""
COEFFICIENT_WORDS = 32
"""Words of the coefficient window that a device keeps."""


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Parameters
    ----------
    name : str
        Name of the register; the gateware's ports have the same name.
    address : int
        Word address.
    access : {"r", "rw", "w", "s"}
        "r" is read by the host and driven by the gateware, "rw" is written by the host and read back, "s" is written by the
        host, kept for the gateware and reads as zero, "w" gives the gateware a strobe with the word and reads as zero.
    width : int
        Bits in use, from bit 0.
    doc : str
        What the register holds.
    option : str, optional
        Build option, see :meth:`.Build.has`. Without it there is no such register, and its address reads as zero.
    """

    name: str
    address: int
    access: Access
    width: int
    doc: str
    option: str | None = None


@dataclass(frozen=True)
class Window:
    """A range of 2^WINDOW_OFFSET_BITS word addresses that lead to a memory of the datapath.

    Reads and writes of a window wait until the datapath is idle. The access determines the gateware's ports, see
    :func:`zipsgd_hw.windows.window_signature`.

    Parameters
    ----------
    name : str
        Name of the window; the gateware's ports have the same name.
    address : int
        Word address of the window's first word: a power of two, so that one address bit selects the window.
    access : {"r", "rw", "w"}
        What the host may do. Reads of a window that is only written give zero; writes to one that is only read do nothing.
    width : int or str
        Bits of a word in use, from bit 0: a number, or the name of the :class:`.Build` property that gives it.
    doc : str
        What the window holds.
    option : str, optional
        Build option, see :meth:`.Build.has`. Without it there is no such window: reads give zero, and writes do nothing.
    """

    name: str
    address: int
    access: Access
    width: int | str
    doc: str
    option: str | None = None

    @property
    def select_bit(self) -> int:
        """Address bit that selects the window."""
        return self.address.bit_length() - 1


class Control:
    """Bits of the ``control`` register; each acts once when written as 1."""

    LOAD = 1
    """Renew every Q3 word from the master model (one draw a value, as an update with a zero gradient)."""
    CLEAR = 2
    """Clear flags, loss and counters."""
    ABORT = 4
    """Drop the samples under way and return to idle; the model keeps the last finished mini-batch's chunks."""


class Status:
    """Bits of the ``status`` register."""

    BUSY = 1
    """Samples of the epoch are still to come or under way, or a load is running."""


REGISTERS: dict[str, Register] = {
    name: Register(name, address, access, width, doc, *option)
    for address, (name, access, width, doc, *option) in enumerate(
        (*IDENTIFICATION, *CONFIGURATION, *COMMANDS, *RESULTS)
    )
}
"""Every register, by name, in the order of the addresses."""

WINDOWS: dict[str, Window] = {
    window.name: window
    for window in (
        Window(
            "model_window",
            0x1_0000,
            "rw",
            "model_bits",
            "the master model, a sign-extended word for each feature; a burst of writes starts at a multiple of the lanes and "
            "covers whole chunks, with zeros behind the last feature",
        ),
        Window(
            "level_window",
            0x2_0000,
            "w",
            32,
            "the transcoder's table of levels, see `zipsgd.golden.levels.table_words`",
            "level_bits",
        ),
        Window(
            "coefficient_window",
            0x4_0000,
            "w",
            "residual_bits",
            f"a polynomial's coefficients, lowest power first: those of the derivative from place 0 on, those of the loss from "
            f"place {LOSS_WORDS} on",
            "polynomial",
        ),
        Window(
            "variance_window",
            0x10_0000,
            "w",
            VARIANCE_BITS,
            "the variance of each column's quantisation, a word for each feature of a head; a feature has its turn to grow in "
            "the mini-batches whose number is below its word",
            "diagonal",
        ),
        Window(
            "schedule_window",
            0x20_0000,
            "w",
            32,
            "the schedule: each register write takes two places, the address and then the word; bit 31 of an address says that "
            "the write starts an epoch, which ends before the next write",
            "schedule_words",
        ),
        Window(
            "result_window",
            0x40_0000,
            "r",
            32,
            f"the results of the schedule's epochs: {RESULT_WORDS} places for each, the registers from ``status`` on",
            "schedule_words",
        ),
        Window(
            "doubt_window",
            0x8_0000,
            "r",
            32,
            "bit i % 32 of word i / 32: sample i of the last epoch was left out; bits behind the last sample mean nothing",
            "refetch",
        ),
        Window(
            "score_window",
            0x80_0000,
            "r",
            32,
            "the scores of the last epoch: word i * h + k has the low 32 bits of z_1 of sample i and head k of h, signed, in "
            "units of the last base plane times Q3's last bit; words behind the last score mean nothing",
            "score_words",
        ),
    )
}
"""Every window, by name."""


_Listed = TypeVar("_Listed", Register, Window)


def _of_build(rows: dict[str, _Listed], build: Build) -> dict[str, _Listed]:
    return {name: row for name, row in rows.items() if row.option is None or build.has(row.option)}


def registers_of(build: Build) -> dict[str, Register]:
    """The registers that ``build`` has, by name."""
    return _of_build(REGISTERS, build)


def windows_of(build: Build) -> dict[str, Window]:
    """The windows that ``build`` has, by name."""
    return _of_build(WINDOWS, build)
