"""The accelerator's registers and windows through the link, with a stand-in for the datapath and with the real one."""

import random

import cocotb
from amaranth import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, Timer

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import READ_WORDS, Frame, Kind, decode, encode
from zipsgd.protocol.registers import (
    COEFFICIENT_WINDOW,
    DOUBT_WINDOW,
    LEVEL_WINDOW,
    MODEL_WINDOW,
    REGISTERS,
    identification,
    parse_identification,
    registers_of,
)
from zipsgd_hw.top import Accelerator, UartAccelerator
from zipsgd_hw.windows import LateWrite, WindowData, WindowRead, WindowWrite
from zipsgd_sim.cocotb_runner import run_cocotb
from zipsgd_sim.link_host import LinkHost, read_payload, words_payload
from zipsgd_sim.stream_bench import StreamBench

BUILD = Build(
    lanes=4, update_lanes=4, max_features=64, rx_bytes=1024, clock_hz=24_000_000, uart_baud=3_000_000
)
WINDOW_WORDS = 64
RESULTS = [
    register
    for name, register in registers_of(BUILD).items()
    if register.access == "r"
    and name not in identification(BUILD)
    and name not in ("frames_bad", "frames_skipped")
]


class StandIn(wiring.Component):
    """Ports of the datapath: a window of 64 words, slow; results are seen as sums of what was written and read.

    flags: the seeds' sum; loss_low, loss_high: number and last value of writes to ``control``; samples_done: bytes still
    awaited, during which it is busy; cycles_low: sum of bytes; cycles_high: number of resets; plane_cycles_low:
    concatenation of the small settings; plane_cycles_high: exclusive or of the level window's words and places and
    the coefficient window's words times 16; other results:
    constants.
    """

    def __init__(self):
        members = {
            "bytes": In(stream.Signature(8)),
            "bytes_reset": In(1),
            "window_write": In(WindowWrite),
            "window_read": In(WindowRead),
            "window_data": Out(WindowData),
            "level_write": In(LateWrite),
            "coefficient_write": In(LateWrite),
            "doubt_offset": In(16),
            "doubt_word": Out(32),
        }
        for name, register in registers_of(BUILD).items():
            if register in RESULTS:
                members[name] = Out(register.width)
            elif register.access == "rw" and name != "session":
                members[name] = In(register.width)
            elif register.access == "w":
                members[name] = In(stream.Signature(register.width, always_ready=True))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=32, depth=WINDOW_WORDS, init=[])
        write, read = memory.write_port(), memory.read_port()
        beat = Signal(2)
        levels = Signal(32, init=0x1234_5678)
        m.d.sync += beat.eq(beat + 1)
        reading = Signal()
        m.d.comb += [
            self.window_write.ready.eq(beat == 3),
            write.en.eq(self.window_write.valid & self.window_write.ready),
            write.addr.eq(self.window_write.payload.offset),
            write.data.eq(self.window_write.payload.data),
            self.window_read.ready.eq((beat == 1) & ~reading),
            read.addr.eq(self.window_read.payload),
            read.en.eq(self.window_read.ready),
            self.window_data.payload.eq(read.data),
            self.window_data.valid.eq(reading & (beat == 0)),
        ]
        with m.If(self.window_read.ready & self.window_read.valid):
            m.d.sync += reading.eq(1)
        with m.If(self.window_data.valid & self.window_data.ready):
            m.d.sync += reading.eq(0)

        with m.If(self.seed.valid):
            m.d.sync += self.flags.eq(self.flags + self.seed.payload)
        with m.If(self.control.valid):
            m.d.sync += [self.loss_low.eq(self.loss_low + 1), self.loss_high.eq(self.control.payload)]
        m.d.comb += [
            self.bytes.ready.eq((self.samples_done != 0) & beat[0]),
            self.status.eq(self.samples_done != 0),
            self.plane_cycles_low.eq(self.features ^ (self.batch << 17)),
            self.plane_cycles_high.eq(levels),
            self.starved_cycles_low.eq(0x9ABC_DEF0),
            self.starved_cycles_high.eq(0xFFFF_FFFF),
        ]
        with m.If(self.level_write.valid):
            m.d.sync += levels.eq(levels ^ self.level_write.payload.data ^ self.level_write.payload.offset)
        m.d.sync += self.doubt_word.eq(~self.doubt_offset)
        with m.If(self.coefficient_write.valid):
            m.d.sync += levels.eq(levels ^ Cat(C(0, 4), self.coefficient_write.payload.data))
        with m.If(self.samples.valid):
            m.d.sync += self.samples_done.eq(self.samples.payload)
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [
                self.samples_done.eq(self.samples_done - 1),
                self.cycles_low.eq(self.cycles_low + self.bytes.payload),
            ]
        with m.If(self.bytes_reset):
            m.d.sync += [self.cycles_high.eq(self.cycles_high + 1), self.samples_done.eq(0)]
        return m


