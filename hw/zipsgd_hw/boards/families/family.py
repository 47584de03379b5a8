"""What a family of FPGAs has to say of itself."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..memory_blocks import BlockRam

__all__ = ["Family", "OtherClock", "Pll", "choose_pll", "within"]


@dataclass(frozen=True)
class OtherClock:
    """A clock that a PLL makes besides the datapath's.

    Parameters
    ----------
    hz : int
        Frequency in hertz.
    degrees : int
        By how much it lags, in degrees of its own cycle, behind a clock that rises with the datapath's.
    """

    hz: int
    degrees: int = 0


class Pll(Protocol):
    """Settings of a family's phase-locked loop (PLL)."""

    def output_hz(self, input_hz: int) -> int:
        """Frequency of the output, rounded down.

        Parameters
        ----------
        input_hz : int
            Frequency of the input in hertz.

        Returns
        -------
        int
            Frequency of the output in hertz.
        """

    def instance(
        self,
        m: Any,
        pin: Any,
        *,
        input_hz: int,
        clock: Any,
        locked: Any,
        others: Sequence[tuple[OtherClock, Any]] = (),
    ) -> Any:
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
        others : sequence of (OtherClock, Value)
            Further clocks, those that the settings were found for, and what is driven with them.

        Returns
        -------
        Instance
            The cell.

        Raises
        ------
        ValueError
            The family's PLL has no outputs for ``others``.
        """


def choose_pll(candidates: Iterable[Pll], input_hz: int, clock_hz: int) -> Pll:
    """Choose the first settings that make a clock exactly.

    Parameters
    ----------
    candidates : iterable of Pll
        Settings that the PLL can run with, the preferred ones first.
    input_hz : int
        Frequency of the input in hertz.
    clock_hz : int
        The wanted frequency in hertz.

    Returns
    -------
    Pll
        The settings.

    Raises
    ------
    ValueError
        No settings make this clock; the message has the nearest clocks that some make.
    """
    made: dict[int, Pll] = {}
    for pll in candidates:
        made.setdefault(pll.output_hz(input_hz), pll)
    if clock_hz in made:
        return made[clock_hz]
    if not made:
        raise ValueError(f"the PLL cannot run from an input of {input_hz} Hz: correct input_hz")
    below = max((hz for hz in made if hz < clock_hz), default=None)
    above = min((hz for hz in made if hz > clock_hz), default=None)
    nearest = " or ".join(str(hz) for hz in (below, above) if hz is not None)
    raise ValueError(
        f"the PLL cannot make {clock_hz} Hz from the oscillator's {input_hz} Hz: change clock_hz to a frequency that it "
        f"can make, such as {nearest}"
    )


def within(limits: tuple[int, int], value: float) -> bool:
    """Whether a value is inside limits, ends included.

    Parameters
    ----------
    limits : (int, int)
        The lowest and the highest value.
    value : float
        The value.

    Returns
    -------
    bool
        Whether it is inside.
    """
    return limits[0] <= value <= limits[1]


def _as_they_are(commands: list[list[str]], clock_hz: int) -> list[list[str]]:
    """Amaranth's commands."""
    return commands


@dataclass(frozen=True, eq=False)
class Family:
    """A family of FPGAs; there is one object of each.

    Parameters
    ----------
    name : str
        The family's name for Yosys, whose synthesis command is ``synth_NAME`` and whose cell models are in the folder NAME.
    device_prefix : str
        What the names of the family's devices begin with.
    find_pll : callable
        Takes the input's and the clock's frequency in hertz, whether the oscillator is wired to the PLL's own pad, and further
        clocks. Returns the :class:`Pll` that makes the clocks, or raises ValueError if there is none.
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
        Where cells of several names share the sites of the first one, they are joined by "+".
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
    commands : callable
        Takes Amaranth's commands for synthesis, routing and packing, and the clock's frequency in hertz; returns those to run.
    """

    name: str
    device_prefix: str
    find_pll: Callable[[int, int, bool, Sequence[OtherClock]], Pll]
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
    commands: Callable[[list[list[str]], int], list[list[str]]] = _as_they_are

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
