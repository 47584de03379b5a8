"""SDR SDRAM chips: their geometry, their timing, and some chips by name."""

from dataclasses import dataclass, fields, replace
from math import ceil, floor

__all__ = ["CHIPS", "SdramChip", "SdramCycles", "SdramGeometry", "SdramTiming"]


@dataclass(frozen=True)
class SdramGeometry:
    """Size of a chip.

    Parameters
    ----------
    data_bits : int
        Bits of a word: 4, 8, 16 or 32.
    bank_bits : int
        Bits of a bank's number: 1 or 2.
    row_bits : int
        Bits of a row's number, 11 to 13.
    column_bits : int
        Bits of a column's number, 8 to 12. A column is a word.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    data_bits: int
    bank_bits: int
    row_bits: int
    column_bits: int

    def __post_init__(self) -> None:
        for name, allowed in (
            ("data_bits", (4, 8, 16, 32)),
            ("bank_bits", (1, 2)),
            ("row_bits", (11, 12, 13)),
            ("column_bits", (8, 9, 10, 11, 12)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(map(str, allowed))}, not {getattr(self, name)}"
                )

    @property
    def words(self) -> int:
        """Words of the chip."""
        return 1 << (self.bank_bits + self.row_bits + self.column_bits)

    @property
    def address_bits(self) -> int:
        """Address pins: a column's bits leave out pin 10, which says whether to precharge."""
        return max(11, self.row_bits, self.column_bits + (self.column_bits > 10))


@dataclass(frozen=True)
class SdramTiming:
    """Timing of a chip by its data sheet, in nanoseconds unless said otherwise.

    Parameters
    ----------
    rcd_ns : float
        tRCD: from activating a row to reading or writing it.
    rp_ns : float
        tRP: from precharging a bank to activating it, or to a refresh.
    ras_ns : float
        tRAS: from activating a row to precharging it.
    rc_ns : float
        tRC: from activating a row to activating another one of its bank.
    rrd_ns : float
        tRRD: from activating a row to activating one of another bank.
    rfc_ns : float
        tRFC, called tRC in some data sheets: from a refresh to the next command.
    wr_ns : float
        tWR, tDPL or tRDL: from the last word written to precharging its bank.
    cas_cycles : int
        CAS latency in cycles: 2 or 3. It must suit the clock.
    refreshes : int
        Refreshes within ``window_ns``, each of which is of other rows than those before.
    window_ns : float
        Within this time each row must be refreshed.
    init_ns : float
        From a stable clock to the first command.
    most_ras_ns : float
        The longest time that a row may stay open.
    mrd_cycles : int
        tMRD: from setting the mode to the next command, in cycles.

    Raises
    ------
    ValueError
        ``cas_cycles`` is neither 2 nor 3, or a time is not positive.
    """

    rcd_ns: float
    rp_ns: float
    ras_ns: float
    rc_ns: float
    rrd_ns: float
    rfc_ns: float
    wr_ns: float
    cas_cycles: int = 3
    refreshes: int = 8192
    window_ns: float = 64e6
    init_ns: float = 200e3
    most_ras_ns: float = 100e3
    mrd_cycles: int = 2

    def __post_init__(self) -> None:
        if self.cas_cycles not in (2, 3):
            raise ValueError(f"cas_cycles must be 2 or 3, not {self.cas_cycles}")
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be positive, not {getattr(self, field.name)}")

    def slowest(self, *others: "SdramTiming") -> "SdramTiming":
        """A timing that suits this chip and others, of which a board may have any.

        Parameters
        ----------
        *others : SdramTiming
            Timings with the same CAS latency and refreshes.

        Returns
        -------
        SdramTiming
            The longest of each time, and the shortest of those that are limits.

        Raises
        ------
        ValueError
            The chips do not have the same CAS latency and refreshes.
        """
        all_of = (self, *others)
        if len({(each.cas_cycles, each.refreshes) for each in all_of}) > 1:
            raise ValueError("chips of one board must have the same cas_cycles and refreshes")
        shortest = ("window_ns", "most_ras_ns")
        return replace(
            self,
            **{
                field.name: (min if field.name in shortest else max)(
                    getattr(each, field.name) for each in all_of
                )
                for field in fields(self)
            },
        )

    def cycles(self, clock_hz: float) -> "SdramCycles":
        """The timing in cycles of a clock.

        Parameters
        ----------
        clock_hz : float
            Frequency in hertz.

        Returns
        -------
        SdramCycles
            Times to wait are rounded up, limits are rounded down.
        """

        def at_least(nanoseconds: float) -> int:
            return ceil(nanoseconds * clock_hz / 1e9 - 1e-6)

        def at_most(nanoseconds: float) -> int:
            return floor(nanoseconds * clock_hz / 1e9 + 1e-6)

        return SdramCycles(
            rcd=at_least(self.rcd_ns),
            rp=at_least(self.rp_ns),
            ras=at_least(self.ras_ns),
            rc=at_least(self.rc_ns),
            rrd=at_least(self.rrd_ns),
            rfc=at_least(self.rfc_ns),
            wr=at_least(self.wr_ns),
            mrd=self.mrd_cycles,
            cas=self.cas_cycles,
            init=at_least(self.init_ns),
            window=at_most(self.window_ns),
            refreshes=self.refreshes,
            most_ras=at_most(self.most_ras_ns),
        )


