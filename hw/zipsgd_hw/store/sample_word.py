"""Words of samples on their way to the unpacker."""

from amaranth.lib import data
from amaranth.utils import bits_for

__all__ = ["sample_word"]


def sample_word(word_bytes: int) -> data.StructLayout:
    """A word of samples, not always full.

    Parameters
    ----------
    word_bytes : int
        Bytes of a full word.

    Returns
    -------
    data.StructLayout
        ``data``, the bytes, the first one lowest; ``last``, index of the last byte that counts.
    """
    return data.StructLayout({"data": 8 * word_bytes, "last": bits_for(word_bytes - 1)})