async def new_host(dut):
    """A host whose streams both pause at random; the stand-in's window and samples do so by themselves."""
    host = LinkHost(StreamBench(dut), BUILD.rx_bytes)
    host.rx.stall = host.tx.stall = 0.3
    await host.bench.reset()
    await host.sync()
    return host


async def identify(host):
    names = list(identification(BUILD))
    words = await host.read(REGISTERS["magic"].address, len(names))
    assert parse_identification(dict(zip(names, words))) == BUILD


@cocotb.test()
async def registers(dut):
    """Every register of the table, by its access; addresses of none."""
    host = await new_host(dut)
    await identify(host)
    expected = dict.fromkeys(range(64), 0)
    expected |= {REGISTERS[name].address: value for name, value in identification(BUILD).items()}
    expected |= {
        REGISTERS["plane_cycles_high"].address: 0x1234_5678,
        REGISTERS["starved_cycles_low"].address: 0x9ABC_DEF0,
        REGISTERS["starved_cycles_high"].address: 0xFFFF_FFFF,
        REGISTERS["cycles_high"].address: 1,
    }
    for _ in range(3):
        for register in registers_of(BUILD).values():
            # Into every one, also those that take none.
            word = random.getrandbits(32)
            if register.name == "samples":
                continue
            await host.write(register.address, [word])
            match register.name:
                case "seed":
                    flags = REGISTERS["flags"].address
                    expected[flags] = (expected[flags] + word) % 32
                case "control":
                    expected[REGISTERS["loss_low"].address] += 1
                    expected[REGISTERS["loss_high"].address] = word & 7
                case _ if register.access == "rw":
                    expected[register.address] = word & ((1 << register.width) - 1)
        for stray in (
            REGISTERS["loss"].address,
            len(REGISTERS),
            63,
            64,
            64 + REGISTERS["batch"].address,
            0xFFFF,
        ):
            await host.write(stray, [random.getrandbits(32)])
        features, batch = (expected[REGISTERS[name].address] for name in ("features", "batch"))
        expected[REGISTERS["plane_cycles_low"].address] = features ^ batch << 17
        got = await host.read(0, READ_WORDS) + await host.read(READ_WORDS, 64 - READ_WORDS)
        assert dict(enumerate(got)) == expected
    assert await host.read(64, 4) == [0] * 4
    # What the link counts
    host.put(Kind.SAMPLES, b"", host.sequence + 1 & 0xFF)
    host.rx.queue.extend(b"\x02\x05\x00" * 2)
    assert await host.read(REGISTERS["frames_bad"].address, 2) == [2, 1]


