"""cocotb: the whole link against a host that keeps the protocol, and against one that does not."""

import random
import struct

import cocotb
from component_bench import Case, ComponentBench

from zipsgd.driver.coding import encode
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS, Frame, Kind
from zipsgd.protocol.registers import WINDOWS
from zipsgd_hw.link.link import Link
from zipsgd_hw.link.word_bus import ADDRESS_BITS
from zipsgd_sim.link_host import LinkHost, read_payload, words_payload
from zipsgd_sim.stream_bench import StreamBench

BUILD = Build(rx_bytes=1024)
MODEL_WINDOW = WINDOWS["model_window"].address


def link():
    return Link(BUILD)


BENCH = ComponentBench((Link,), "zipsgd.protocol.frames", (Case("link", link),))


class Host(LinkHost):
    """A host and a device's word bus around the link."""

    def __init__(self, dut):
        super().__init__(StreamBench(dut), BUILD.rx_bytes)
        self.writes = self.bench.sink("write")
        self.reads = self.bench.sink("read", on_word=self._read)
        self.read_data = self.bench.source("read_data")
        self.samples = self.bench.sink("bytes")
        self.restless = False
        self.words = None  # that the bus still answers with, if it stops
        self.bench.pins["idle"] = 1

    def memory(self, address):
        return (address * 0x9E3779B1 + 7) & 0xFFFF_FFFF

    def _read(self, address):
        if self.words is not None:
            if not self.words:
                return
            self.words -= 1
        self.read_data.queue.append(self.memory(address))

    def has_credit(self, size):
        if self.restless:
            self.bench.pins["idle"] = random.getrandbits(1)
        return super().has_credit(size)

    async def settle(self):
        """Until all is carried out and acknowledged; a FENCE tells the former."""
        number = await self.send(Kind.FENCE, read_payload(0, 1))
        self.bench.pins["idle"] = 1
        await self.bench.until(lambda: bool(self.data) and self.data[-1].sequence == number, 200_000)
        self.data.pop()
        due = (self.sequence, self.sent % 65536)
        await self.bench.until(lambda: self.acks[-1] == due, 5000)
        assert self.last == number


@cocotb.test(timeout_time=200, timeout_unit="us")
async def commands(dut):
    """Random commands, with faults on the line, for many stalls: all come out once, in order."""
    host = Host(dut)
    host.restless = True
    await host.bench.reset()
    writes, samples, data, bad, skipped = [], b"", [], 0, 0
    for stall in (0.0, 0.3, 0.9):
        for stream in (host.rx, host.tx, host.writes, host.reads, host.read_data, host.samples):
            stream.stall = random.choice([0.0, stall])
        for _ in range(14):
            match random.choice(["write", "read", "fence", "samples", "odd", "fault"]):
                case "write":
                    address = random.choice([0, 5, 0x1234, MODEL_WINDOW, MODEL_WINDOW + 0x1F00])
                    words = [
                        random.getrandbits(32)
                        for _ in range(random.choice([1, 2, 9, 127 if not stall else 20]))
                    ]
                    await host.send(Kind.WRITE, words_payload(address, words))
                    writes += [(address + i) | word << ADDRESS_BITS for i, word in enumerate(words)]
                case ("read" | "fence") as kind:
                    address = random.choice([0, 16, MODEL_WINDOW + 64])
                    count = random.choice([1, 2, 3, READ_WORDS if not stall else 4])
                    number = await host.send(
                        Kind.READ if kind == "read" else Kind.FENCE, read_payload(address, count)
                    )
                    words = [host.memory(address + i) for i in range(count)]
                    data.append(Frame(Kind.DATA, number, struct.pack(f"<{count}I", *words)))
                case "samples":
                    payload = random.randbytes(random.choice([0, 1, 2, 100, MAX_PAYLOAD]))
                    await host.send(Kind.SAMPLES, payload)
                    samples += payload
                case "odd":
                    # What a frame should not hold does nothing.
                    await host.send(0x77, random.randbytes(random.randrange(10)))
                    await host.send(Kind.WRITE, random.randbytes(random.randrange(8)))
                    await host.send(Kind.READ, random.randbytes(random.randrange(8)))
                    await host.send(Kind.FENCE, read_payload(3, random.choice([0, READ_WORDS + 1, 1 << 31])))
                    await host.send(Kind.WRITE, words_payload(9, [5]) + random.randbytes(random.randrange(4)))
                    writes.append(9 | 5 << ADDRESS_BITS)
                    number = await host.send(Kind.READ, read_payload(4, 1) + random.randbytes(6))
                    data.append(Frame(Kind.DATA, number, struct.pack("<I", host.memory(4))))
                case "fault":
                    host.put(
                        Kind.WRITE, words_payload(1, [1]), (host.sequence + random.randrange(1, 256)) % 256
                    )
                    skipped += 1
                    broken = bytearray(
                        encode(Frame(Kind.WRITE, host.sequence, words_payload(0x01010101, [~0 & 0xFFFFFFFF])))
                    )
                    broken[4] ^= 0x02
                    host.rx.queue.extend(broken * 2)
                    bad += 2
            host.bench.pins["idle"] = random.getrandbits(1)
            await host.bench.cycle(random.randrange(30))
        await host.settle()
        assert host.writes.got == writes
        assert bytes(host.samples.got) == samples
        assert host.data == data
        assert int(dut.frames_bad.value) == bad
        assert int(dut.frames_skipped.value) == skipped


