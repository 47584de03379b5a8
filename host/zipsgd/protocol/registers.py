"""Registers and windows behind the link: 32-bit words by word address.

:data:`REGISTERS` is the single table of registers: the gateware builds its register bank from it, the host takes the names from
it, and ``make docs`` writes docs/registers.md from it.
"""

from dataclasses import dataclass
from typing import Literal

from .formats import Build
from .numbers import PHASE_BITS, THRESHOLD_BITS
from .run import Flag

__all__ = [
    "COEFFICIENT_WINDOW",
    "DOUBT_WINDOW",
    "LEVEL_WINDOW",
    "MAGIC",
    "MODEL_WINDOW",
    "REGISTERS",
    "VERSION",
    "Control",
    "Register",
    "Status",
    "identification",
    "parse_identification",
    "registers_of",
]

MAGIC = 0x4453_475A
"""The bytes ``ZGSD``, little-endian: tells that a zipsgd device answers."""
VERSION = 6
"""Version of this contract. A host refuses a device of another one.

It goes up whenever a device and a host of the version before would misunderstand each other: when a register gets another
address, width or meaning, when a window moves, when the frames or the layout of samples change, or when a parameter of
:class:`.Build` is added or removed, since that changes the identification block and the hash."""
MODEL_WINDOW = 0x1_0000
"""Word address of the master model, one word a feature, sign-extended.

A burst starts at a multiple of the build's lanes and covers whole chunks; the words behind the last feature are zero.
Reads and writes need an idle datapath (a burst waits until it is)."""

LEVEL_WINDOW = 0x2_0000
"""Word address of the transcoder's table, write only; see :func:`zipsgd.golden.levels.table_words`.

Writes need an idle datapath (a burst waits until it is), and do nothing in a build without a transcoder."""

COEFFICIENT_WINDOW = 0x4_0000
"""Word address of a polynomial's coefficients, write only; see :meth:`zipsgd.golden.polynomial.Polynomial.window_words`.

Writes need an idle datapath (a burst waits until it is), and do nothing in a build without polynomial losses."""

DOUBT_WINDOW = 0x8_0000
"""Word address of the list of samples in doubt, read only: bit i % 32 of word i / 32 says that sample i was left out.

It holds the samples of the last epoch so far; bits behind them mean nothing. Zero in a build without refetching."""

Access = Literal["r", "rw", "w"]


@dataclass(frozen=True)
class Register:
    """One 32-bit register.

    Parameters
    ----------
    name : str
        The register's name.
    address : int
        Its word address.
    access : {"r", "rw", "w"}
        "r": the gateware drives it and the host reads it. "rw": the host writes it and can read it back. "w": a write gives the
        gateware a strobe with the word; it reads as zero.
    width : int
        Bits in use, from bit 0 on; 1 to 32.
    doc : str
        What it is for.
    option : str or None
        The part of the build that it belongs to, see :meth:`.Build.has`. In a build without that part there is no such
        register, and its address reads as zero. None for registers of every build.
    """

    name: str
    address: int
    access: Access
    width: int
    doc: str
    option: str | None = None


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


_Fields = tuple[str, Access, int, str, *tuple[str, ...]]
"""Name, access, width, what it is for, and the option if there is one."""


def _identification_block() -> list[_Fields]:
    """Constants of the build."""
    return [
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
        ("heads", "r", 8, "most models trained side by side"),
        ("clock_hz", "r", 32, "clock of the datapath, in hertz"),
    ]


def _run_registers() -> list[_Fields]:
    """What a run sets, starts and reads."""
    return [
        # Configuration
        ("features", "rw", 17, "n, 1 to max_features"),
        ("base_planes", "rw", 4, "p, 1 to p_max; with value_bits, 0 to level_p_max"),
        ("up_planes", "rw", 4, "m, from 0 on"),
        ("batch", "rw", 13, "samples of a mini-batch, 1 to max_batch"),
        ("one_sided", "rw", 1, "1: g = Q1 l'(z2); 0: the symmetric mean of both orders (m = 2 only)"),
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
        ("step_mantissa", "rw", 16, "step / batch = mantissa * 2^-(16 + 4 * exponent)"),
        ("step_exponent", "rw", 2, "0 to 3"),
        # Commands
        ("seed", "w", 31, "shift one word into the LFSR chain: update lanes 0 to U - 1, then the loss unit"),
        ("control", "w", 3, "bits of Control"),
        ("samples", "w", 32, "start an epoch of so many samples"),
        # Results
        ("status", "r", 1, "bits of Status"),
        ("flags", "r", 5, "sticky overflow flags, bits of Flag"),
        ("loss_low", "r", 32, "sum of squared residuals, low word"),
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
        ("frames_bad", "r", 16, "frames dropped for a bad CRC, length or coding"),
        ("frames_skipped", "r", 16, "valid frames dropped because they arrived out of order"),
        ("session", "rw", 32, "a word of the host's; 0 after a reset of the device, kept by SYNC"),
    ]