@cocotb.test()
async def window_and_samples(dut):
    """The model window against a slow memory; an epoch's bytes, its fence, and one that SYNC ends."""
    host = await new_host(dut)
    words = [random.getrandbits(32) for _ in range(WINDOW_WORDS)]
    await host.write(MODEL_WINDOW, words)
    assert await host.read(MODEL_WINDOW + 8, READ_WORDS) == words[8 : 8 + READ_WORDS]
    await host.write(LEVEL_WINDOW + 0x8001, [0x1111_0000, 0x0022_0000])
    assert await host.read(REGISTERS["plane_cycles_high"].address) == [0x1234_5678 ^ 0x1133_0000 ^ 1 ^ 2]
    await host.write(COEFFICIENT_WINDOW + 3, [0x0000_0F00])
    assert await host.read(REGISTERS["plane_cycles_high"].address) == [
        0x1234_5678 ^ 0x1133_0000 ^ 1 ^ 2 ^ 0xF000
    ]
    assert await host.read(LEVEL_WINDOW) == [0]
    assert await host.read(COEFFICIENT_WINDOW) == [0]
    assert await host.read(DOUBT_WINDOW + 7, 2) == [0xFFF8, 0xFFF7]
    payload = random.randbytes(700)
    await host.write(REGISTERS["samples"].address, [len(payload)])
    await host.send(Kind.SAMPLES, payload[:400])
    await host.send(Kind.SAMPLES, payload[400:])
    assert await host.read(REGISTERS["cycles_low"].address, fence=True) == [sum(payload)]
    for _ in range(3):
        await host.write(REGISTERS["session"].address, [session := random.getrandbits(32)])
        await host.write(REGISTERS["samples"].address, [1000])
        await host.send(Kind.SAMPLES, random.randbytes(20))
        await host.send(Kind.FENCE, read_payload(0, 1))
        await host.send(Kind.WRITE, words_payload(MODEL_WINDOW, [1]))
        await host.bench.cycle(500)
        assert dut.datapath.status.value
        await host.sync()
        await identify(host)
        assert await host.read(REGISTERS["status"].address) == [0]
        assert await host.read(REGISTERS["session"].address) == [session]
    assert await host.read(REGISTERS["cycles_high"].address) == [4]
    assert await host.read(MODEL_WINDOW) == [words[0]]


@cocotb.test()
async def identifies(dut):
    """The real datapath answers, and its model window keeps what is written."""
    host = await new_host(dut)
    await identify(host)
    assert await host.read(REGISTERS["status"].address, fence=True) == [0]
    words = [random.randrange(-(1 << BUILD.model_bits - 1), 1 << BUILD.model_bits - 1) for _ in range(16)]
    await host.write(MODEL_WINDOW, [word & 0xFFFF_FFFF for word in words])
    got = await host.read(MODEL_WINDOW, 16)
    assert got == [word & 0xFFFF_FFFF for word in words]


@cocotb.test()
async def over_uart(dut):
    """Identification at 3 Mbaud from 24 MHz, on the pins."""
    bit_ns, period_ns = 8 * 10, 10
    Clock(dut.clk, period_ns, unit="ns").start()
    dut.rx.value = 1
    dut.rst.value = 1
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    line = bytearray()

    async def monitor():
        while True:
            await FallingEdge(dut.tx)
            await Timer(bit_ns // 2, unit="ns")
            byte = 0
            for i in range(8):
                await Timer(bit_ns, unit="ns")
                byte |= int(dut.tx.value) << i
            await Timer(bit_ns, unit="ns")
            assert dut.tx.value
            line.append(byte)

    cocotb.start_soon(monitor())
    count = len(identification(BUILD))
    frames = (Frame(Kind.SYNC, 41), Frame(Kind.READ, 42, read_payload(0, count)))
    for byte in b"\0\0" + b"".join(encode(frame) for frame in frames):
        for bit in (0, *((byte >> i) & 1 for i in range(8)), 1):
            dut.rx.value = bit
            await Timer(bit_ns, unit="ns")
    await Timer(150 * 10 * bit_ns, unit="ns")
    answers = [decode(bytes(part)) for part in bytes(line).split(b"\0") if part]
    assert [frame.sequence for frame in answers if frame.kind == Kind.ACK][-1] == 43
    (answer,) = (frame for frame in answers if frame.kind == Kind.DATA)
    words = [int.from_bytes(answer.payload[i : i + 4], "little") for i in range(0, 4 * count, 4)]
    assert words == list(identification(BUILD).values())


def test_accelerator(tmp_path):
    cases = ["registers", "window_and_samples"]
    assert run_cocotb(Accelerator(BUILD, StandIn()), __file__, tmp_path, testcase=cases) == 2


def test_with_datapath(tmp_path):
    run_cocotb(Accelerator(BUILD), __file__, tmp_path, testcase="identifies")


def test_uart_accelerator(tmp_path):
    run_cocotb(UartAccelerator(BUILD, StandIn()), __file__, tmp_path, testcase="over_uart")
