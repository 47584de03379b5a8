"""Settings of the boards' phase-locked loops; :mod:`.clock_generator` makes them gateware."""

from dataclasses import dataclass

__all__ = ["Ecp5Pll", "Ice40Pll"]


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, not {value}")


@dataclass(frozen=True)
class Ice40Pll:
    """SB_PLL40 with feedback path SIMPLE: f = input * (divf + 1) / ((divr + 1) * 2^divq).

    Parameters
    ----------
    divr, divf, divq : dividers of reference, feedback and output.
    filter_range : of the loop filter, by the reference's rate at the phase detector (1 for 10 to 17 MHz).
    pad : the input comes straight from a pad that is wired to the PLL; otherwise through a global buffer.
    """

    divr: int
    divf: int
    divq: int
    filter_range: int
    pad: bool

    def output_hz(self, input_hz: int) -> int:
        """Output frequency. Raises :class:`ValueError` if the oscillator would leave its 533 to 1066 MHz."""
        oscillator = input_hz * (self.divf + 1) // (self.divr + 1)
        _check("iCE40 PLL: oscillator frequency", oscillator, 533_000_000, 1_066_000_000)
        return oscillator >> self.divq


@dataclass(frozen=True)
class Ecp5Pll:
    """EHXPLLL with feedback from CLKOP: f = input * clkfb_div / clki_div; the oscillator runs at f * clkop_div."""

    clki_div: int
    clkfb_div: int
    clkop_div: int

    def output_hz(self, input_hz: int) -> int:
        """Output frequency. Raises :class:`ValueError` if the oscillator would leave its 400 to 800 MHz."""
        output = input_hz * self.clkfb_div // self.clki_div
        _check("ECP5 PLL: oscillator frequency", output * self.clkop_div, 400_000_000, 800_000_000)
        return output
