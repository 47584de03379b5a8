"""Ports of the windows behind the register bank, by the host's access."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from zipsgd.protocol.registers import WINDOW_OFFSET_BITS, Window

__all__ = ["PlacedWord", "ReadWindow", "ReadWriteWindow", "WriteWindow", "window_signature"]

PlacedWord = data.StructLayout({"offset": WINDOW_OFFSET_BITS, "data": 32})
"""A word and its place in the window."""

WriteWindow = stream.Signature(PlacedWord, always_ready=True)
"""Window that the host only writes: a word comes one cycle after the bus has written it."""

ReadWindow = Signature({"offset": Out(WINDOW_OFFSET_BITS), "word": In(32)})
"""Window that the host only reads: ``word`` is that of the ``offset`` two cycles earlier.

A block RAM's word comes out late, so that it waits in a register of the window before it goes to the register bank.
"""

ReadWriteWindow = Signature(
    {
        "write": Out(stream.Signature(PlacedWord)),
        "read": Out(stream.Signature(WINDOW_OFFSET_BITS)),
        "data": In(stream.Signature(32)),
    }
)
"""Window that the host writes and reads; its memory may take its time.

``data`` answers each ``read``, at the earliest in the cycle in which the request is taken, and not in the first one of the
request.
"""


def window_signature(window: Window) -> Signature:
    """Ports of a window, as the register bank drives them.

    Parameters
    ----------
    window : Window
        Row of :data:`zipsgd.protocol.registers.WINDOWS`.

    Returns
    -------
    Signature
        :data:`ReadWriteWindow`, :data:`WriteWindow` or :data:`ReadWindow`.
    """
    return {"rw": ReadWriteWindow, "w": WriteWindow, "r": ReadWindow}[window.access]
