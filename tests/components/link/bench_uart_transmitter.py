"""cocotb: UART transmitters, of many divisors at once: the line and ``ready`` in each cycle."""

import random

import cocotb
from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from component_bench import Case, ComponentBench

from zipsgd_hw.link.uart import UartTransmitter
from zipsgd_sim.stream_bench import StreamBench

DIVISORS = (5, 6, 7, 8, 13, 33)
CYCLES = 7000


class Transmitters(wiring.Component):
    """A transmitter of each divisor: one simulator is quicker made than six."""

    def __init__(self):
        members = {}
        for divisor in DIVISORS:
            members[f"data{divisor}"] = In(stream.Signature(8))
            members[f"tx{divisor}"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        for divisor in DIVISORS:
            m.submodules[f"transmitter{divisor}"] = transmitter = UartTransmitter(divisor)
            data = getattr(self, f"data{divisor}")
            m.d.comb += [
                transmitter.data.valid.eq(data.valid),
                transmitter.data.payload.eq(data.payload),
                data.ready.eq(transmitter.data.ready),
                getattr(self, f"tx{divisor}").eq(transmitter.tx),
            ]
        return m


BENCH = ComponentBench((UartTransmitter,), "8N1", (Case("transmitters", Transmitters),))


class Sender:
    """The stream to a transmitter, and what the line shows from here on."""

    def __init__(self, dut, divisor):
        self.divisor = divisor
        self.line = []
        self.sent = 0
        self._waits = None
        self._valid, self._payload, self._ready, self._tx = (
            getattr(dut, name.format(divisor))
            for name in ("data{}__valid", "data{}__payload", "data{}__ready", "tx{}")
        )

    def drive(self, chance, pins):
        if self._waits is None and random.random() < chance:
            self._waits = random.choice([0x00, 0xFF, 0x55, 0xAA, *random.randbytes(4)])
        pins[self._valid._name] = int(self._waits is not None)
        pins[self._payload._name] = random.randrange(256) if self._waits is None else self._waits

    def check(self, reset, when):
        assert int(self._tx.value) == (self.line[0] if self.line else 1), when
        assert int(self._ready.value) == (not self.line), when
        if self.line:
            self.line.pop(0)
        elif self._waits is not None:
            levels = (0, *(self._waits >> i & 1 for i in range(8)), 1)
            # The last cycle of the stop bit takes the next byte.
            self.line = [level for level in levels for _ in range(self.divisor)][:-1]
            self._waits = None
            self.sent += 1
        if reset:
            self.line.clear()


@cocotb.test(timeout_time=200, timeout_unit="us")
async def transmits(dut):
    """Bytes without gaps, then with gaps, then with resets; high in between."""
    bench = StreamBench(dut)
    senders = [Sender(dut, divisor) for divisor in DIVISORS]
    for cycle in range(CYCLES):
        reset = cycle > 2 * CYCLES // 3 and random.random() < 0.002
        for sender in senders:
            chance = 1 if cycle < CYCLES // 2 else 1 / (6 * sender.divisor)
            sender.drive(chance, bench.pins)
        bench.pins["rst"] = int(reset)
        await bench.cycle()
        for sender in senders:
            sender.check(reset, f"divisor {sender.divisor}, cycle {cycle}")
        if cycle == CYCLES // 2:
            for sender in senders:
                assert sender.sent == CYCLES // 2 // (10 * sender.divisor) + 1
