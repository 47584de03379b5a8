"""cocotb: the frame sender, in each cycle, against the host's codec and the documented times."""

import random
import struct
import zlib
from collections.abc import Generator
from dataclasses import dataclass

import cocotb
from component_bench import Case, ComponentBench

from zipsgd.driver.coding import encode
from zipsgd.protocol.frames import READ_WORDS, Frame, Kind
from zipsgd_hw.link.frame_sender import FrameSender
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench((FrameSender,), "zipsgd.driver.coding.encode", (Case("sender", FrameSender),))

BYTE = 9
"""Cycles that a byte of the body takes: it is put, and its bits go through the CRC."""
FINISH = 17
"""Cycles from the last byte of the body to the first on the line: its bits, four bytes of CRC, and the end."""


@dataclass(frozen=True)
class Inputs:
    ack: int
    drop: int
    expected: int
    freed: int
    last: int
    answer: "tuple[int, int, int] | None"
    """Sequence number, word, and whether it is the last."""
    taken: int
    """The line takes a byte."""


class Model:
    """What the sender shows in each cycle: whether it takes a word, and its byte for the line."""

    def __init__(self):
        self.sent = {Kind.ACK: 0, Kind.DATA: 0}
        self.forgotten = 0
        self.reset()

    def reset(self):
        self._wanted = self._dropped = False
        self._run = self._frames()
        self.shows = next(self._run)

    def step(self, inputs: Inputs):
        self.shows = self._run.send(inputs)
        self._wanted |= bool(inputs.ack)
        self._dropped |= bool(inputs.drop)

    def _frames(self) -> "Generator[tuple[bool, int | None], Inputs, None]":
        quiet = (False, None)
        while True:
            now = yield quiet
            ack, self._wanted, self._dropped = self._wanted, False, False
            if not ack and now.answer is None:
                continue
            # Kind and sequence number; it is then the third byte's turn.
            for _ in range(1 + BYTE):
                yield quiet
            if ack:
                frame = Frame(Kind.ACK, now.expected, struct.pack("<HB", now.freed, now.last))
                for _ in range(BYTE * 3):
                    yield quiet
            else:
                words = yield from self._words()
                if words is None:
                    self.forgotten += 1
                    continue
                frame = Frame(Kind.DATA, now.answer[0], words)
            for _ in range(FINISH):
                yield quiet
            line = encode(frame)
            for place, byte in enumerate(line):
                while True:
                    now = yield (False, byte)
                    if now.taken:
                        break
                if place < len(line) - 1:
                    yield quiet
            self.sent[frame.kind] += 1

    def _words(self):
        """Words of a DATA frame, or None if it is dropped."""
        words, lane, busy = b"", 0, BYTE - 1
        while True:
            now = yield (not busy and lane == 3, None)
            if now.drop or self._dropped:
                return None
            if busy:
                busy -= 1
            elif now.answer is not None:
                _, word, last = now.answer
                lane = (lane + 1) % 4
                busy = BYTE - 1
                if lane == 0:
                    words += struct.pack("<I", word)
                    if last:
                        return words


class Answers:
    """Words of one DATA frame after the other; a word that is offered stays until it is taken."""

    def __init__(self):
        self.lengths = []
        self._words = []
        self._offered = False

    def offer(self, chance):
        if not self._words:
            size = self.lengths.pop() if self.lengths else random.choice([1, 1, 2, 3, 8])
            sequence = random.choice([0, 255, random.randrange(256)])
            kinds = [lambda: 0, lambda: 0xFFFF_FFFF, lambda: random.getrandbits(32) & random.getrandbits(32)]
            kinds.append(lambda: random.getrandbits(32) & ~(0xFF << random.randrange(0, 32, 8)))
            kind = random.choice([*kinds, None])
            self._words = [
                (sequence, (kind or random.choice(kinds))(), int(i == size - 1)) for i in range(size)
            ]
        self._offered = self._offered or random.random() < chance
        return self._words[0] if self._offered else None

    def take(self):
        self._words.pop(0)
        self._offered = False

    def begin_anew(self):
        self._words.clear()
        self._offered = False


