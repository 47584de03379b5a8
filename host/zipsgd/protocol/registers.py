"""Registers and windows behind the link: 32-bit words by word address.

:data:`REGISTERS` and :data:`WINDOWS` are the only tables of addresses. The gateware makes its register bank from them, the
host addresses words by their names, and ``make docs`` writes docs/registers.md from them.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from .formats import Build
from .numbers import BURST_BITS, PHASE_BITS, RANGE_BITS, THRESHOLD_BITS, VARIANCE_BITS

__all__ = [
    "COEFFICIENT_WORDS",
    "LOSS_WORDS",
    "MOST_EPOCHS",
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
MOST_EPOCHS = 64
"""Most epochs of a schedule."""
COEFFICIENT_WORDS = 32
"""Words of the coefficient window that a device keeps."""

Access = Literal["r", "rw", "w"]


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Parameters
    ----------
    name : str
        Name of the register; the gateware's ports have the same name.
    address : int
        Word address.
    access : {"r", "rw", "w"}
        "r" is read by the host and driven by the gateware, "rw" is written by the host and read back, "w" gives the gateware
        a strobe with the word and reads as zero.
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


_Row: TypeAlias = tuple[str, Access, int, str] | tuple[str, Access, int, str, str]
"""A register's name, access, width and description, and the option that it needs."""

_IDENTIFICATION: tuple[_Row, ...] = (
    ("magic", "r", 32, "0x4453475A"),
    ("version", "r", 16, "version of this contract"),
    ("build_hash", "r", 32, "fingerprint of the build's parameters"),
    ("lanes", "r", 16, "lanes of the datapath"),
    ("update_lanes", "r", 16, "lanes of the update unit"),
    ("max_features", "r", 32, "most features a model can have"),
    ("max_batch", "r", 16, "largest mini-batch"),
    ("p_max", "r", 8, "most base planes"),
    ("model_bits", "r", 8, "bits of the master model"),
    ("q3_bits", "r", 8, "bits of Q3(x)"),
    ("delta_bits", "r", 8, "bits of delta"),
    ("gradient_bits", "r", 8, "bits of Q4's gradient"),
    ("replay_words", "r", 32, "plane words in the replay buffer"),
    ("rx_bytes", "r", 32, "bytes in the link's receive buffer"),
    ("word_bytes", "r", 8, "bytes of a store's word"),
    ("store_words", "r", 32, "words of the store, 0 without one"),
    ("schedule_words", "r", 16, "register writes of the schedule, 0 without one"),
    ("level_bits", "r", 8, "most bits of a level's value, 0 without a transcoder"),
    ("level_p_max", "r", 8, "most base planes of a transcoded value"),
    ("hinge", "r", 1, "1: with both hinge losses"),
    (
        "polynomial",
        "r",
        8,
        "highest degree of a polynomial loss, 0 without one; most up planes are that + 1, and 2 at least",
    ),
    ("refetch", "r", 32, "most samples of an epoch that leaves out those in doubt, 0 without"),
    ("prox", "r", 1, "1: with a proximal step"),
    ("ball", "r", 1, "1: with a ball, too"),
    ("diagonal", "r", 1, "1: corrects the bias of one quantisation per value"),
    ("heads", "r", 8, "most models trained side by side"),
    ("clock_hz", "r", 32, "clock of the datapath, in hertz"),
)
"""Identification block: constants of the build."""