@cocotb.test(timeout_time=200, timeout_unit="us")
async def waits_for_idle(dut):
    """A FENCE and the model window wait for the datapath; registers do not."""
    host = Host(dut)
    await host.bench.reset()
    for kind, payload, waits in (
        (Kind.WRITE, words_payload(20, [1, 2]), False),
        (Kind.READ, read_payload(20, 2), False),
        (Kind.FENCE, read_payload(20, 1), True),
        (Kind.READ, read_payload(MODEL_WINDOW, 3), True),
        (Kind.WRITE, words_payload(MODEL_WINDOW + 8, [3, 4]), True),
    ):
        host.bench.pins["idle"] = 0
        before = len(host.reads.got) + len(host.writes.got)
        await host.send(kind, payload)
        await host.bench.cycle(250)
        assert (len(host.reads.got) + len(host.writes.got) == before) == waits
        # It was acknowledged all the same.
        assert host.acks[-1][0] == host.sequence
        await host.settle()
        assert len(host.reads.got) + len(host.writes.got) > before


@cocotb.test(timeout_time=200, timeout_unit="us")
async def throughput(dut):
    """Samples at the rate of the line, 97% of it payload or more, and while nothing goes out."""
    host = Host(dut)
    host.tx.stall = 1.0
    await host.bench.reset()
    frames = 8
    payloads = [random.randbytes(MAX_PAYLOAD) for _ in range(frames)]
    for number, payload in enumerate(payloads):
        host.put(Kind.SAMPLES, payload, number)
    line = len(host.rx.queue)
    total = frames * MAX_PAYLOAD
    cycles = await host.bench.until(lambda: len(host.samples.got) == total, line + 3 * MAX_PAYLOAD)
    assert bytes(host.samples.got) == b"".join(payloads)
    assert int(dut.frames_bad.value) == int(dut.frames_skipped.value) == 0
    # The last frame has to be complete before its first byte comes out.
    assert total / (cycles - MAX_PAYLOAD) >= 0.97


@cocotb.test(timeout_time=200, timeout_unit="us")
async def write_rate(dut):
    """Words are written at the rate of the line: four bytes each."""
    host = Host(dut)
    await host.bench.reset()
    for number in range(4):
        host.put(Kind.WRITE, words_payload(0, range(127)), number)
    line = len(host.rx.queue)
    cycles = await host.bench.until(lambda: len(host.writes.got) == 4 * 127, line + 3 * MAX_PAYLOAD)
    assert cycles <= line + MAX_PAYLOAD + 20


@cocotb.test(timeout_time=200, timeout_unit="us")
async def sync_frees_everything(dut):
    """Whatever the device waits for, SYNC ends it, and the next command is carried out as ever."""
    host = Host(dut)
    await host.bench.reset()
    resets = []

    cases = {
        "fence": (Kind.FENCE, read_payload(0, 1), None),
        "samples": (Kind.SAMPLES, bytes(200), host.samples),
        "window write": (Kind.WRITE, words_payload(MODEL_WINDOW, [1, 2, 3]), host.writes),
        "read request": (Kind.READ, read_payload(MODEL_WINDOW, 5), host.reads),
        "read data": (Kind.READ, read_payload(0, 5), host.read_data),
        "next word": (Kind.READ, read_payload(0, 5), None),
        "way to the host": (Kind.READ, read_payload(0, 3), host.tx),
        "nothing": (Kind.READ, read_payload(0, 1), None),
    }
    for name, (kind, payload, stream) in cases.items():
        number = random.choice([7, 255, random.randrange(256)])
        host.bench.pins["idle"] = int(name != "fence")
        host.words = 2 if name == "next word" else None
        if stream is not None:
            stream.stall = 1.0
        for _ in range(3):
            host.put(kind, payload)
            host.sequence = (host.sequence + 1) % 256
        host.put(Kind.SAMPLES, b"\xee" * 40)
        await host.bench.until(lambda: not host.rx.queue, 5000)
        await host.bench.cycle(300 if name != "nothing" else 800)
        host.rx.queue.extend(b"\0" + encode(Frame(Kind.SYNC, number)))
        while host.rx.queue:
            await host.bench.cycle()
            resets.append(int(dut.bytes_reset.value))
        for _ in range(5):
            await host.bench.cycle()
            resets.append(int(dut.bytes_reset.value))
        host.read_data.queue.clear()
        assert not dut.bytes__valid.value
        assert not dut.write__valid.value
        assert not dut.read__valid.value
        host.words = None
        # The next one to the host: its old frame may still be under way.
        host.samples.got.clear()
        host.bench.pins["idle"] = 1
        if stream is not None:
            stream.stall = 0.0
        await host.bench.cycle(1000)
        assert sum(resets) == 1
        resets.clear()
        host.sequence, host.sent = (number + 1) % 256, 0
        assert host.acks[-1] == (host.sequence, 0)
        assert host.samples.got == []
        host.writes.got.clear()
        host.data.clear()
        answered = await host.send(Kind.READ, read_payload(40, 2))
        await host.send(Kind.WRITE, words_payload(3, [9]))
        await host.send(Kind.SAMPLES, b"abc")
        await host.settle()
        words = struct.pack("<2I", host.memory(40), host.memory(41))
        assert host.data == [Frame(Kind.DATA, answered, words)]
        assert host.writes.got == [3 | 9 << ADDRESS_BITS]
        assert bytes(host.samples.got) == b"abc"
        host.samples.got.clear()