def said():
    """What an ACK may say; in some its CRC has zeros, in each of its places."""
    found = {}
    while len(found) < 4:
        expected, freed, last = random.randrange(256), random.getrandbits(16), random.randrange(256)
        crc = ack_crc(expected, freed, last)
        if 0 in crc:
            found.setdefault(crc.index(0), (expected, freed, last))
    return [*found.values(), (0, 0, 0), (255, 0xFFFF, 255), (1, 0x0100, 0), (0, 0x00FF, 1)]


def ack_crc(expected, freed, last):
    return struct.pack("<I", zlib.crc32(struct.pack("<BBHB", Kind.ACK, expected, freed, last)))


class Bench:
    """Sender and model side by side, with a chance in each cycle of each event."""

    def __init__(self, dut):
        self.dut = dut
        self.bench = StreamBench(dut)
        self.model = Model()
        self.answers = Answers()
        self._said = said()
        self.ack = self.drop = self.reset = 0.0
        self.answer = self.taken = 1.0

    async def cycles(self, count):
        for _ in range(count):
            expected, freed, last = random.choice(self._said)
            if random.random() < 0.5:
                expected, freed, last = random.randrange(256), random.getrandbits(16), random.randrange(256)
            now = Inputs(
                ack=int(random.random() < self.ack),
                drop=int(random.random() < self.drop),
                expected=expected,
                freed=freed,
                last=last,
                answer=self.answers.offer(self.answer),
                taken=int(random.random() < self.taken),
            )
            reset = random.random() < self.reset
            await self._cycle(now, reset)

    async def _cycle(self, now, reset):
        sequence, word, last = now.answer or (random.randrange(256), random.getrandbits(32), 1)
        self.bench.pins |= {
            "ack": now.ack,
            "drop": now.drop,
            "said__expected": now.expected,
            "said__freed": now.freed,
            "said__last": now.last,
            "answer__valid": int(now.answer is not None),
            "answer__payload": sequence | word << 8 | last << 40,
            "coded__ready": now.taken,
            "rst": int(reset),
        }
        await self.bench.cycle()
        takes, byte = self.model.shows
        when = f"cycle {self.bench.cycles}"
        assert int(self.dut.answer__ready.value) == takes, when
        assert int(self.dut.coded__valid.value) == (byte is not None), when
        if byte is not None:
            assert int(self.dut.coded__payload.value) == byte, when
        self.model.step(now)
        if takes and now.answer is not None:
            self.answers.take()
        if now.drop:
            self.answers.begin_anew()
        if reset:
            self.model.reset()
            self.answers.begin_anew()


@cocotb.test(timeout_time=200, timeout_unit="us")
async def frames(dut):
    """ACK and DATA frames of all lengths, at full speed, held up at both ends, dropped and reset at any time."""
    both = Bench(dut)
    both.answers.lengths = [READ_WORDS, READ_WORDS - 1, 1]
    both.ack = 0.001
    await both.cycles(5500)
    # More ACKs than can be sent: wishes make one frame, also one that comes as another is begun.
    both.ack, both.answer = 0.02, 0.01
    await both.cycles(2500)
    both.ack, both.answer = 1.0, 1.0
    await both.cycles(300)
    both.ack = 0.0
    both.answers.lengths = [READ_WORDS]
    both.answer, both.taken = 0.05, 0.3
    await both.cycles(3000)
    for both.ack, both.answer, both.drop, both.taken in (
        (0.003, 0.3, 0.01, 0.9),
        (0.0, 1.0, 0.03, 1.0),
        (0.01, 0.05, 0.3, 1.0),
    ):
        await both.cycles(2500)
    both.drop, both.reset = 0.005, 0.005
    await both.cycles(2000)
    assert both.model.sent[Kind.ACK] > 50
    assert both.model.sent[Kind.DATA] > 20
    assert both.model.forgotten > 20