_CONFIGURATION: tuple[_Row, ...] = (
    ("features", "rw", 17, "n, 1 to max_features"),
    ("base_planes", "rw", 4, "p, 1 to p_max; with value_bits, 0 to level_p_max"),
    ("up_planes", "rw", 4, "m, from 0 on"),
    ("batch", "rw", 13, "samples of a mini-batch, 1 to max_batch"),
    ("one_sided", "rw", 1, "1: g = Q1 l'(z2); 0: the symmetric mean of both orders (m = 2 only)"),
    (
        "intercept",
        "rw",
        1,
        "1: the device makes the last feature, always the highest level, which is not in the sample",
    ),
    (
        "label_form",
        "rw",
        2,
        "LabelForm: 0 a word, 1 a byte with a class's number, 2 a byte: 1 for +1, 0 for -1",
    ),
    (
        "value_bits",
        "rw",
        4,
        "bits of a level's value, 2 to level_bits; 0: even levels, no table",
        "level_bits",
    ),
    (
        "loss",
        "rw",
        3,
        "Loss: 0 least squares, 1 hinge, 2 squared hinge, 3 polynomial of the margin, 4 of the residual",
        "losses",
    ),
    ("degree", "rw", 3, "d, of the polynomial, 1 to polynomial", "polynomial"),
    ("reach", "rw", 2, "its argument covers -2^reach to 2^reach, 0 to 2", "polynomial"),
    ("refetching", "rw", 2, "Refetch: 0 never, 1 certain, 2 likely; for hinges and one head", "refetch"),
    ("heads_used", "rw", 7, "models trained side by side, 1 to heads", "heads"),
    (
        "one_against_all",
        "rw",
        1,
        "1: a sample has one label, the number of its class; 0: one for each head",
        "heads",
    ),
    ("shrink_shift", "rw", 4, "a mini-batch takes 2^-shrink_shift of the model away; 0: none", "prox"),
    ("shrink_rate", "rw", PHASE_BITS, "in shrink_rate / 2^16 of the mini-batches", "prox"),
    (
        "threshold",
        "rw",
        THRESHOLD_BITS,
        "soft threshold of each mini-batch, in 2^-16 of the model's last bit",
        "prox",
    ),
    ("bound", "rw", 31, "the model is kept within bound of 0, in its last bit; 0: no bound", "prox"),
    ("spare_last", "rw", 1, "1: none of this for the last feature, the intercept's", "prox"),
    (
        "ball_square",
        "rw",
        32,
        "of the radius, in squares of Q3's last bit over 2^ball_drop; 0: no ball; for one head",
        "ball",
    ),
    (
        "growth",
        "rw",
        RANGE_BITS + 4,
        f"bits {RANGE_BITS} to {RANGE_BITS + 3}: k, a mini-batch adds 2^-k of itself to each weight whose turn it is; 0: none; "
        f"bits 0 to {RANGE_BITS - 1}: the range, 1 or more, below which the number is that selects the weights",
        "diagonal",
    ),
    (
        "growth_stride",
        "rw",
        RANGE_BITS,
        "step of the number after each mini-batch, below the range",
        "diagonal",
    ),
    (
        "growth_start",
        "rw",
        RANGE_BITS,
        "the number of the first mini-batch after LOAD, below the range",
        "diagonal",
    ),
    ("fill_start", "rw", BURST_BITS, "the burst that the first byte of a fill goes to", "store_words"),
    ("block_bursts", "rw", BURST_BITS, "bursts from a block to the next one in the store", "store_words"),
    ("block_bytes", "rw", BURST_BITS, "bytes of a block's samples, 1 or more", "store_words"),
    ("last_block_bytes", "rw", BURST_BITS, "the same of the last block", "store_words"),
    (
        "order_range",
        "rw",
        BURST_BITS,
        "bursts from the first block to the end of the last one",
        "store_words",
    ),
    ("order_first", "rw", BURST_BITS, "first burst of the block that an epoch begins with", "store_words"),
    (
        "order_stride",
        "rw",
        BURST_BITS,
        "bursts from a block to the next one of the epoch, modulo order_range; 0 for a single block",
        "store_words",
    ),
    ("step_mantissa", "rw", 16, "step / batch = mantissa * 2^-(16 + 4 * exponent)"),
    ("step_exponent", "rw", 2, "0 to 3"),
)
"""Run-time configuration."""

_COMMANDS: tuple[_Row, ...] = (
    ("seed", "w", 31, "shift one word into the LFSR chain: update lanes 0 to U - 1, then the loss unit"),
    ("control", "w", 3, "bits of Control"),
    ("samples", "w", 32, "start an epoch of so many samples, which come over the link"),
    (
        "resident_samples",
        "w",
        32,
        "start an epoch of so many samples from the store; 0: read all blocks for their check alone",
        "store_words",
    ),
    ("fill", "w", 32, "the next so many bytes of SAMPLES, in whole bursts, go to the store", "store_words"),
    ("play", "w", 8, "play the schedule until so many epochs are over", "schedule_words"),
)
"""Commands."""

_RESULTS: tuple[_Row, ...] = (
    ("status", "r", 1, "bits of Status"),
    ("flags", "r", 5, "sticky overflow flags, bits of Flag"),
    (
        "loss_low",
        "r",
        32,
        "signed sum over the samples of a product of two residuals, r_1 r_2 (r_1 l' with other losses), low word",
    ),
    ("loss_high", "r", 32, "high word, signed"),
    ("samples_done", "r", 32, "samples whose gradient is in"),
    ("cycles_low", "r", 32, "cycles in which an epoch was under way, low word"),
    ("cycles_high", "r", 32, "high word"),
    ("plane_cycles_low", "r", 32, "of these, cycles in which the dot product took a plane"),
    ("plane_cycles_high", "r", 32, "high word"),
    (
        "starved_cycles_low",
        "r",
        32,
        "of these, cycles in which it could have taken one and none had come",
    ),
    ("starved_cycles_high", "r", 32, "high word"),
    (
        "store_check",
        "r",
        32,
        "the check of the blocks that were read since the last epoch from the store, or check, began",
        "store_words",
    ),
    ("epochs_done", "r", 8, "epochs of the schedule that are over", "schedule_words"),
    ("frames_bad", "r", 16, "frames dropped for a bad CRC, length or coding"),
    ("frames_skipped", "r", 16, "valid frames dropped because they arrived out of order"),
    (
        "run_tag",
        "rw",
        32,
        "a word of the host's that names the run of the schedule; as session",
        "schedule_words",
    ),
    ("session", "rw", 32, "a word of the host's; 0 after a reset of the device, kept by SYNC"),
)
"""Results, and the host's session."""

REGISTERS: dict[str, Register] = {
    name: Register(name, address, access, width, doc, *option)
    for address, (name, access, width, doc, *option) in enumerate(
        (*_IDENTIFICATION, *_CONFIGURATION, *_COMMANDS, *_RESULTS)
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
