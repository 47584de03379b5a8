"""Memories of boards that can be a build's store."""

from dataclasses import dataclass
from typing import Any, Protocol

from amaranth import Const, Module
from amaranth.lib import io
from amaranth.lib.wiring import Component

from zipsgd.protocol.formats import Build
from zipsgd_hw.store.pace import StorePace
from zipsgd_hw.store.sdram import CHIPS, SdramController
from zipsgd_hw.store.spram import SPRAM_BYTES, SpramCell, SpramStore

__all__ = ["Sdram", "Spram", "StoreMemory"]


class StoreMemory(Protocol):
    """A memory outside the block RAM."""

    @property
    def clock_degrees(self) -> int:
        """int: By how much the memory's own clock lags the datapath's, in degrees; 0 if it has none."""

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

    clock_degrees = 0

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

    All pins have registers. The chip's clock lags the datapath's by three quarters of a cycle, so that the chip takes commands
    and words to write a quarter of a cycle before they change. A word that is read is valid from 5.4 ns after the chip's edge
    to 2.5 ns after the next one. At 100 MHz, with some 2 to 4 ns for the pads on both ways, the registers take it in this time.

    Parameters
    ----------
    chip : str
        Name of the chip in :data:`zipsgd_hw.store.sdram.CHIPS`.
    clock_degrees : int
        Lag of the chip's clock, in degrees.
    """

    chip: str
    clock_degrees: int = 270

    def check(self, build: Build) -> None:
        """See :meth:`StoreMemory.check`."""
        size = CHIPS[self.chip].geometry
        _check_size(build, self.chip, size.words, size.data_bits // 8)

    def store(self, build: Build) -> "Component[Any]":
        """See :meth:`StoreMemory.store`."""
        chip = CHIPS[self.chip]
        return SdramController(chip.geometry, chip.timing, build.clock_hz, io_cycles=2)

    def pace(self, build: Build) -> StorePace:
        """See :meth:`StoreMemory.pace`."""
        chip = CHIPS[self.chip]
        return SdramController.pace(chip.geometry, chip.timing, build.clock_hz)

    def connect(self, m: Module, platform: Any, accelerator: Any) -> None:
        """See :meth:`StoreMemory.connect`."""
        port, pins = platform.request("sdram", 0, dir="-"), accelerator.pins
        m.submodules.sdram_clk = clock = io.DDRBuffer(
            "o", port.clk, o_domain="memory" if self.clock_degrees else "sync"
        )
        m.d.comb += clock.o.eq(Const(0b01, 2))  # high first
        for name in ("clk_en", "cs", "ras", "cas", "we", "ba", "a", "dqm"):
            if hasattr(port, name):
                m.submodules[f"sdram_{name}"] = buffer = io.FFBuffer("o", getattr(port, name))
                m.d.comb += buffer.o.eq(getattr(pins, name))
        m.submodules.sdram_dq = data = io.FFBuffer("io", port.dq)
        m.d.comb += [data.o.eq(pins.dq.o), data.oe.eq(pins.dq.oe), pins.dq.i.eq(data.i)]
