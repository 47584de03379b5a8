"""cocotb: UART receivers, of many divisors at once, on lines made in Python: each byte in its cycle, and no other."""

import random

import cocotb
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from component_bench import Case, ComponentBench

from zipsgd_hw.link.uart import UartReceiver
from zipsgd_sim.stream_bench import StreamBench

DIVISORS = (5, 6, 7, 8, 13, 33)


class Receivers(wiring.Component):
    """A receiver of each divisor: one simulator is quicker made than six."""

    def __init__(self):
        members = {}
        for divisor in DIVISORS:
            members[f"rx{divisor}"] = In(1, init=1)
            members[f"data{divisor}"] = Out(stream.Signature(8, always_ready=True))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for divisor in DIVISORS:
            m.submodules[f"receiver{divisor}"] = receiver = UartReceiver(divisor)
            data = getattr(self, f"data{divisor}")
            m.d.comb += [
                receiver.rx.eq(getattr(self, f"rx{divisor}")),
                data.valid.eq(receiver.data.valid),
                data.payload.eq(receiver.data.payload),
            ]
        return m


BENCH = ComponentBench((UartReceiver,), "8N1, bits taken in their middle", (Case("receivers", Receivers),))


class Line:
    """What a pin shows in each cycle, and the cycles in which bytes are due."""

    def __init__(self, divisor):
        self.divisor, self.half = divisor, divisor // 2
        self.levels = []
        self.due = {}

    def hold(self, level, cycles):
        self.levels += [level] * cycles

    def expect(self, byte):
        """It is due a cycle after the middle of its stop bit has passed the synchroniser."""
        self.due[len(self.levels) + 2 + self.half + 9 * self.divisor + 1] = byte

    def send(self, data, off=1.0):
        """Bytes without gaps; of a clock that is off, they begin at any time within a cycle."""
        edge = len(self.levels) - (random.random() if off != 1 else 0)
        for byte in data:
            self.expect(byte)
            for level in (0, *(byte >> i & 1 for i in range(8)), 1):
                edge += self.divisor * off
                while len(self.levels) < edge:
                    self.levels.append(level)

    def short_stop(self, byte):
        """A byte whose stop bit ends right behind its middle, the next start bit being half a bit early."""
        self.send([byte])
        del self.levels[len(self.levels) - self.divisor + self.half + 1 :]

    def glitch(self, width):
        """A start bit that is gone by its middle."""
        self.hold(0, width)
        self.hold(1, self.half + 1 - width)

    def least_start(self):
        """A start bit that is not gone by its middle, but right behind it."""
        self.expect(0xFF)
        self.hold(0, self.half + 1)
        self.hold(1, 10 * self.divisor - self.half - 1)

    def no_stop(self, byte, more):
        """A byte with a low stop bit, ``more`` cycles beyond its middle, and then a single cycle of high."""
        self.send([byte])
        self.due.popitem()
        del self.levels[-self.divisor :]
        self.hold(0, self.half + 1 + more)
        self.hold(1, 1)

    def anything(self):
        """Every kind of event, in any order, with a byte behind each."""
        tries = [
            lambda: self.send([0x00, 0xFF, 0x55, 0xAA, 0x80, 0x7F, *random.randbytes(4)], off=1.03),
            lambda: self.send([0x00, 0xFF, 0x55, 0xAA, 0x80, 0x7F, *random.randbytes(4)], off=0.97),
            lambda: [self.short_stop(byte) for byte in random.randbytes(3)],
            lambda: [self.glitch(width) for width in {1, self.half - 1, self.half}],
            self.least_start,
            lambda: self.no_stop(random.choice([0x00, 0xFF]), 0),
            lambda: self.no_stop(random.randrange(256), random.randrange(12 * self.divisor)),
            lambda: self.hold(1, random.randrange(1, 2 * self.divisor)),
        ]
        for event in random.sample(tries, len(tries)):
            event()
            self.send(random.randbytes(1))


@cocotb.test(timeout_time=200, timeout_unit="us")
async def receives(dut):
    """Clocks 3 % off, early start bits, glitches, bytes without a stop bit; and a reset within a byte."""
    lines = [Line(divisor) for divisor in reversed(DIVISORS)]
    for line in lines:
        line.hold(1, random.randrange(2, 9))
        line.anything()
        while len(line.levels) < len(lines[0].levels):
            line.anything()
    reset = max(len(line.levels) for line in lines) + 10 * max(DIVISORS)
    for line in lines:
        low = random.randrange(line.half + 2, 8 * line.divisor)
        line.hold(1, reset - 4 - low - len(line.levels))
        line.hold(0, low)
        line.hold(1, 5)
        line.send(random.randbytes(4))
    for line in lines:
        getattr(dut, f"rx{line.divisor}").value = 1
    bench = StreamBench(dut)
    for cycle in range(max(len(line.levels) for line in lines) + 5):
        for line in lines:
            bench.pins[f"rx{line.divisor}"] = line.levels[cycle] if cycle < len(line.levels) else 1
        bench.pins["rst"] = int(cycle == reset)
        await bench.cycle()
        for line in lines:
            name = f"data{line.divisor}"
            due = line.due.pop(cycle, None)
            assert int(getattr(dut, f"{name}__valid").value) == (due is not None), f"{name}, cycle {cycle}"
            if due is not None:
                assert int(getattr(dut, f"{name}__payload").value) == due, f"{name}, cycle {cycle}"
    assert not any(line.due for line in lines)
