"""Compiled packing of features into samples for the wire, its inverse, and epochs of data sets that are larger than memory.

:mod:`zipsgd.golden.quantise` and :mod:`zipsgd.golden.weave` specify the bits.
"""

from .codec import pack, unpack
from .scaled import ScaledRows
from .streaming import shuffled, stream

__all__ = ["ScaledRows", "pack", "shuffled", "stream", "unpack"]
