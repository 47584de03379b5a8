"""cocotb: the serial port on USB against a host at UTMI, in several ratios of the clocks."""

import random

import cocotb
from amaranth import ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out, connect, flipped
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly
from component_bench import Case, ComponentBench

from zipsgd_hw.link.physical import Usb
from zipsgd_hw.link.usb import UsbPipe, Utmi, connect_utmi
from zipsgd_sim.stream_bench import StreamBench

OUT, IN, SETUP, PING = 0xE1, 0x69, 0x2D, 0xB4
DATA = (0xC3, 0x4B)
ACK, NAK, STALL = 0xD2, 0x5A, 0x1E
IDLE, SE0 = 0b01, 0b00
ENDPOINT = 4
CONFIGURE = bytes([0x00, 9, 1, 0, 0, 0, 0, 0])
PAUSE = 16
"""Cycles of the bus without a byte after which a packet ends."""


class Port(wiring.Component):
    """The pipe, with the clock of its bus as a port."""

    def __init__(self, speed: str):
        self._usb = Usb(speed)
        super().__init__(
            {
                "usb_clock": In(1),
                "utmi": Out(Utmi),
                "rx": Out(stream.Signature(8, always_ready=True)),
                "tx": In(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.usb = ClockDomain()
        m.submodules += ResetSynchronizer(ResetSignal("sync"), domain="usb")
        m.d.comb += ClockSignal("usb").eq(self.usb_clock)
        m.submodules.pipe = pipe = UsbPipe(self._usb, connect_utmi(m, self.utmi))
        connect(m, pipe.rx, flipped(self.rx))
        connect(m, flipped(self.tx), pipe.tx)
        return m


BENCH = ComponentBench(
    (UsbPipe,),
    "the same bytes, in packets",
    tuple(
        Case(f"{speed}_{period}", lambda speed=speed: Port(speed), {"speed": speed, "period": period})
        for speed, period in (("full", 2000), ("full", 7000), ("high", 1334), ("high", 2002))
    ),
)


class UsbHost:
    """A host without regard to the bus's pace: a byte in every cycle."""

    def __init__(self, dut):
        self.dut = dut
        self.bench = StreamBench(dut)
        self.rx, self.tx = self.bench.sink("rx"), self.bench.source("tx", junk=True)
        self.size = Usb(cocotb.plusargs["speed"]).packet_bytes
        self.address = 0
        self.to_device = self.to_host = 0
        for name in ("rx_data", "rx_valid", "rx_active", "tx_ready", "session_end"):
            getattr(dut, f"utmi__{name}").value = 0
        self.dut.utmi__line_state.value = IDLE
        Clock(dut.usb_clock, int(cocotb.plusargs["period"]), unit="ps").start()

    async def begin(self):
        await self.bench.reset()
        cocotb.start_soon(self._streams())
        await ClockCycles(self.dut.usb_clock, 30)

    async def _streams(self):
        while True:
            await self.bench.cycle()

    async def cycle(self, **inputs):
        await FallingEdge(self.dut.usb_clock)
        for name in ("rx_data", "rx_valid", "rx_active", "tx_ready"):
            getattr(self.dut, f"utmi__{name}").value = inputs.get(name, 0)
        await ReadOnly()
        return bool(self.dut.utmi__tx_valid.value), int(self.dut.utmi__tx_data.value)

    async def idle(self, cycles):
        for _ in range(cycles):
            valid, _ = await self.cycle()
            assert not valid, "the device speaks without being asked"

    async def send(self, packet):
        await self.idle(4)
        await self.cycle(rx_active=1)
        for byte in packet:
            await self.cycle(rx_active=1, rx_valid=1, rx_data=byte)
        await self.cycle(rx_active=1)
        await self.cycle()

    async def receive(self):
        for _ in range(100):
            if (await self.cycle())[0]:
                break
        else:
            return b""
        packet = []
        while (said := await self.cycle(tx_ready=1))[0]:
            packet.append(said[1])
        return bytes(packet)

    async def token(self, pid, endpoint):
        bits = self.address | endpoint << 7
        crc = catalog.CRC5_USB(data_width=11).compute([bits])
        await self.send([pid, bits & 0xFF, bits >> 8 | crc << 3])

    async def give(self, data, endpoint=ENDPOINT, pid=OUT, parity=None):
        """Send a packet; returns the device's answer."""
        toggle = self.to_device if parity is None else parity
        await self.token(pid, endpoint)
        crc = catalog.CRC16_USB().compute(data)
        await self.send([DATA[toggle], *data, crc & 0xFF, crc >> 8])
        answer = await self.receive()
        if answer == bytes([ACK]) and parity is None:
            self.to_device ^= 1
        return int.from_bytes(answer, "little")

    async def take(self, endpoint=ENDPOINT, parity=None, acknowledge=True):
        """Ask for a packet; None for a NAK."""
        await self.token(IN, endpoint)
        answer = await self.receive()
        if answer == bytes([NAK]):
            return None
        assert answer[0] == DATA[self.to_host if parity is None else parity]
        data, crc = answer[1:-2], catalog.CRC16_USB().compute(answer[1:-2])
        assert answer[-2:] == crc.to_bytes(2, "little")
        if acknowledge:
            await self.send([ACK])
            if parity is None:
                self.to_host ^= 1
        return data

    async def configure(self):
        assert await self.give(CONFIGURE, 0, SETUP, parity=0) == ACK
        assert await self.take(0, parity=1) == b""
        self.to_device = self.to_host = 0

    async def bus_reset(self):
        """By the line at full speed; by the cable at high speed, where a device would chirp for 2 ms."""
        high = cocotb.plusargs["speed"] == "high"
        pin, active, rest = ("session_end", 1, 0) if high else ("line_state", SE0, IDLE)
        for value, cycles in ((active, 310), (rest, 20)):
            await FallingEdge(self.dut.usb_clock)
            getattr(self.dut, f"utmi__{pin}").value = value
            await self.idle(cycles)


async def host_of(dut):
    host = UsbHost(dut)
    await host.begin()
    return host


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def bytes_both_ways(dut):
    """Packets of any size, with lost handshakes and stalls: all bytes come out once, in order."""
    host = await host_of(dut)
    await host.configure()
    there, back, got = bytearray(), bytearray(), bytearray()
    for _ in range(25):
        host.tx.stall = random.choice([0.0, 0.5])
        if random.random() < 0.5:
            more = random.randbytes(random.randint(1, 2 * host.size))
            host.tx.queue.extend(more)
            back += more
        data = random.randbytes(random.choice([0, 1, random.randint(1, host.size), host.size]))
        lost = random.random() < 0.3
        while (answer := await host.give(data)) != ACK:
            assert answer == NAK
        if lost:  # the host has not heard the handshake: the device takes the same packet, and forgets it
            host.to_device ^= 1
            assert await host.give(data) == ACK
        there += data
        if random.random() < 0.3:
            await host.take(acknowledge=False)  # and comes again
        while (more := await host.take()) is not None:
            got += more
    while len(got) < len(back):
        got += await host.take() or b""
    await host.idle(100)
    assert bytes(host.rx.got) == there
    assert got == back


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_pause_ends_a_packet(dut):
    """What comes without a pause is a packet, and a full one is followed by an empty one."""
    host = await host_of(dut)
    await host.configure()
    for size in (1, 10, host.size, host.size - 1, 2 * host.size, host.size + 1):
        data = random.randbytes(size)
        host.tx.queue.extend(data)
        await host.idle(2 * size + 4 * PAUSE)
        packets = []
        while (more := await host.take()) is not None:
            packets.append(more)
            await host.idle(4 * PAUSE)
        full, rest = divmod(size, host.size)
        assert [len(packet) for packet in packets] == [host.size] * full + [rest]
        assert b"".join(packets) == data


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nobody_listens_before_the_configuration(dut):
    """Bytes to the host are dropped, and do not stand in the way of later ones."""
    host = await host_of(dut)
    host.tx.queue.extend(random.randbytes(300))
    await host.idle(2500)
    assert not host.tx.queue
    await host.configure()
    await host.idle(4 * PAUSE)
    assert await host.take() is None
    host.tx.queue.extend(b"after")
    await host.idle(4 * PAUSE)
    assert await host.take() == b"after"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def a_bus_reset_begins_anew(dut):
    """Parities, packets on their way and the address are forgotten; the stream of the link goes on."""
    host = await host_of(dut)
    for again in ("reset", "configuration"):
        await host.configure()
        host.tx.queue.extend(b"old")
        assert await host.give(b"first") == ACK
        await host.idle(4 * PAUSE)
        assert await host.take(acknowledge=False) == b"old"
        if again == "reset":
            await host.bus_reset()
    await host.configure()
    assert await host.take() is None
    assert await host.give(b"second") == ACK
    host.tx.queue.extend(b"new")
    await host.idle(4 * PAUSE)
    assert await host.take() == b"new"
    await host.idle(50)
    assert bytes(host.rx.got) == b"firstfirstsecond"


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def settings_of_a_serial_line(dut):
    """Rate and handshake lines are taken, and other requests refused."""
    host = await host_of(dut)
    await host.configure()
    for request, data in ((0x20, bytes([0x00, 0xC2, 0x01, 0x00, 0, 0, 8])), (0x22, b"")):
        setup = bytes([0x21, request, 0, 0, 0, 0, len(data), 0])
        assert await host.give(setup, 0, SETUP, parity=0) == ACK
        if data:
            assert await host.give(data, 0, parity=1) == ACK
        assert await host.take(0, parity=1) == b""
    for kind, request in ((0x21, 0x23), (0x41, 0x20)):  # a break, and a vendor's own
        assert await host.give(bytes([kind, request, 0, 0, 0, 0, 0, 0]), 0, SETUP, parity=0) == ACK
        await host.token(IN, 0)
        assert await host.receive() == bytes([STALL])
    host.tx.queue.extend(b"still there")
    await host.idle(4 * PAUSE)
    assert await host.take() == b"still there"
