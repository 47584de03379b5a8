"""The SDRAM controller by itself, in a design of your own: a test of the memory.

You learn how to put `SdramController` into an Amaranth design, and how to run that on a model of the chip which checks every
rule of the data sheet. The design fills a part of the memory and reads it back. What comes out is a table of both: words,
refreshes, and the share of the bus's cycles that had a word. A second run has a chip that stores some words wrongly, and
counts them. The design is compiled once, in ten seconds or so. This needs the extra `sim`, g++ and make.
"""

import sys

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from zipsgd_hw.store.sdram import CHIPS, SdramController, sdram_pins
from zipsgd_sim.sdram import run_design

CHIP, CLOCK_HZ = CHIPS["16Mx16"], 133e6
BURSTS = 1 << (12 if "--small" in sys.argv else 18)


class MemoryTest(wiring.Component):
    """Writes some bursts (phases 0 and 1) and reads them (phase 2); ``errors`` counts the words that are wrong."""

    def __init__(self):
        super().__init__({"pins": Out(sdram_pins(CHIP.geometry)), "phase": Out(8), "errors": Out(32)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller = controller = SdramController(CHIP.geometry, CHIP.timing, CLOCK_HZ)
        connect(m, controller.pins, flipped(self.pins))
        command, write, read = controller.port.command, controller.port.write, controller.port.read
        asked, word = Signal(range(BURSTS + 1)), Signal(range(BURSTS * controller.burst_words + 1))
        pattern = Signal(16, init=1)  # a shift register with feedback
        moves = (write.valid & write.ready) | (read.valid & read.ready)
        m.d.comb += [
            command.valid.eq(asked != BURSTS),
            command.payload.address.eq(asked),
            command.payload.write.eq(self.phase != 2),
            write.valid.eq((word != BURSTS * controller.burst_words) & (self.phase != 2)),
            write.payload.eq(pattern),
            read.ready.eq(1),
        ]
        with m.If(command.valid & command.ready):
            m.d.sync += asked.eq(asked + 1)
        with m.If(moves):
            m.d.sync += [word.eq(word + 1), pattern.eq((pattern << 1) | (pattern & 0xB400).xor())]
            m.d.sync += self.errors.eq(self.errors + (read.valid & (read.payload != pattern)))
        with m.FSM():
            with m.State("initialise"), m.If(asked == 4):  # only three bursts wait until the chip is ready
                m.d.sync += self.phase.eq(1)
                m.next = "write"
            with m.State("write"), m.If(word == BURSTS * controller.burst_words):
                m.d.sync += [self.phase.eq(2), asked.eq(0), word.eq(0), pattern.eq(1)]
                m.next = "read"
            with m.State("read"), m.If(word == BURSTS * controller.burst_words):
                m.d.sync += self.phase.eq(0)
        return m


for rate in (0.0, 1e-4):
    print(f"a word in {1 / rate:.0f} is stored wrongly" if rate else "a good chip")
    for row in run_design(MemoryTest(), CHIP, CLOCK_HZ, error_rate=rate, progress=print)[1:]:
        words = row["words written"] + row["words read"]
        print(
            f"  {'writes' if row['phase'] == 1 else 'reads '} {words:8} words  {row['refreshes']:5} refreshes  "
            f"{words / row['cycles']:6.1%} of the bus  {row['errors']:4} errors"
        )
