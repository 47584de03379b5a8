"""What a family of FPGAs has to say of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..memory_blocks import BlockRam

__all__ = ["Family", "Pll", "check_oscillator"]


class Pll(Protocol):
    """Settings of a family's phase-locked loop."""

    def output_hz(self, input_hz: int) -> int:
        """Frequency of the output.

        Parameters
        ----------
        input_hz : int
            Frequency of the input in hertz.

        Returns
        -------
        int
            Frequency of the output in hertz.

        Raises
        ------
        ValueError
            The loop's oscillator would leave its range.
        """

    def instance(self, m: Any, pin: Any, *, input_hz: int, clock: Any, locked: Any) -> Any:
        """The family's cell with these settings.

        Parameters
        ----------
        m : Module
            The module that gets the buffer of the input's pin, where there is one.
        pin : PortLike
            The pin of the board's oscillator.
        input_hz : int
            Frequency of the input in hertz.
        clock : Value
            Is driven with the output.
        locked : Value
            Is driven high while the loop is locked.

        Returns
        -------
        Instance
            The cell.
        """


def check_oscillator(family: str, oscillator_hz: int, low_hz: int, high_hz: int) -> None:
    """Check the frequency of a PLL's oscillator.

    Parameters
    ----------
    family : str
        The family's name, for the message.
    oscillator_hz, low_hz, high_hz : int
        The frequency and its limits, in hertz.

    Raises
    ------
    ValueError
        The frequency is outside the limits.
    """
    if not low_hz <= oscillator_hz <= high_hz:
        raise ValueError(
            f"{family} PLL: oscillator frequency must be in {low_hz}..{high_hz}, not {oscillator_hz}"
        )


@dataclass(frozen=True, eq=False)
class Family:
    """A family of FPGAs; there is one object of each.

    Parameters
    ----------
    name : str
        The family's name for Yosys, whose synthesis command is ``synth_NAME`` and whose cell models are in the folder NAME.
    ram_bits : int
        Bits of a block RAM.
    ram_widths : tuple of int
        Widths in bits that a block RAM's words can have; the depth is ``ram_bits`` divided by the width.
    fast_memory : bool
        Whether a block RAM's word comes out early enough in the cycle to be used in it, at the clocks of the family's boards;
        see :class:`zipsgd_hw.datapath.gradient_unit.GradientUnit`.
    reset_seconds : float
        How long the reset lasts after the PLL has locked.
    routed_suffix, bitstream_suffix : str
        Suffixes of the file that nextpnr writes, and of the bitstream that is packed from it.
    figures : Mapping of str to str
        The names by which nextpnr's report counts ``cells``, ``ram``, ``dsp`` and, where it tells them, ``ff`` and ``lutram``.
    flip_flops : str or None
        What the names of flip-flops begin with in Yosys' statistics, for a family whose cells have a flip-flop each that
        nextpnr does not count by itself; None where ``figures`` has ``ff``.
    netlist_options : tuple of str
        Options of the synthesis of netlists to simulate.
    cell_library : tuple of str
        Files of Yosys with models of the family's cells.
    cell_models : tuple of Path
        Our own models of cells that Yosys has no model for.
    cell_defines : tuple of str
        Macros to define for the cell library.
    """

    name: str
    ram_bits: int
    ram_widths: tuple[int, ...]
    fast_memory: bool
    reset_seconds: float
    routed_suffix: str
    bitstream_suffix: str
    figures: Mapping[str, str]
    flip_flops: str | None
    netlist_options: tuple[str, ...]
    cell_library: tuple[str, ...]
    cell_models: tuple[Path, ...] = ()
    cell_defines: tuple[str, ...] = ()

    def block_ram(self, count: int) -> BlockRam:
        """The block RAM of a device.

        Parameters
        ----------
        count : int
            Block RAMs of the device.

        Returns
        -------
        BlockRam
            Their geometry and number.
        """
        return BlockRam(self.ram_bits, self.ram_widths, count)