@dataclass(frozen=True)
class SdramCycles:
    """A timing in cycles of a clock; see :class:`SdramTiming` for each of them.

    Parameters
    ----------
    rcd, rp, ras, rc, rrd, rfc, wr, mrd, cas, init : int
        Cycles to wait at least.
    window, most_ras : int
        Cycles at most.
    refreshes : int
        Refreshes within ``window``.
    """

    rcd: int
    rp: int
    ras: int
    rc: int
    rrd: int
    rfc: int
    wr: int
    mrd: int
    cas: int
    init: int
    window: int
    refreshes: int
    most_ras: int


@dataclass(frozen=True)
class SdramChip:
    """A chip.

    Parameters
    ----------
    geometry : SdramGeometry
        Its size.
    timing : SdramTiming
        Its timing.
    """

    geometry: SdramGeometry
    timing: SdramTiming


_16M_X_16 = SdramGeometry(data_bits=16, bank_bits=2, row_bits=13, column_bits=9)
_32M_X_16 = replace(_16M_X_16, column_bits=10)
_2M_X_32 = SdramGeometry(data_bits=32, bank_bits=2, row_bits=11, column_bits=8)

_MT48LC_75 = SdramTiming(rcd_ns=20, rp_ns=20, ras_ns=44, rc_ns=66, rrd_ns=15, rfc_ns=66, wr_ns=15)
_AS4C_7 = SdramTiming(rcd_ns=21, rp_ns=21, ras_ns=42, rc_ns=63, rrd_ns=14, rfc_ns=63, wr_ns=14)
_IS42S_7 = SdramTiming(rcd_ns=15, rp_ns=15, ras_ns=37, rc_ns=60, rrd_ns=14, rfc_ns=60, wr_ns=14)
_W9825_6 = SdramTiming(rcd_ns=15, rp_ns=15, ras_ns=42, rc_ns=60, rrd_ns=12, rfc_ns=60, wr_ns=15)
_M12L_7 = SdramTiming(
    rcd_ns=20, rp_ns=20, ras_ns=42, rc_ns=63, rrd_ns=14, rfc_ns=63, wr_ns=14, refreshes=4096
)

CHIPS: dict[str, SdramChip] = {
    # The first is for boards that are sold with any of the three below it, such as the ULX3S with 32 MB
    "16Mx16": SdramChip(_16M_X_16, _MT48LC_75.slowest(_AS4C_7, _IS42S_7)),
    "MT48LC16M16A2-75": SdramChip(_16M_X_16, _MT48LC_75),
    "AS4C16M16SA-7": SdramChip(_16M_X_16, _AS4C_7),
    "IS42S16160G-7": SdramChip(_16M_X_16, _IS42S_7),
    "W9825G6KH-6": SdramChip(_16M_X_16, _W9825_6),
    "AS4C32M16SB-7": SdramChip(_32M_X_16, _AS4C_7),
    "M12L64322A-7": SdramChip(_2M_X_32, _M12L_7),
}
"""Chips by name, with their timing at CAS latency 3."""
