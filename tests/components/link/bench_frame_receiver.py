"""cocotb: the frame receiver, in each cycle, against the host's codec and a ring buffer in Python."""

import random
import struct
from collections import deque
from functools import partial

import cocotb
from cobs import cobs
from component_bench import Case, ComponentBench

from zipsgd.driver.coding import decode, encode
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import CREDIT_OVERHEAD, MAX_PAYLOAD, Frame, FrameError, Kind
from zipsgd_hw.link.frame_receiver import FrameReceiver
from zipsgd_sim.stream_bench import StreamBench


def receiver(size):
    return FrameReceiver(Build(rx_bytes=size))


BENCH = ComponentBench(
    (FrameReceiver,),
    "zipsgd.driver.coding.decode",
    tuple(Case(f"ring-{size}", partial(receiver, size), {"rx_bytes": size}) for size in (1024, 2048)),
)

_CRC_BYTES = 4


_COUNTS = ("state__expected", "state__last", "state__freed", "frames_bad", "frames_skipped")
"""Looked at around a frame's end and every few cycles: what goes wrong with them stays wrong."""


class Model:
    """What the receiver shows, cycle by cycle."""

    def __init__(self, size):
        self.size = size
        self.shows = {
            "stored__valid": 0,
            "stored__payload": 0,
            "sync": 0,
            "answer": 0,
            "state__expected": 0,
            "state__last": 0,
            "state__freed": 0,
            "frames_bad": 0,
            "frames_skipped": 0,
        }
        self.taken = self.freed = 0
        self._ring = deque()
        self._coded = bytearray()
        self._left, self._zero = 0, False
        self._byte, self._end = False, False  # what has left the decoder
        self._place = CREDIT_OVERHEAD - 2
        self.missing = 0
        self._fate = None

    @property
    def expected(self):
        return self.shows["state__expected"]

    @property
    def room(self):
        return self.size - (self.taken - self.freed)

    @property
    def empty(self):
        return not self._ring and not self.shows["stored__valid"]

    def step(self, coded, ready):
        """To the next cycle, from one with the byte ``coded``, or None, on the line."""
        fate, self._fate = self._fate, None
        if self._byte:
            if self.missing or self.taken + self._place - self.freed >= self.size:
                self.missing += 1
            self._place += 1
        if self._end:
            self._fate = self._verdict()
            self._coded.clear()
            self._place, self.missing = CREDIT_OVERHEAD - 2, 0
        self._decode(coded)
        self._read(ready)
        self._tell(*(fate or ("", None)))
        self.shows |= {
            "sync": int((self._fate or "?")[0] == "sync"),
            "answer": int(self._fate is not None),
            "state__freed": self.freed % 65536,
        }

    def _decode(self, coded):
        self._byte = self._end = False
        if coded is None:
            return
        if coded == 0:
            self._end = bool(self._coded)
            self._left, self._zero = 0, False
            return
        self._coded.append(coded)
        if self._left:
            self._byte = True
            self._left -= 1
        else:
            self._byte = self._zero
            self._zero, self._left = coded != 0xFF, coded - 1

    def _verdict(self):
        try:
            frame = decode(bytes(self._coded))
        except FrameError:
            return "bad", None
        if len(frame.payload) > MAX_PAYLOAD:
            return "bad", None
        if frame.kind == Kind.SYNC:
            return "sync", frame
        if frame.sequence != self.expected:
            return "skip", frame
        # Where no more than the CRC found no room, the frame has it.
        return ("bad", None) if self.missing > _CRC_BYTES else ("take", frame)

    def _read(self, ready):
        if ready or not self.shows["stored__valid"]:
            self.shows["stored__valid"] = int(bool(self._ring))
            if self._ring:
                self.shows["stored__payload"] = self._ring.popleft()
                self.freed += 1

    def _tell(self, fate, frame):
        shows = self.shows
        shows["frames_bad"] += fate == "bad"
        shows["frames_skipped"] += fate == "skip"
        if frame is not None:
            shows["state__last"] = frame.sequence
        if fate == "take":
            self._ring.extend(
                struct.pack("<HBB", len(frame.payload), frame.kind, frame.sequence) + frame.payload
            )
            self.taken += CREDIT_OVERHEAD + len(frame.payload)
            shows["state__expected"] = (frame.sequence + 1) % 256
        if fate == "sync":
            shows["state__expected"] = (frame.sequence + 1) % 256
            shows["stored__valid"] = 0
            self._ring.clear()
            self.taken = self.freed = 0