REGISTERS: dict[str, Register] = {
    name: Register(name, address, access, width, doc, *option)
    for address, (name, access, width, doc, *option) in enumerate(
        [*_identification_block(), *_run_registers()]
    )
}


def registers_of(build: Build) -> dict[str, Register]:
    """The registers of a build.

    Parameters
    ----------
    build : Build
        The build.

    Returns
    -------
    dict of str to Register
        Its registers by name, in the order of their addresses.
    """
    return {
        name: register
        for name, register in REGISTERS.items()
        if register.option is None or build.has(register.option)
    }


_IDENTIFIED = (
    "lanes", "update_lanes", "max_features", "max_batch", "p_max", "model_bits", "q3_bits", "delta_bits",
    "gradient_bits", "replay_words", "rx_bytes", "level_bits", "level_p_max", "hinge", "polynomial", "refetch", "prox", "ball",
    "heads", "clock_hz",
)  # fmt: skip


def identification(build: Build) -> dict[str, int]:
    """The identification block of a build.

    Parameters
    ----------
    build : Build
        The build.

    Returns
    -------
    dict of str to int
        Values by register name.
    """
    return {
        "magic": MAGIC,
        "version": VERSION,
        "build_hash": build.hash(),
        **{name: getattr(build, name) for name in _IDENTIFIED},
    }


def parse_identification(values: dict[str, int]) -> Build:
    """The build that an identification block describes.

    Parameters
    ----------
    values : dict of str to int
        Values by register name, as :func:`identification` returns them.

    Returns
    -------
    Build
        The build.

    Raises
    ------
    ValueError
        Magic, version or hash is not the expected one; the message says which, and what to do.
    """
    if values["magic"] != MAGIC:
        raise ValueError(f"no zipsgd device: its first word is {values['magic']:#010x}, not {MAGIC:#010x}")
    if values["version"] != VERSION:
        raise ValueError(
            f"the device speaks version {values['version']} of the contract, this host version {VERSION}: rebuild the "
            f"bitstream with 'zipsgd build', or install the zipsgd that made it"
        )
    build = Build(**{name: values[name] for name in _IDENTIFIED})
    if build.hash() != values["build_hash"]:
        raise ValueError(
            f"the device's build hash {values['build_hash']:#010x} does not match its parameters ({build.hash():#010x}): "
            f"rebuild the bitstream with 'zipsgd build'"
        )
    return build


def markdown() -> str:
    """The text of docs/registers.md."""
    lines = [
        "# Registers",
        "",
        f"Written by `make docs` from `zipsgd.protocol.registers`; version {VERSION} of the contract. Words have 32 bits,",
        "addresses count words. Access is as the host has it: r read, w write, rw written and read back.",
        "",
        "| address | name | access | bits | what |",
        "|---|---|---|---|---|",
        *(
            f"| {r.address:#04x} | `{r.name}` | {r.access} | {r.width} | {r.doc}"
            f"{f' (in builds with {r.option})' if r.option else ''} |"
            for r in REGISTERS.values()
        ),
        f"| {MODEL_WINDOW:#x} | model window | rw | model_bits | the master model, a word a feature, sign-extended |",
        f"| {LEVEL_WINDOW:#x} | level window | w | 32 | the transcoder's table |",
        f"| {COEFFICIENT_WINDOW:#x} | coefficient window | w | residual_bits | a polynomial's coefficients |",
        f"| {DOUBT_WINDOW:#x} | doubt window | r | 32 | samples in doubt, a bit each |",
        "",
        "| `control` | |",
        "|---|---|",
        f"| {Control.LOAD} | LOAD: renew every Q3 word from the master model |",
        f"| {Control.CLEAR} | CLEAR: flags, loss and counters |",
        f"| {Control.ABORT} | ABORT: drop the samples under way; the model stays, seeds, Q3, flags, loss and counters do not |",
        "",
        "| `status` | |",
        "|---|---|",
        f"| {Status.BUSY} | BUSY: samples are still to come or under way, or a load runs |",
        "",
        "| `flags` | a value was saturated |",
        "|---|---|",
        *(f"| {bit} | {name} |" for bit, name in Flag.NAMES.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
