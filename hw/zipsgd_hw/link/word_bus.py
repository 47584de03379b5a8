"""The word bus between the link and what stands behind it."""

from amaranth.lib import data, stream

from zipsgd.protocol.registers import WINDOW_OFFSET_BITS, WINDOWS

__all__ = ["ADDRESS_BITS", "DataWord", "ReadRequest", "Word", "WriteRequest"]

ADDRESS_BITS = max(window.select_bit for window in WINDOWS.values()) + 1
"""Bits of an address: the place in a window, and above it one bit for each window; a register's address has none of these."""
assert all(
    window.address == 1 << window.select_bit >= 1 << WINDOW_OFFSET_BITS for window in WINDOWS.values()
), "each window has an address bit of its own"

WriteRequest = stream.Signature(data.StructLayout({"address": ADDRESS_BITS, "data": 32}))
"""A word to write."""
ReadRequest = stream.Signature(ADDRESS_BITS)
"""An address to read; the next one comes only after the word."""
Word = stream.Signature(32)
"""A word read."""
DataWord = stream.Signature(data.StructLayout({"sequence": 8, "word": 32, "last": 1}))
"""A word of a DATA frame: the sequence number of the frame answered, the same for all its words; last of the frame."""
