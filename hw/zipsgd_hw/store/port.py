"""The port of a store: every memory looks alike to whoever fills or reads it."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import exact_log2

from zipsgd.protocol.formats import Build

__all__ = ["burst_command", "store_port", "store_signature"]


def burst_command(address_bits: int) -> data.StructLayout:
    """A command: one burst.

    Parameters
    ----------
    address_bits : int
        Bits of a burst's number.

    Returns
    -------
    data.StructLayout
        ``address``, the burst's number; ``write``, 1 to write it and 0 to read it.
    """
    return data.StructLayout({"address": address_bits, "write": 1})


def store_signature(word_bits: int, address_bits: int) -> Signature:
    """Port of a store, from its user's side.

    A store is a row of bursts. A burst is a fixed number of consecutive words, a constant of the store. One command reads or
    writes one burst. Commands are carried out in order, so a read that follows a write sees what was written. Words of all
    written bursts come on ``write``, words of all read bursts leave on ``read``, each in the order of the commands. A store may
    take commands before the words of earlier ones have moved. Any of the three streams may wait for as long as it likes; no
    word is lost, repeated or changed in its place.

    Parameters
    ----------
    word_bits : int
        Bits of a word.
    address_bits : int
        Bits of a burst's number.

    Returns
    -------
    Signature
        ``command``, ``write`` and ``read``.
    """
    return Signature(
        {
            "command": Out(stream.Signature(burst_command(address_bits))),
            "write": Out(stream.Signature(word_bits)),
            "read": In(stream.Signature(word_bits)),
        }
    )


def store_port(build: Build) -> Signature:
    """Port of a build's store.

    Parameters
    ----------
    build : Build
        Build parameters, with a store.

    Returns
    -------
    Signature
        :func:`store_signature` for the build's words and bursts.
    """
    return store_signature(8 * build.word_bytes, exact_log2(build.store_bursts))