class Bench:
    """Receiver and model side by side. ``pause``: the chance of no byte; ``take``: of a byte being read."""

    def __init__(self, dut):
        self.dut = dut
        self.model = Model(int(cocotb.plusargs["rx_bytes"]))
        self.bench = StreamBench(dut)
        self.pause, self.take = 0.0, 1.0
        self._look = 0

    async def start(self):
        """Forgets an earlier test's work."""
        self.bench.pins |= {"coded__valid": 0, "rst": 1}
        await self.bench.cycle()

    async def cycle(self, coded=None, reset=False):
        ready = random.random() < self.take
        self.bench.pins |= {
            "coded__valid": int(coded is not None),
            "coded__payload": random.randrange(256) if coded is None else coded,
            "stored__ready": int(ready),
            "rst": int(reset),
        }
        await self.bench.cycle()
        shows = self.model.shows
        names = ["stored__valid", "sync", "answer"]
        if shows["stored__valid"]:
            names.append("stored__payload")
        if shows["answer"]:
            self._look = self.bench.cycles + 2
        if self.bench.cycles <= self._look or self.bench.cycles % 8 == 0:
            names += _COUNTS
        for name in names:
            assert int(getattr(self.dut, name).value) == shows[name], f"{name}, cycle {self.bench.cycles}"
        self.model.step(coded, ready)
        if reset:
            self.model = Model(self.model.size)

    async def put(self, line):
        for byte in line:
            while random.random() < self.pause:
                await self.cycle()
            await self.cycle(byte)

    async def send(self, payload, kind=Kind.SAMPLES, ahead=0):
        await self.put(encode(Frame(kind, (self.model.expected + ahead) % 256, payload)))

    async def send_late(self, missing):
        """A frame of which so many bytes find no room before the reader goes on, and then all others do."""
        self.take = 0.0
        held = False
        for byte in encode(Frame(Kind.SAMPLES, self.model.expected, random.randbytes(self.model.room + 15))):
            await self.cycle(byte)
            if self.model.missing == missing and not held:
                held = True
                self.take = 1.0
                await self.rest(60)
                self.take = 0.0

    async def rest(self, cycles=4):
        for _ in range(cycles):
            await self.cycle()

    async def drain(self, chance=1.0):
        self.take = chance
        while not self.model.empty:
            await self.cycle()
        await self.rest()


_LINES = (
    *["good"] * 8,
    *("skip", "flip", "flip", "cut", "runt", "noise", "empty", "said longer", "longer", "sync"),
)


def corrupted(frame):
    """A frame with one bit, or one byte, another one; still without zeros within."""
    at = random.randrange(len(frame) - 1)
    byte = frame[at] ^ 1 << random.randrange(8) or 1
    return frame[:at] + bytes([byte]) + frame[at + 1 :]


def with_more(frame, code=0, tail=b""):
    """A frame whose last block is said to be longer than it is, or that goes on behind its CRC."""
    at = 0
    while at + frame[at] < len(frame) - 1:
        at += frame[at]
    return frame[:at] + bytes([min(frame[at] + code, 0xFE)]) + frame[at + 1 : -1] + tail + b"\0"


def random_line(expected):
    """Mostly the frame whose turn it is; now and then any fault. With its zero."""
    size = random.choice([0, 1, 2, 3, 4, 5, 8, 30, 60, 250, random.randrange(MAX_PAYLOAD)])
    body = random.choice([random.randbytes(size), bytes(size), b"\xff" * size])
    kind = random.choice([Kind.WRITE, Kind.READ, Kind.FENCE, Kind.SAMPLES, 0x00, 0x41, 0x81])
    match random.choice(_LINES):
        case "skip":
            return encode(Frame(kind, (expected + random.choice([1, 2, 128, 255])) % 256, body))
        case "flip":
            return corrupted(encode(Frame(kind, expected, body)))
        case "cut":
            frame = encode(Frame(kind, expected, body))
            return frame[: random.randrange(len(frame))] + b"\0"
        case "runt":
            return cobs.encode(random.randbytes(random.randrange(6))) + b"\0"
        case "noise":
            return bytes(random.randrange(1, 256) for _ in range(random.randrange(1, 60))) + b"\0"
        case "empty":
            return b"\0"
        case "said longer":
            return with_more(encode(Frame(kind, expected, body[:40])), code=random.randrange(1, 4))
        case "longer":
            return with_more(encode(Frame(Kind.SYNC, expected)), tail=random.choice([b"\1", b"\2\3"]))
        case "sync":
            return encode(Frame(Kind.SYNC, random.randrange(256), body[:5]))
    return encode(Frame(kind, expected, body))


