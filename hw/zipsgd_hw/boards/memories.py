"""Memories of boards that can be a build's store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from amaranth import Const, Module
from amaranth.lib import io
from amaranth.lib.wiring import Component

from zipsgd.protocol.formats import Build
from zipsgd_hw.store.pace import StorePace
from zipsgd_hw.store.sdram import CHIPS, ClockedSdramStore, SdramChip, SdramController
from zipsgd_hw.store.spram import SPRAM_BYTES, SpramCell, SpramStore

from .families.family import OtherClock

__all__ = ["Sdram", "Spram", "StoreMemory"]


class StoreMemory(Protocol):
    """A memory outside the block RAM."""

    def clocks(self, build: Build) -> Mapping[str, OtherClock]:
        """The clocks that the memory needs besides the datapath's.

        Parameters
        ----------
        build : Build
            Build of the board.

        Returns
        -------
        mapping of str to OtherClock
            Each by the name of its domain: ``memory``, the domain of the store's pins, and ``chip``, the chip's own.
        """

    def check(self, build: Build) -> None:
        """Check that the memory is the build's store.

        Parameters
        ----------
        build : Build
            Build of the board.

        Raises
        ------
        ValueError
            The build's store has another size.
        """

    def store(self, build: Build) -> "Component[Any]":
        """The store.

        Parameters
        ----------
        build : Build
            Build of the board.

        Returns
        -------
        Component
            With a member ``port``, and ``pins`` where the memory has pins.

        Raises
        ------
        ValueError
            The clock does not suit the memory.
        """

    def pace(self, build: Build) -> StorePace:
        """How fast the store is read.

        Parameters
        ----------
        build : Build
            Build of the board.

        Returns
        -------
        StorePace
            The pace.

        Raises
        ------
        ValueError
            The clock does not suit the memory.
        """

    def connect(self, m: Module, platform: Any, accelerator: Any) -> None:
        """Connect the accelerator to the board's pins.

        Parameters
        ----------
        m : Module
            The module of the board.
        platform : Platform
            The board's platform.
        accelerator : UartAccelerator
            The accelerator, whose ``pins`` are the store's.
        """


def _check_size(build: Build, name: str, words: int, word_bytes: int) -> None:
    if (build.store_words, build.word_bytes) != (words, word_bytes):
        raise ValueError(
            f"a build whose store is {name} has store_words={words} and word_bytes={word_bytes}, not {build.store_words} and "
            f"{build.word_bytes}"
        )


@dataclass(frozen=True)
class Spram:
    """The single-port RAM of an iCE40 UltraPlus."""

    def clocks(self, build: Build) -> Mapping[str, OtherClock]:
        """See :meth:`StoreMemory.clocks`."""
        return {}

    def check(self, build: Build) -> None:
        """See :meth:`StoreMemory.check`."""
        _check_size(build, "SPRAM", SPRAM_BYTES // build.word_bytes, build.word_bytes)

    def store(self, build: Build) -> "Component[Any]":
        """See :meth:`StoreMemory.store`."""
        return SpramStore(SpramCell, 8 * build.word_bytes)

    def pace(self, build: Build) -> StorePace:
        """See :meth:`StoreMemory.pace`."""
        return SpramStore.pace

    def connect(self, m: Module, platform: Any, accelerator: Any) -> None:
        """See :meth:`StoreMemory.connect`. The memory has no pins."""


@dataclass(frozen=True)
class Sdram:
    """A chip of SDR SDRAM, the platform's resource ``sdram``.

    All pins have registers. The chip's clock lags theirs by three quarters of a cycle, so that the chip takes commands and
    words to write a quarter of a cycle before they change. A word that is read is valid from 5.4 ns after the chip's edge to
    2.5 ns after the next one. At 100 to 120 MHz, with some 2 to 4 ns for the pads on both ways, the registers take it in this
    time.

    Parameters
    ----------
    chip : str
        Name of the chip in :data:`zipsgd_hw.store.sdram.CHIPS`.
    clock_hz : int or None
        Frequency of the chip and its controller in hertz; None for that of the datapath. With a clock of its own, a word of the
        store may be several of the chip's.
    clock_degrees : int
        Lag of the chip's clock, in degrees; 0 if it needs none of its own.

    Raises
    ------
    ValueError
        There is no such chip.
    """

    chip: str
    clock_hz: int | None = None
    clock_degrees: int = 270

    def __post_init__(self) -> None:
        if self.chip not in CHIPS:
            raise ValueError(f"sdram must be one of {', '.join(CHIPS)}, not {self.chip!r}")

    @property
    def specification(self) -> SdramChip:
        """The chip's size and timing."""
        return CHIPS[self.chip]

    def hz(self, build: Build) -> int:
        """Frequency of the chip's clock on the board of a build, in hertz."""
        return self.clock_hz or build.clock_hz

    def clocks(self, build: Build) -> Mapping[str, OtherClock]:
        """See :meth:`StoreMemory.clocks`."""
        clocks = {} if self.clock_hz is None else {"memory": OtherClock(self.clock_hz)}
        if self.clock_degrees:
            clocks["chip"] = OtherClock(self.hz(build), self.clock_degrees)
        return clocks

    def _parts(self, build: Build) -> int:
        """Words of the chip in a word of the store."""
        return 1 if self.clock_hz is None else 8 * build.word_bytes // self.specification.geometry.data_bits

    def check(self, build: Build) -> None:
        """See :meth:`StoreMemory.check`."""
        size, parts = self.specification.geometry, max(self._parts(build), 1)
        name = self.chip if parts == 1 else f"{self.chip} in words of {parts} of its own"
        _check_size(build, name, size.words // parts, parts * size.data_bits // 8)

    def store(self, build: Build, io_cycles: int = 2) -> "Component[Any]":
        """See :meth:`StoreMemory.store`.

        Parameters
        ----------
        build : Build
            Build of the board.
        io_cycles : int
            Cycles that registers between the store's pins and the chip take, to it and back.
        """
        chip = self.specification
        if self.clock_hz is None:
            return SdramController(chip.geometry, chip.timing, build.clock_hz, io_cycles=io_cycles)
        return ClockedSdramStore(chip, self.clock_hz, self._parts(build), io_cycles=io_cycles)

    def pace(self, build: Build) -> StorePace:
        """See :meth:`StoreMemory.pace`."""
        chip = self.specification
        if self.clock_hz is None:
            return SdramController.pace(chip.geometry, chip.timing, build.clock_hz)
        return ClockedSdramStore.pace(chip, self.clock_hz, self._parts(build), build.clock_hz)

    def connect(self, m: Module, platform: Any, accelerator: Any) -> None:
        """See :meth:`StoreMemory.connect`."""
        port, pins = platform.request("sdram", 0, dir="-"), accelerator.pins
        domain = "sync" if self.clock_hz is None else "memory"
        m.submodules.sdram_clk = clock = io.DDRBuffer(
            "o", port.clk, o_domain="chip" if self.clock_degrees else domain
        )
        m.d.comb += clock.o.eq(Const(0b01, 2))  # high first
        for name in ("clk_en", "cs", "ras", "cas", "we", "ba", "a", "dqm"):
            if hasattr(port, name):
                m.submodules[f"sdram_{name}"] = buffer = io.FFBuffer(
                    "o", getattr(port, name), o_domain=domain
                )
                m.d.comb += buffer.o.eq(getattr(pins, name))
        m.submodules.sdram_dq = data = io.FFBuffer("io", port.dq, i_domain=domain, o_domain=domain)
        m.d.comb += [data.o.eq(pins.dq.o), data.oe.eq(pins.dq.oe), pins.dq.i.eq(data.i)]
