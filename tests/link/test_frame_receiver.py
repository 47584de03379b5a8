"""COBS decoder and frame receiver against the codec of :mod:`zipsgd.protocol.frames`."""

import random
import struct

import cocotb
import pytest
from cobs import cobs

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import CREDIT_OVERHEAD, MAX_PAYLOAD, Frame, FrameError, Kind, decode, encode
from zipsgd_hw.link.cobs_decoder import CobsDecoder
from zipsgd_hw.link.frame_receiver import FrameReceiver
from zipsgd_sim.cocotb_runner import run_cocotb
from zipsgd_sim.stream_bench import StreamBench


def random_body(most):
    """Bytes with runs, zeros and blocks of 254, where the coding has its corners."""
    body = bytearray()
    size = random.choice([0, 1, 5, 253, 254, 255, 508, random.randrange(most + 1)])
    while len(body) < size:
        run = random.choice([1, 2, 253, 254, 255])
        body += random.choice([bytes(run), b"\xff" * run, random.randbytes(run)])
    return bytes(body[: min(size, most)])


@cocotb.test()
async def decodes_cobs(dut):
    """Every frame's bytes, its end and whether it is broken; a byte in each cycle, then with gaps."""
    bench = StreamBench(dut)
    coded = bench.source("coded")
    data = bench.sink("data")
    await bench.reset()
    for stall in (0.0, 0.5):
        coded.stall = stall
        for _ in range(60):
            line = bytes(cobs.encode(random_body(700)))
            if random.random() < 0.3:
                line = line[: random.randrange(len(line))]
            if random.random() < 0.2:
                line = bytes(random.randrange(1, 256) for _ in range(random.randrange(20)))
            try:
                expected = bytes(cobs.decode(line))
            except cobs.DecodeError:
                expected = None
            coded.queue.extend(line + b"\0")
            ends = []
            data.got.clear()
            while coded.queue or len(ends) < bool(line):
                await bench.cycle()
                if dut.end.value:
                    assert not dut.data__valid.value
                    ends.append(bool(dut.broken.value))
            assert ends == ([expected is None] if line else [])
            if expected is not None:
                assert bytes(data.got) == expected


class Model:
    """What the receiver should have taken, by the codec of the host."""

    def __init__(self, rx_bytes):
        self.rx_bytes = rx_bytes
        self.expected = self.last = self.bad = self.skipped = self.sent = 0
        self.stored = b""

    def line(self, frame, freed):
        """Bytes ``frame`` (without its zero) come, and all that can be read of the ring before has been freed."""
        if not frame:
            return
        try:
            got = decode(frame)
        except FrameError:
            self.bad += 1
            return
        need = CREDIT_OVERHEAD + len(got.payload)
        if len(got.payload) > MAX_PAYLOAD:
            self.bad += 1
        elif got.kind == Kind.SYNC:
            self.last = got.sequence
            self.expected = (got.sequence + 1) % 256
            self.stored, self.sent = b"", 0
        elif got.sequence != self.expected:
            self.last = got.sequence
            self.skipped += 1
        elif self.sent + need - freed > self.rx_bytes:
            self.bad += 1
        else:
            self.last, self.expected = self.expected, (self.expected + 1) % 256
            self.sent += need
            self.stored += struct.pack("<HBB", len(got.payload), got.kind, got.sequence) + got.payload


def random_line(model):
    """A frame on the line, without its zero: mostly the one whose turn it is; now and then any fault."""
    body = random_body(random.choice([8, 64, MAX_PAYLOAD]))
    kind = random.choice([Kind.WRITE, Kind.READ, Kind.FENCE, Kind.SAMPLES, 0x33])
    good = encode(Frame(kind, model.expected, body))[:-1]
    match random.choice(["good"] * 6 + ["skip", "flip", "cut", "short", "long", "noise", "empty"]):
        case "skip":
            return encode(Frame(kind, (model.expected + random.choice([1, 128, 255])) % 256, body))[:-1]
        case "flip":
            at = random.randrange(len(good))
            return (good[:at] + bytes([good[at] ^ 1 << random.randrange(8)]) + good[at + 1 :]).replace(
                b"\0", b""
            )
        case "cut":
            return good[: random.randrange(len(good))]
        case "short":
            return bytes(cobs.encode(random.randbytes(random.randrange(6))))
        case "long":
            return encode(
                Frame(kind, model.expected, random.randbytes(random.choice([513, 514, 1100, 1600])))
            )[:-1]
        case "noise":
            return bytes(random.randrange(1, 256) for _ in range(random.randrange(1, 2500)))
        case "empty":
            return b""
    return good


