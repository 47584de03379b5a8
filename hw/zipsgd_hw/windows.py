"""Streams to and from the memory windows behind the register bank."""

from amaranth.lib import data, stream

from zipsgd.protocol.registers import MODEL_WINDOW

__all__ = ["OFFSET_BITS", "LateWrite", "WindowData", "WindowRead", "WindowWrite"]

OFFSET_BITS = MODEL_WINDOW.bit_length() - 1
"""Bits of a word's place in a window."""

_PlacedWord = data.StructLayout({"offset": OFFSET_BITS, "data": 32})

WindowWrite = stream.Signature(_PlacedWord)
"""A word written to the model window, by its place there."""
WindowRead = stream.Signature(OFFSET_BITS)
"""A place in the model window to read."""
WindowData = stream.Signature(32)
"""The word read; it comes in the cycle in which the request is taken at the earliest."""
LateWrite = stream.Signature(_PlacedWord, always_ready=True)
"""A word written to a window that is only written, by its place there, a cycle late."""
