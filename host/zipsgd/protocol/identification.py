"""How a device says what it is: its first registers hold the contract's version and the parameters of its build."""

from .formats import Build

__all__ = ["MAGIC", "VERSION", "identification", "parse_identification"]

MAGIC = 0x4453_475A
"""``ZGSD`` read as little-endian bytes: says that a zipsgd device answers."""
VERSION = 10
"""Version of this contract. A host refuses a device of another one.

It goes up whenever a device and a host of the version before would misunderstand each other: when a register gets another
address, width or meaning, when a window moves, when the frames or the layout of samples change, or when a parameter of
:class:`.Build` is added or removed, since that changes the identification block and the hash."""

_IDENTIFIED = (
    "lanes", "update_lanes", "max_features", "max_batch", "p_max", "model_bits", "q3_bits", "delta_bits",
    "gradient_bits", "replay_words", "rx_bytes", "word_bytes", "store_words", "schedule_words",
    "score_words", "level_bits", "level_p_max", "hinge", "polynomial", "refetch", "prox", "ball",
    "diagonal", "heads", "clock_hz",
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
