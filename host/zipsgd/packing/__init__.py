"""Features to samples on the wire at the speed of memory: :func:`pack`, its inverse, and epochs of sets larger than memory.

What the bits are, :mod:`zipsgd.golden.quantise` and :mod:`zipsgd.golden.weave` say; here is compiled code for them.
"""

from .codec import pack, unpack
from .scaled import ScaledRows
from .streaming import shuffled, stream

__all__ = ["ScaledRows", "pack", "shuffled", "stream", "unpack"]
