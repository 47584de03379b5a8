"""cocotb: the command unit, in each cycle, against the frames that it is given, carried out in Python."""

import random
import struct
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

import cocotb
from component_bench import Case, ComponentBench

from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS, Kind
from zipsgd.protocol.registers import WINDOW_OFFSET_BITS
from zipsgd_hw.link.command_unit import CommandUnit
from zipsgd_hw.link.word_bus import ADDRESS_BITS
from zipsgd_sim.link_host import read_payload, words_payload
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench(
    (CommandUnit,), "zipsgd.protocol.frames: what each kind does", (Case("commands", CommandUnit),)
)

ABOVE = 0xFFFF_FFFF ^ (1 << ADDRESS_BITS) - 1
"""Bits of an address that mean nothing."""
WINDOWS = [1 << bit for bit in range(WINDOW_OFFSET_BITS, ADDRESS_BITS)]


@dataclass
class Inputs:
    """Of a cycle. ``stored`` and ``word`` are None while they are not valid."""

    stored: "int | None"
    word: "int | None"
    idle: int
    write_ready: int
    read_ready: int
    bytes_ready: int
    answer_ready: int


@dataclass
class Outputs:
    """Of a cycle; None for what is not valid."""

    stored_ready: int = 0
    write: "tuple[int, int] | None" = None
    read: "int | None" = None
    word_ready: int = 1
    byte: "int | None" = None
    answer: "tuple[int, int, int] | None" = None
    done: int = 0


class Model:
    """Carries out frames, a cycle a step; :attr:`now` are the inputs that the next step is to see."""

    def __init__(self):
        self.now: Inputs
        self.finished = 0
        self.reset()

    def reset(self):
        self._run = self._frames()

    def step(self, now: Inputs) -> Outputs:
        self.now = now
        return next(self._run)

    def _take(self, count) -> "Generator[Outputs, None, bytes]":
        """Bytes of the frame, one a cycle while they come."""
        taken = bytearray()
        while len(taken) < count:
            byte = self.now.stored
            yield Outputs(stored_ready=1)
            if byte is not None:
                taken.append(byte)
        return bytes(taken)

    def _frames(self) -> "Generator[Outputs, None, None]":
        while True:
            length, kind, sequence = struct.unpack("<HBB", (yield from self._take(4)))
            yield Outputs()
            match kind:
                case _ if length == 0:
                    pass
                case Kind.SAMPLES:
                    yield from self._samples(length)
                case Kind.WRITE:
                    yield from self._write(length)
                case Kind.READ | Kind.FENCE:
                    yield from self._read(length, kind, sequence)
                case _:
                    yield from self._take(length)
                    yield Outputs()
            yield Outputs(done=1)
            self.finished += 1

    def _samples(self, length):
        while length:
            now = self.now
            yield Outputs(stored_ready=now.bytes_ready, byte=now.stored)
            length -= now.stored is not None and now.bytes_ready

    def _write(self, length):
        address = yield from self._take(min(4, length))
        if length <= 4:
            return
        (address,) = struct.unpack("<I", address)
        address %= 1 << ADDRESS_BITS
        left, got, pending = length - 4, b"", None
        while True:
            now = self.now
            goes = pending is not None and (now.idle or address >> WINDOW_OFFSET_BITS == 0)
            free = pending is None or bool(goes and now.write_ready)
            ready = bool(left and free)
            yield Outputs(stored_ready=int(ready), write=(address, pending) if goes else None)
            if pending is not None and free:
                address, pending = (address + 1) % (1 << ADDRESS_BITS), None
            if ready and now.stored is not None:
                got, left = got + bytes([now.stored]), left - 1
                if len(got) == 4:
                    pending, got = struct.unpack("<I", got)[0], b""
            elif free and not left:
                return

    def _read(self, length, kind, sequence):
        asked = yield from self._take(min(8, length))
        if length < 8:
            return
        yield from self._take(length - 8)
        yield Outputs()
        address, count = struct.unpack("<II", asked)
        if count > READ_WORDS:
            return
        for left in range(count, 0, -1):
            address %= 1 << ADDRESS_BITS
            waits = address >> WINDOW_OFFSET_BITS or kind == Kind.FENCE
            while True:
                now = self.now
                asks = now.idle or not waits
                yield Outputs(read=address if asks else None)
                if asks and now.read_ready:
                    break
            while True:
                now = self.now
                answer = None if now.word is None else (sequence, now.word, int(left == 1))
                yield Outputs(answer=answer, word_ready=now.answer_ready)
                if answer is not None and now.answer_ready:
                    break
            address += 1