@cocotb.test()
async def takes_frames(dut):
    """Any line, credit kept: what is stored, counted and expected, for slow and fast lines and readers."""
    model = Model(int(cocotb.plusargs["rx_bytes"]))
    bench = StreamBench(dut)
    coded = bench.source("coded")
    stored = bench.sink("stored")
    await bench.reset()
    answers = answers_due = 0

    async def put(line):
        nonlocal answers, answers_due
        model.line(line, len(stored.got))
        answers_due += bool(line)
        coded.queue.extend(line + b"\0")
        while coded.queue:
            await bench.cycle()
            answers += int(dut.answer.value)

    for coded.stall, stored.stall in ((0.0, 0.0), (0.0, 0.5), (0.5, 0.0), (0.3, 0.9)):
        for _ in range(70):
            line = random_line(model)
            while model.sent - len(stored.got) + CREDIT_OVERHEAD + len(line) > model.rx_bytes:
                if len(stored.got) == model.sent:
                    break
                await bench.cycle()
                answers += int(dut.answer.value)
            await put(line)
        if coded.stall == stored.stall == 0:
            # Around the ring and the count of freed bytes at full speed, two frames at once in the smallest ring.
            while model.sent < max(65536, model.rx_bytes) + 2000:
                await put(encode(Frame(Kind.SAMPLES, model.expected, random.randbytes(480)))[:-1])
        await put(b"")
        for _ in range(4):
            await bench.cycle()
            answers += int(dut.answer.value)
        await bench.until(lambda: len(stored.got) >= model.sent, 50_000)
        await bench.cycle(5)
        assert bytes(stored.got) == model.stored
        assert int(dut.freed.value) == model.sent % 65536
        assert int(dut.expected.value) == model.expected
        assert int(dut.last.value) == model.last
        assert int(dut.frames_bad.value) == model.bad
        assert int(dut.frames_skipped.value) == model.skipped
        assert answers == answers_due
    assert model.bad > 20
    assert model.skipped > 10


@cocotb.test()
async def full_ring(dut):
    """To the brim; then duplicates, runts, noise and a frame beyond the credit leave what is stored alone; SYNC empties."""
    model = Model(int(cocotb.plusargs["rx_bytes"]))
    bench = StreamBench(dut)
    coded = bench.source("coded")
    stored = bench.sink("stored", stall=1.0)
    await bench.reset()

    async def put(line):
        model.line(line, freed=0)
        coded.queue.extend(line + b"\0")
        await bench.until(lambda: not coded.queue, 5000)
        await bench.cycle(4)

    for round_ in range(12):
        while room := model.rx_bytes - model.sent:
            size = min(MAX_PAYLOAD, room - CREDIT_OVERHEAD, random.randrange(MAX_PAYLOAD))
            if 0 < room - CREDIT_OVERHEAD - size < CREDIT_OVERHEAD:
                continue
            await put(encode(Frame(Kind.SAMPLES, model.expected, random.randbytes(size)))[:-1])
        for size in (0, 1, 7, MAX_PAYLOAD):
            await put(encode(Frame(Kind.SAMPLES, (model.expected - 1) % 256, random.randbytes(size)))[:-1])
        for size in (1, 2, 3, 5, 9, 2000):
            await put(bytes(random.randrange(1, 256) for _ in range(size)))
        # The byte in the output register has left the ring, so that a frame of five does not fit.
        await put(encode(Frame(Kind.SAMPLES, model.expected, b"\1"))[:-1])
        assert int(dut.frames_bad.value) == model.bad
        assert int(dut.frames_skipped.value) == model.skipped
        assert int(dut.expected.value) == model.expected
        assert int(dut.last.value) == model.last
        if round_ % 2:
            await put(encode(Frame(Kind.SYNC, random.randrange(256)))[:-1])
        else:
            stored.stall = 0.2
            await bench.until(lambda: len(stored.got) >= model.sent, 20_000)
            await bench.cycle(5)
            assert bytes(stored.got) == model.stored
            stored.stall = 1.0
            await put(encode(Frame(Kind.SYNC, random.randrange(256)))[:-1])
            model.stored, model.sent = b"", 0
        stored.got.clear()
        assert int(dut.freed.value) == 0
        assert int(dut.expected.value) == model.expected
        assert int(dut.last.value) == model.last
        assert not dut.stored__valid.value


def test_cobs_decoder(tmp_path):
    run_cocotb(CobsDecoder(), __file__, tmp_path, testcase="decodes_cobs")


@pytest.mark.parametrize("rx_bytes", [1024, 65536])
def test_frame_receiver(rx_bytes, tmp_path):
    cases = ["takes_frames", "full_ring"] if rx_bytes == 1024 else "takes_frames"
    run_cocotb(
        FrameReceiver(Build(rx_bytes=rx_bytes)), __file__, tmp_path, {"rx_bytes": rx_bytes}, testcase=cases
    )
