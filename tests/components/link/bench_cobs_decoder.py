"""cocotb: the COBS decoder, in each cycle, against the host's codec."""

import random

import cocotb
from cobs import cobs
from component_bench import Case, ComponentBench

from zipsgd_hw.link.cobs_decoder import CobsDecoder
from zipsgd_sim.stream_bench import StreamBench

BENCH = ComponentBench((CobsDecoder,), "cobs.cobs.decode", (Case("decoder", CobsDecoder),))


def random_body():
    """Bytes with runs, zeros and blocks of 254, where the coding has its corners."""
    body = bytearray()
    size = random.choice([0, 1, 2, 5, 5, 20, 20, 253, 254, 255, 508, random.randrange(300)])
    while len(body) < size:
        run = random.choice([1, 2, 9, 253, 254, 255])
        body += random.choice([bytes(run), b"\xff" * run, random.randbytes(run)])
    return bytes(body[:size])


def random_line():
    """Bytes before a zero: a frame, a frame cut short, any other bytes, or nothing."""
    match random.choice(["whole"] * 4 + ["cut", "cut", "noise", "empty"]):
        case "cut":
            line = cobs.encode(random_body())
            return line[: random.randrange(len(line))]
        case "noise":
            return bytes(
                random.choice([1, 2, 255, random.randrange(1, 256)]) for _ in range(random.randrange(20))
            )
        case "empty":
            return b""
    return cobs.encode(random_body())


def decoded(line):
    """What comes out a cycle after each byte of ``line`` and its zero: (byte or None, ends, broken)."""
    due, left = [], 0
    zero_before = False
    for at, byte in enumerate(line):
        if left:
            left -= 1
            due.append((byte, False, False))
        else:
            due.append((0 if zero_before else None, False, False))
            zero_before, left = byte != 0xFF, byte - 1
        assert at + 1 == len(due)
    body = bytes(byte for byte, _, _ in due if byte is not None)
    try:
        assert body == cobs.decode(line)
        whole = True
    except cobs.DecodeError:
        whole = False
    return [*due, (None, bool(line), not whole)]


@cocotb.test()
async def decodes(dut):
    """Each byte in its cycle and no other; a byte in each cycle, then with gaps, and resets within frames."""
    bench = StreamBench(dut)
    due = (None, False, False)
    for pause, lines in ((0.0, 70), (0.4, 50), (0.0, 20)):
        for _ in range(lines):
            line = random_line()
            steps = list(zip(line + b"\0", decoded(line)))
            cut = random.randrange(len(steps)) if random.random() < 0.1 else len(steps)
            for number, (byte, after) in enumerate(steps):
                while random.random() < pause:
                    bench.pins |= {"coded__valid": 0, "coded__payload": random.randrange(256), "rst": 0}
                    await bench.cycle()
                    check(dut, due)
                    due = (None, False, False)
                bench.pins |= {"coded__valid": 1, "coded__payload": byte, "rst": int(number == cut)}
                await bench.cycle()
                check(dut, due)
                due = after
                if number == cut:
                    due = (None, False, False)
                    break
    bench.pins |= {"coded__valid": 0, "rst": 0}
    for _ in range(4):
        await bench.cycle()
        check(dut, due)
        due = (None, False, False)


def check(dut, due):
    byte, ends, broken = due
    assert int(dut.data__valid.value) == (byte is not None)
    if byte is not None:
        assert int(dut.data__payload.value) == byte
    assert int(dut.end.value) == ends
    if ends:
        assert int(dut.broken.value) == broken