class Bench:
    """Unit and model side by side. Each attribute is a chance, in each cycle, that something comes or is ready."""

    def __init__(self, dut):
        self.dut = dut
        self.bench = StreamBench(dut)
        self.model = Model()
        self.line = deque()
        self.stored = self.word = self.idle = self.write = self.read = self.bytes = self.answer = 1.0
        self.resets = 0.0
        self._words = deque()
        self._offered = False
        self._held = False

    def put(self, kind, payload, sequence=None):
        sequence = random.choice([0, 255, random.randrange(256)]) if sequence is None else sequence
        self.line.extend(struct.pack("<HBB", len(payload), kind, sequence) + payload)

    async def start(self):
        """Forgets an earlier test's work."""
        self.bench.pins |= {"stored__valid": 0, "read_data__valid": 0, "rst": 1}
        await self.bench.cycle()

    async def rest(self):
        """Until all is carried out."""
        limit = self.bench.cycles + 20_000
        while self.line or self._words:
            assert self.bench.cycles < limit
            await self.cycle()
        for _ in range(12):
            await self.cycle()

    async def cycle(self):
        self._offered = bool(self.line) and (self._offered or random.random() < self.stored)
        self._held = bool(self._words) and (self._held or random.random() < self.word)
        now = Inputs(
            self.line[0] if self._offered else None,
            self._words[0] if self._held else None,
            *(
                int(random.random() < chance)
                for chance in (self.idle, self.write, self.read, self.bytes, self.answer)
            ),
        )
        reset = random.random() < self.resets
        self.bench.pins |= {
            "stored__valid": int(self._offered),
            "stored__payload": random.randrange(256) if now.stored is None else now.stored,
            "read_data__valid": int(self._held),
            "read_data__payload": random.getrandbits(32) if now.word is None else now.word,
            "idle": now.idle,
            "write__ready": now.write_ready,
            "read__ready": now.read_ready,
            "bytes__ready": now.bytes_ready,
            "answer__ready": now.answer_ready,
            "rst": int(reset),
        }
        await self.bench.cycle()
        due = self.model.step(now)
        self._check(due)
        if due.stored_ready and self._offered:
            self.line.popleft()
            self._offered = False
        if due.word_ready and self._held:
            self._words.popleft()
            self._held = False
        if due.read is not None and now.read_ready:
            self._words.append(random.choice([0, 0xFFFF_FFFF, random.getrandbits(32)]))
        if reset:
            # The rest of what is stored goes with it; a word under way still comes.
            self.model.reset()
            self.line.clear()
            self._offered = False

    def _check(self, due):
        dut = self.dut
        when = f"cycle {self.bench.cycles}: {due}"
        assert int(dut.stored__ready.value) == due.stored_ready, when
        assert int(dut.read_data__ready.value) == due.word_ready, when
        assert int(dut.done.value) == due.done, when
        for name, payload in (
            ("write", None if due.write is None else due.write[0] | due.write[1] << ADDRESS_BITS),
            ("read", due.read),
            ("bytes", due.byte),
            (
                "answer",
                None if due.answer is None else due.answer[0] | due.answer[1] << 8 | due.answer[2] << 40,
            ),
        ):
            assert int(getattr(dut, f"{name}__valid").value) == (payload is not None), when
            if payload is not None:
                assert int(getattr(dut, f"{name}__payload").value) == payload, when


def random_address():
    """A register, or a place in a window, perhaps at its very end; bits that no address has are often set."""
    address = random.choice([0, 5, 0xFFFF, 0xFFFF, random.getrandbits(16)])
    return (
        random.choice([0, 0, *WINDOWS])
        + address
        + (random.choice([0, random.getrandbits(32 - ADDRESS_BITS)]) << ADDRESS_BITS)
    )


