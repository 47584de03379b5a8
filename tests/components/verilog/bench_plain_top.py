"""cocotb: plain names of members and of fields of structures, in each cycle, against the component without them."""

import random

import cocotb
from amaranth import Module, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from component_bench import Case, ComponentBench

from zipsgd_hw.verilog.plain_top import PlainTop
from zipsgd_hw.verilog.ports import Port
from zipsgd_sim.stream_bench import StreamBench


class Mixer(wiring.Component):
    """Members of all kinds: a bit, structures both ways, a field with a sign, a stream that is always ready."""

    def __init__(self):
        super().__init__(
            {
                "invert": In(1),
                "pair": In(data.StructLayout({"low": 3, "high": signed(5)})),
                "words": In(stream.Signature(4, always_ready=True)),
                "result": Out(data.StructLayout({"mixed": 8, "last": 4})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        with m.If(self.words.valid):
            m.d.sync += self.result.last.eq(self.words.payload)
        m.d.comb += self.result.mixed.eq((self.pair.high * 8 + self.pair.low) ^ self.invert.replicate(8))
        return m


PORTS = (
    Port("upside_down", "invert", ""),
    Port("small", "pair.low", ""),
    Port("large", "pair.high", ""),
    Port("of_another_build", "pair.none", "", "prox"),
    Port("word", "words.payload", ""),
    Port("word_valid", "words.valid", ""),
    Port("word_ready", "words.ready", ""),
    Port("mixed", "result.mixed", ""),
    Port("last", "result.last", ""),
)

BENCH = ComponentBench(
    (PlainTop,),
    "the component that has the names",
    (Case("mixer", lambda: PlainTop(Mixer(), PORTS)),),
)


@cocotb.test()
async def passes_all(dut):
    """No cycle later, and no other bit."""
    bench = StreamBench(dut)
    last = 0
    bench.pins |= {"word_valid": 0}
    await bench.cycle()
    assert not hasattr(dut, "of_another_build")
    for cycle in range(400):
        inverted, small, large = random.getrandbits(1), random.getrandbits(3), random.getrandbits(5)
        word, valid = random.getrandbits(4), random.getrandbits(1)
        bench.pins |= {"upside_down": inverted, "small": small, "large": large, "word": word}
        bench.pins |= {"word_valid": valid}
        await bench.cycle()
        assert int(dut.mixed.value) == (large << 3 | small) ^ 0xFF * inverted, f"cycle {cycle}"
        assert int(dut.last.value) == last, f"cycle {cycle}"
        assert int(dut.word_ready.value) == 1, f"cycle {cycle}"
        if valid:
            last = word