@cocotb.test(timeout_time=200, timeout_unit="us")
async def any_line(dut):
    """Good frames, bad ones and SYNCs, for slow and fast lines and readers; resets in mid-frame."""
    both = Bench(dut)
    await both.start()
    for both.pause, both.take, lines in ((0.0, 1.0, 40), (0.0, 0.5, 20), (0.3, 1.0, 15), (0.2, 0.1, 15)):
        for _ in range(lines if both.model.size == 1024 else lines // 5):
            line = random_line(both.model.expected)
            if random.random() < 0.05:
                await both.put(line[:-1])
                await both.cycle(reset=True)
            else:
                await both.put(line)
            if random.random() < 0.3:
                await both.rest(random.randrange(8))
    await both.drain()
    # Too long by a byte, by as many as a frame's length may count to, and by more; and the longest
    for size in (MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD - 2, 2 * MAX_PAYLOAD + 3, MAX_PAYLOAD):
        await both.send(random.randbytes(size))
    await both.drain()
    assert both.model.shows["frames_bad"]


@cocotb.test(timeout_time=200, timeout_unit="us")
async def to_the_brim(dut):
    """A frame that fills the ring is taken and one of a byte more is not; nothing that is dropped harms what is stored."""
    both = Bench(dut)
    await both.start()
    model = both.model
    for number in range(5 if model.size == 1024 else 2):
        both.take = 0.0
        while model.room > 250:
            await both.send(random.randbytes(min(MAX_PAYLOAD, model.room - 64 - random.randrange(100))))
            await both.rest()
        # A few bytes are left, for which a frame is by one or more too long, and then just right, or short by up to three.
        left = random.choice([8, 9, 40])
        await both.send(random.randbytes(model.room - left - CREDIT_OVERHEAD))
        await both.rest()
        assert model.room == left
        for more in (5, 4, 3, 2, 1, -(number % 4)):
            await both.send(random.randbytes(left - CREDIT_OVERHEAD + more))
            await both.send(b"", ahead=random.choice([-1, 1, 77]))
        await both.rest()
        assert model.room < CREDIT_OVERHEAD
        for size in (0, 1, 5, MAX_PAYLOAD):
            await both.send(random.randbytes(size))
            await both.send(random.randbytes(size), ahead=-1)
        for size in range(6):
            await both.put(cobs.encode(random.randbytes(size)) + b"\0")
        await both.put(bytes(random.randrange(1, 256) for _ in range(600)) + b"\0")
        if number % 2:
            # As the reader goes on, room comes while a frame comes that wants it.
            for both.take in (0.02, 0.1, 0.3):
                for _ in range(3):
                    await both.send(random.randbytes(30))
            for missing in (1, 2, 4, 5):
                await both.send_late(missing)
                await both.rest()
            # Also one whose turn it would be, had it one
            await both.send(b"", Kind.SYNC, ahead=number // 2)
            await both.rest()
        else:
            await both.drain(0.7)
        assert model.empty
    both.take = 1.0
    await both.send(random.randbytes(20))
    await both.drain()


@cocotb.test(timeout_time=200, timeout_unit="us")
async def full_rate(dut):
    """A byte in every cycle, in and out, often around the ring and beyond half of what ``freed`` counts."""
    if int(cocotb.plusargs["rx_bytes"]) > 1024:
        return
    bench = StreamBench(dut)
    coded = bench.source("coded")
    stored = bench.sink("stored")
    await bench.reset()
    frames = [Frame(Kind.SAMPLES, number, random.randbytes(MAX_PAYLOAD)) for number in range(64)]
    for frame in frames:
        coded.queue.extend(encode(frame))
    await bench.cycle(len(coded.queue))
    # Fate, ring and output register; the last frame's bytes follow.
    await bench.cycle(4 + CREDIT_OVERHEAD + MAX_PAYLOAD)
    bytes_stored = b"".join(
        struct.pack("<HBB", MAX_PAYLOAD, Kind.SAMPLES, frame.sequence) + frame.payload for frame in frames
    )
    assert bytes(stored.got) == bytes_stored
    assert int(dut.state__freed.value) == len(bytes_stored)
    assert not dut.frames_bad.value
