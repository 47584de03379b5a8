"""Raw words that a device quantises itself: their widths, the table that scales them, and what is reported of them.

A word of the table's window has, from the low end, the centre, the scale, and a bit for offset binary.
:mod:`zipsgd.golden.scale_table` tells what they mean.
"""

__all__ = [
    "CENTRE_BITS",
    "CROSSINGS",
    "GENERATORS",
    "LABEL_SATURATED",
    "LEAST_RAW_BITS",
    "MOST_RAW_BITS",
    "SCALE_BITS",
    "SCALE_FRAC",
    "VALUE_SATURATED",
    "value_frac",
]

LEAST_RAW_BITS, MOST_RAW_BITS = 8, 16
"""Fewest and most bits of a raw word."""
CENTRE_BITS = 16
"""Width of the centre in a word of the window, signed."""
SCALE_BITS = 15
"""Width of the scale, unsigned."""
SCALE_FRAC = 8
"""Fraction bits of the scale: at 2^SCALE_FRAC, half of a converter's range becomes 1."""
GENERATORS = 2
"""Random generators, and most up planes."""
CROSSINGS = (16, 2)
"""Bit of the other generator with which bit 0 of each draw is crossed; bit j is crossed with the one 2 j bits below it, in a
circle. A search found these numbers: any two draws of up to 4096 values apart are independent in their lowest 23 bits, see
:mod:`zipsgd.golden.device_quantiser`."""
VALUE_SATURATED = 1
"""Flag: a column's value was outside [-1, 1]."""
LABEL_SATURATED = 2
"""Flag: a label was outside [-1, 1), or was rounded to 1."""


def value_frac(raw_bits: int) -> int:
    """Fraction bits of a scaled value, F: enough for the product of a raw word and a scale to be exact.

    Parameters
    ----------
    raw_bits : int
        Bits of a raw word, b.

    Returns
    -------
    int
        b - 1 + SCALE_FRAC, 15 to 23.
    """
    return raw_bits - 1 + SCALE_FRAC
