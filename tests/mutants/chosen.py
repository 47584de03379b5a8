"""Mutants that no test caught when an adversarial reader tried them; they come first, each in a circuit of its own."""

from schemata import Textual

__all__ = ["CHOSEN"]

CHOSEN = (
    Textual(
        "datapath/loss_unit.py",
        " | (whole == -limit - 1)",
        "",
        "a delta at its most negative does not saturate",
    ),
    Textual(
        "datapath/loss_unit.py",
        "(difference == 0) | ",
        "",
        "a hinge counts a sample whose residual is 0",
    ),
    Textual(
        "datapath/loss_unit.py",
        "near_below.eq(reference2 <= below)",
        "near_below.eq(reference2 < below)",
        "a score at the upper bound is not in doubt",
    ),
    Textual(
        "datapath/loss_unit.py",
        "near_above.eq(reference2 >= minus_above)",
        "near_above.eq(reference2 > minus_above)",
        "a score at the lower bound is not in doubt",
    ),
    Textual(
        "datapath/core.py",
        "waits = update.loading if build.heads > 1 else C(0)",
        "waits = C(0)",
        "a sample of several heads does not wait for the load",
    ),
    Textual(
        "link/command_unit.py",
        "address[WINDOW_OFFSET_BITS:].any()",
        "address[WINDOW_OFFSET_BITS]",
        "windows but the model's are read while the datapath is busy",
    ),
    Textual(
        "link/frame_receiver.py",
        "overrun = missing == _CRC_BYTES + 1",
        "overrun = missing >= _CRC_BYTES",
        "a frame that fills the ring to the brim is dropped",
    ),
    Textual(
        "boards/clock_generator.py",
        'ResetSignal("sync").eq(reset.reset)',
        'ResetSignal("sync").eq(0)',
        "no reset",
    ),
    Textual(
        "boards/families/ice40.py",
        "p_DIVF=Const(self.divf, 7)",
        "p_DIVF=Const(self.divf + 1, 7)",
        "the iCE40's feedback divides by one more",
    ),
    Textual(
        "boards/families/ice40.py",
        "p_FILTER_RANGE=Const(self.filter_range, 3)",
        "p_FILTER_RANGE=Const(0, 3)",
        "the iCE40's filter range is 0",
    ),
    Textual(
        "boards/families/ecp5.py",
        "p_CLKFB_DIV=self.clkfb_div",
        "p_CLKFB_DIV=self.clki_div",
        "the ECP5's feedback divides as its input does",
    ),
)