def random_frame():
    """Kind and payload, short ones mostly, and often with something that it should not hold."""
    kind = random.choice([Kind.WRITE, Kind.READ, Kind.FENCE, Kind.SAMPLES, 0xFF])
    odd = random.randbytes(random.choice([0, 0, 0, 1, 2, 3, 5]))
    match kind:
        case Kind.WRITE:
            words = [
                random.choice([0, 0xFFFF_FFFF, random.getrandbits(32)]) for _ in range(random.randrange(4))
            ]
            payload = words_payload(random_address(), words) + odd
        case Kind.READ | Kind.FENCE:
            count = random.choice(
                [0, 1, 1, 2, 3, READ_WORDS + 1, 64, 1 << random.randrange(6, 32) | random.choice([0, 3])]
            )
            payload = read_payload(random_address(), count) + odd
        case Kind.SAMPLES:
            payload = random.randbytes(random.randrange(9))
        case _:
            kind = random.choice([0, 1, 6, 7, *(kind ^ 1 << random.randrange(3, 8) for kind in range(2, 6))])
            payload = random.randbytes(random.randrange(12))
    return kind, payload[: random.randrange(len(payload) + 1)] if random.random() < 0.2 else payload


@cocotb.test(timeout_time=200, timeout_unit="us")
async def at_full_rate(dut):
    """The longest of each kind, with nothing in the way; also that registers do not wait for the datapath."""
    both = Bench(dut)
    await both.start()
    both.put(Kind.SAMPLES, random.randbytes(MAX_PAYLOAD))
    both.put(Kind.SAMPLES, random.randbytes(255))
    both.put(Kind.SAMPLES, random.randbytes(1))
    both.put(0x77, random.randbytes(MAX_PAYLOAD))
    both.put(Kind.WRITE, words_payload(0xFFC0, [random.getrandbits(32) for _ in range(127)]))
    for count in (READ_WORDS, READ_WORDS - 1, 1):
        both.put(Kind.READ, read_payload(random.choice(WINDOWS), count))
        both.put(Kind.FENCE, read_payload(3, count))
    await both.rest()
    both.idle = 0.0
    both.put(Kind.WRITE, words_payload(ABOVE & 0xABCD0000 | 0xF00A, [1, 2, 3]))
    both.put(Kind.READ, read_payload(ABOVE | 0xFFFD, 3))
    await both.rest()
    assert both.model.finished == 13


@cocotb.test(timeout_time=200, timeout_unit="us")
async def waits_for_idle(dut):
    """Each window and a FENCE wait as long as the datapath is busy; a write goes the very cycle in which it is idle."""
    both = Bench(dut)
    await both.start()
    for kind in (Kind.WRITE, Kind.READ, Kind.FENCE):
        for base in [0] * (kind == Kind.FENCE) + WINDOWS:
            address = base + random.choice([0, random.getrandbits(15)])
            both.put(kind, words_payload(address, [7]) if kind == Kind.WRITE else read_payload(address, 1))
            before = both.model.finished
            both.idle = 0.0
            for _ in range(30):
                await both.cycle()
            assert both.model.finished == before
            both.idle = 1.0
            await both.rest()
            assert both.model.finished == before + 1
    # A burst that runs from the last registers into a window
    both.idle = 0.1
    both.put(Kind.WRITE, words_payload(0xFFFE, [1, 2, 3, 4]))
    both.put(Kind.READ, read_payload(0xFFFE, 4))
    await both.rest()


@cocotb.test(timeout_time=200, timeout_unit="us")
async def anything(dut):
    """Frames of every kind, with what they should not hold, for any stalls; then resets at any time."""
    both = Bench(dut)
    await both.start()
    for stall in (0.0, 0.3, 0.6, 0.9):
        both.stored, both.word, both.idle, both.write, both.read, both.bytes, both.answer = (
            1 - random.choice([0.0, stall, stall]) for _ in range(7)
        )
        for _ in range(110 - int(90 * stall)):
            both.put(*random_frame())
        await both.rest()
    both.resets = 0.02
    both.stored = both.word = both.idle = both.write = both.read = both.bytes = both.answer = 0.7
    for _ in range(120):
        both.put(*random_frame())
        await both.rest()
    assert both.model.finished > 250
