"""What a run chooses and what it reports, as the registers hold it: label form, loss, refetching and overflow flags."""

from enum import IntEnum
from typing import ClassVar

__all__ = ["Flag", "LabelForm", "Loss", "Refetch"]


class LabelForm(IntEnum):
    """How the label of a sample is written on the wire. The value is that of the ``label_form`` register."""

    WORD = 0
    """Two bytes, low byte first: a signed number of 16 bits."""
    BYTE = 1
    """One byte: the number of a class, 0 to 255."""
    SIGN = 2
    """One byte for +1 or -1: 1 for the word 0x7fff, 0 for the word 0x8001."""


class Loss(IntEnum):
    """The loss that a run minimises, a function of the score z and the label b. The value is that of the ``loss`` register.

    Hinges take labels of +1 and -1.
    """

    SQUARED = 0
    """(z - b)^2 / 2"""
    HINGE = 1
    """max(0, 1 - b z)"""
    SQUARED_HINGE = 2
    """max(0, 1 - b z)^2 / 2"""
    POLYNOMIAL_MARGIN = 3
    """l(s z), where s is the label's sign and the derivative l' is a polynomial"""
    POLYNOMIAL_RESIDUAL = 4
    """l(z - b), where the derivative l' is a polynomial"""

    @property
    def hinge(self) -> bool:
        """Whether this is one of the two hinges."""
        return self in (Loss.HINGE, Loss.SQUARED_HINGE)

    @property
    def polynomial(self) -> bool:
        """Whether the derivative is a polynomial that the run sets."""
        return self >= Loss.POLYNOMIAL_MARGIN


class Refetch(IntEnum):
    """Which samples a run of a hinge leaves out, so that they can be fetched again with more bits.

    A sample is left out if its side of the margin is in doubt: if quantisation may have moved the score across the margin. The
    value is that of the ``refetching`` register, and says how the distance between the true score and that of the quantised
    sample is bounded.
    """

    NEVER = 0
    """No sample is left out."""
    CERTAIN = 1
    """The true score lies between the least and the largest score that the base planes allow. These are Delta ||x||_1 apart:
    half of the distance that ZipML's bound allows on either side of z_1 (section 4.2)."""
    LIKELY = 2
    """The true score is within 2 Delta ||x||_2 of z_1, or slightly more. By Hoeffding's inequality the probability that it is
    not is below 2 exp(-8), 1 in 1,490."""


class Flag:
    """Bits of the sticky overflow word. A bit is set once a value has been saturated, and stays until the flags are
    cleared."""

    RESIDUAL = 1
    """z - b left [-4, 4)."""
    DELTA = 2
    """step * residual left (-1, 1)."""
    GRADIENT = 4
    """An entry of the mini-batch's step left [-1, 1)."""
    MODEL = 8
    """An entry of the model left [-8, 8)."""
    Q3 = 16
    """An entry of the model left the range of Q3 when it was rounded up."""

    NAMES: ClassVar[dict[int, str]] = {
        RESIDUAL: "residual",
        DELTA: "delta",
        GRADIENT: "gradient",
        MODEL: "model",
        Q3: "q3",
    }
    """Name of each bit."""
