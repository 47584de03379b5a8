"""cocotb: the accelerator's registers and windows through the link, with a stand-in for the datapath."""

import random

import cocotb
from component_bench import Case, ComponentBench
from datapath_stand_in import BUILD, WINDOW_WORDS, StandIn, digest, settings_of

from zipsgd.protocol.frames import READ_WORDS, Kind
from zipsgd.protocol.identification import identification, parse_identification
from zipsgd.protocol.registers import REGISTERS, WINDOWS, registers_of
from zipsgd_hw.top import Accelerator
from zipsgd_sim.link_host import LinkHost, read_payload, words_payload
from zipsgd_sim.stream_bench import StreamBench

MODEL_WINDOW, LEVEL_WINDOW, COEFFICIENT_WINDOW, VARIANCE_WINDOW, DOUBT_WINDOW, SCORE_WINDOW = (
    WINDOWS[f"{name}_window"].address
    for name in ("model", "level", "coefficient", "variance", "doubt", "score")
)


def accelerator():
    return Accelerator(BUILD, StandIn())


BENCH = ComponentBench((Accelerator,), "zipsgd.protocol.registers", (Case("stand-in", accelerator),))


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


@cocotb.test(timeout_time=200, timeout_unit="us")
async def registers(dut):
    """Every register of the table, by its access; addresses of none."""
    host = await new_host(dut)
    await identify(host)
    places = 1 << (len(REGISTERS) - 1).bit_length()
    expected = dict.fromkeys(range(places), 0)
    expected |= {REGISTERS[name].address: value for name, value in identification(BUILD).items()}
    expected |= {
        REGISTERS["plane_cycles_high"].address: 0x1234_5678,
        REGISTERS["starved_cycles_low"].address: 0x9ABC_DEF0,
        REGISTERS["starved_cycles_high"].address: 0xFFFF_FFFF,
        REGISTERS["cycles_high"].address: 1,
    }
    set_to = dict.fromkeys(settings_of(BUILD), 0)
    for _ in range(2):
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
                case _ if register.access == "s":
                    set_to[register.name] = word & ((1 << register.width) - 1)
        for stray in (
            REGISTERS["status"].address,
            len(REGISTERS),
            places,
            places + REGISTERS["batch"].address,
            0xFFFF,
        ):
            await host.write(stray, [random.getrandbits(32)])
        expected[REGISTERS["plane_cycles_low"].address] = digest(set_to.values()) & 0xFFFF_FFFF
        got = []
        for first in range(0, places, READ_WORDS):
            got += await host.read(first, min(READ_WORDS, places - first))
        assert dict(enumerate(got)) == expected
    assert await host.read(places, 4) == [0] * 4
    # What the link counts
    host.put(Kind.SAMPLES, b"", host.sequence + 1 & 0xFF)
    host.rx.queue.extend(b"\x02\x05\x00" * 2)
    assert await host.read(REGISTERS["frames_bad"].address, 2) == [2, 1]


@cocotb.test(timeout_time=200, timeout_unit="us")
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
    await host.write(VARIANCE_WINDOW + 5, [0xFFFF_0030])
    assert await host.read(REGISTERS["plane_cycles_high"].address) == [
        0x1234_5678 ^ 0x1133_0000 ^ 1 ^ 2 ^ 0xF000 ^ 0xFF00_3500
    ]
    assert await host.read(LEVEL_WINDOW) == [0]
    assert await host.read(VARIANCE_WINDOW) == [0]
    assert await host.read(COEFFICIENT_WINDOW) == [0]
    assert await host.read(DOUBT_WINDOW + 7, 2) == [0xFFF8, 0xFFF7]
    assert await host.read(SCORE_WINDOW + 7, 2) == [21, 24]
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
