"""The word bus between the link and what stands behind it."""

from amaranth.lib import data, stream

from zipsgd.protocol.registers import COEFFICIENT_WINDOW, DOUBT_WINDOW, LEVEL_WINDOW, MODEL_WINDOW
from zipsgd_hw.windows import OFFSET_BITS

__all__ = ["ADDRESS_BITS", "DataWord", "ReadRequest", "Word", "WriteRequest"]

ADDRESS_BITS = OFFSET_BITS + 4
"""An address has one bit for each window, and none of them for registers, above the place there."""
assert DOUBT_WINDOW == 2 * COEFFICIENT_WINDOW == 4 * LEVEL_WINDOW == 8 * MODEL_WINDOW

WriteRequest = stream.Signature(data.StructLayout({"address": ADDRESS_BITS, "data": 32}))
"""A word to write."""
ReadRequest = stream.Signature(ADDRESS_BITS)
"""An address to read; the next one comes only after the word."""
Word = stream.Signature(32)
"""A word read."""
DataWord = stream.Signature(data.StructLayout({"sequence": 8, "word": 32, "last": 1}))
"""A word of a DATA frame: the sequence number of the frame answered, the same for all its words; last of the frame."""
