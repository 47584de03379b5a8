"""The pins of an SDR SDRAM, seen from the controller."""

from amaranth.lib.wiring import In, Out, Signature

from .geometry import SdramGeometry

__all__ = ["sdram_pins"]


def sdram_pins(geometry: SdramGeometry) -> Signature:
    """Pins of a chip, but for its clock. All are active high: where a chip's pin is active low, the board's file inverts it.

    Parameters
    ----------
    geometry : SdramGeometry
        The chip's size.

    Returns
    -------
    Signature
        ``clk_en``; ``cs``, ``ras``, ``cas`` and ``we``; ``ba``, the bank; ``a``, the address; ``dqm``, the mask, a bit for a
        byte of a word; ``dq``, with ``o``, ``oe`` and ``i``. The names are those of
        :func:`amaranth_boards.resources.SDRAMResource`.
    """
    bytes_of_word = max(geometry.data_bits // 8, 1)
    return Signature(
        {
            "clk_en": Out(1),
            "cs": Out(1),
            "ras": Out(1),
            "cas": Out(1),
            "we": Out(1),
            "ba": Out(geometry.bank_bits),
            "a": Out(geometry.address_bits),
            "dqm": Out(bytes_of_word, init=(1 << bytes_of_word) - 1),
            "dq": Out(Signature({"o": Out(geometry.data_bits), "oe": Out(1), "i": In(geometry.data_bits)})),
        }
    )
