"""cocotb: the register bank, in each cycle, against the register table."""

import random
from dataclasses import replace
from functools import partial

import cocotb
from component_bench import Case, ComponentBench

from zipsgd.protocol.formats import Build
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import REGISTERS, WINDOW_OFFSET_BITS, WINDOWS, registers_of, windows_of
from zipsgd_hw.link.register_bank import RegisterBank
from zipsgd_hw.link.word_bus import ADDRESS_BITS
from zipsgd_sim.stream_bench import StreamBench

PLAIN = Build(lanes=4, update_lanes=2, max_features=64)
BUILDS = {
    "plain": PLAIN,
    "whole": replace(
        PLAIN,
        level_bits=4,
        level_p_max=2,
        hinge=1,
        polynomial=3,
        refetch=64,
        score_words=64,
        prox=1,
        ball=1,
        diagonal=1,
        heads=3,
        store_words=64,
        schedule_words=64,
    ),
}


def bank(name):
    return RegisterBank(BUILDS[name])


BENCH = ComponentBench(
    (RegisterBank,),
    "zipsgd.protocol.registers",
    tuple(Case(name, partial(bank, name), {"build": name}) for name in BUILDS),
)

CYCLES = 4000
MODEL_WINDOW = WINDOWS["model_window"].address
LISTS = {window.name: window.address for window in WINDOWS.values() if window.access == "r"}
WRITTEN = [window.address for window in WINDOWS.values() if window.access == "w"]
REGISTER_BITS = (len(REGISTERS) - 1).bit_length()
_OFFSETS = (1 << WINDOW_OFFSET_BITS) - 1


class Reads:
    """What the bus reads, and when.

    A register's word comes two cycles behind its request, a list's three, and another window's when that has it.
    """

    def __init__(self, values):
        self._values = values  # of registers by address, as they are in this cycle
        self.word = None  # shown
        self._asked = None  # a register or a word of a list
        self._wait = 0  # cycles until its word is there
        self.window = None  # "waits" for a word
        self.late = False  # a word of the window is under way that nobody waits for

    def step(self, taken, address, data, listed, ready):
        """A cycle: a request for ``address`` is taken or not; the window gives ``data`` or None, and the lists ``listed``."""
        word = None if ready else self.word
        if self._asked is not None and self._wait == 0:
            word = self._values.get(self._asked, 0)
            for name, shown in listed.items():
                word = shown if self._asked & LISTS[name] else word
            self._asked = None
        self._wait = 0
        if taken:
            word = self._asked = None
            if address & MODEL_WINDOW:
                self.window = True
            else:
                self.late = bool(self.window)
                self.window = False
                self._asked = address
                self._wait = int(any(address & LISTS[name] for name in listed))
        if data is not None:
            if self.window:
                word = data
            self.window = self.late = False
        self.word = word


def random_address(registers):
    """Of a register mostly; of none; or a place in one of the windows."""
    return random.choice(
        [
            *[random.choice(registers).address] * 6,
            random.randrange(1 << REGISTER_BITS),
            1 << random.randrange(REGISTER_BITS, WINDOW_OFFSET_BITS),
            random.choice(registers).address | 1 << random.randrange(REGISTER_BITS, WINDOW_OFFSET_BITS),
            _OFFSETS,
            MODEL_WINDOW + random.choice([0, _OFFSETS, random.randrange(_OFFSETS)]),
            MODEL_WINDOW + random.randrange(64),
            random.choice(WRITTEN) + random.choice([random.randrange(64), random.randrange(_OFFSETS)]),
            random.choice(WRITTEN) + random.randrange(64),
            random.choice(list(LISTS.values())) + random.choice([0, _OFFSETS, random.randrange(_OFFSETS)]),
        ]
    )


def drive(registers, build, bench, held, values, *, anew):
    """Keep in ``values`` what each register reads as; drive those that the gateware drives, with new words if ``anew``."""
    constants = identification(build)
    for register in registers:
        if register.name in constants:
            values[register.address] = constants[register.name]
        elif register.access == "rw":
            values[register.address] = held[register.name]
        elif register.access == "r" and anew:
            driven = random.choice([0, (1 << register.width) - 1, random.getrandbits(register.width)])
            values[register.address] = bench.pins[register.name] = driven


def check_strobes(dut, names, strobes, when):
    """Each of ``names`` has a strobe with its word if it is among ``strobes``, and none otherwise."""
    for name in names:
        assert int(getattr(dut, f"{name}__valid").value) == (name in strobes), when
        if name in strobes:
            assert int(getattr(dut, f"{name}__payload").value) == strobes[name], when


def check_reads(dut, reads, asks, address, takes, when):
    """The bus and the windows see what is asked for, and the bus has the word that is due."""
    to_window = bool(address & MODEL_WINDOW)
    assert int(dut.model_window__read__valid.value) == (asks and to_window), when
    if asks and to_window:
        assert int(dut.model_window__read__payload.value) == address & _OFFSETS, when
    if asks:
        assert int(dut.read__ready.value) == (takes or not to_window), when
    assert int(dut.read_data__valid.value) == (reads.word is not None), when
    if reads.word is not None:
        assert int(dut.read_data__payload.value) == reads.word, when


@cocotb.test(timeout_time=100, timeout_unit="us")
async def every_cycle(dut):
    """Random writes and reads of everything, for busy windows and a slow bus; a reset now and then."""
    build = BUILDS[cocotb.plusargs["build"]]
    registers = list(registers_of(build).values())
    windows = windows_of(build)
    written_late = {name: window.address for name, window in windows.items() if window.access == "w"}
    held = {register.name: 0 for register in registers if register.access in ("rw", "s")}
    strobes = {}  # what writes of the last cycle show
    late = {}
    values = {}
    reads = Reads(values)
    bench = StreamBench(dut)
    write = None
    asked = False  # the window, a cycle ago
    seen = set()
    for cycle in range(CYCLES):
        reset = random.random() < 0.003
        if write is None and random.random() < 0.6:
            write = (random_address(registers), random.choice([0, 0xFFFF_FFFF, random.getrandbits(32)]))
        asks = random.random() < random.choice([0.1, 0.5])
        address = random_address(registers)
        window_ready, window_takes, ready = (
            random.random() < 0.5,
            random.random() < 0.5,
            random.random() < 0.6,
        )
        taken = asks and (window_takes or not address & MODEL_WINDOW)
        # The window answers one request after the other; and a word that is dropped comes before or behind the request that
        # drops it.
        owed = reads.window or reads.late
        if asks and address & MODEL_WINDOW and owed:
            asks = taken = False
        answers = (taken and asked and address & MODEL_WINDOW) or (owed and not taken)
        asked = bool(asks and address & MODEL_WINDOW)  # for the next cycle
        data = random.getrandbits(32) if answers and random.random() < 0.4 else None
        listed = {name: random.getrandbits(32) for name in LISTS if name in windows}
        place, word = write or (random_address(registers), random.getrandbits(32))
        bench.pins |= {
            "rst": int(reset),
            "write__valid": int(write is not None),
            "write__payload": place | word << ADDRESS_BITS,
            "read__valid": int(asks),
            "read__payload": address,
            "read_data__ready": int(ready),
            "model_window__write__ready": int(window_ready),
            "model_window__read__ready": int(window_takes),
            "model_window__data__valid": int(data is not None),
            "model_window__data__payload": random.getrandbits(32) if data is None else data,
            **{f"{name}__word": word for name, word in listed.items()},
        }
        drive(registers, build, bench, held, values, anew=cycle % 8 == 0)
        await bench.cycle()
        when = f"cycle {cycle}"

        # Writes
        to_window = write is not None and bool(place & MODEL_WINDOW)
        assert int(dut.model_window__write__valid.value) == to_window, when
        if to_window:
            assert (
                int(dut.model_window__write__payload.value) == place & _OFFSETS | word << WINDOW_OFFSET_BITS
            ), when
        if write is not None:
            assert int(dut.write__ready.value) == (window_ready or not to_window), when
        check_strobes(dut, written_late, late, when)
        check_strobes(dut, [register.name for register in registers if register.access == "w"], strobes, when)
        for name in held:
            if cycle % 16 == 0 or name in strobes:
                assert int(getattr(dut, name).value) == held[name], f"{name}, {when}"
        late, strobes = {}, {}
        if write is not None:
            for name, address_bit in written_late.items():
                if place & address_bit:
                    late[name] = place & _OFFSETS | word << WINDOW_OFFSET_BITS
            for register in registers:
                if register.address == place and register.access != "r":
                    strobes[register.name] = word & ((1 << register.width) - 1)
                    if register.name in held:
                        held[register.name] = strobes[register.name]
                    seen.add(register.name)
            if window_ready or not to_window:
                write = None

        check_reads(dut, reads, asks, address, window_takes, when)
        for name in listed:
            if asks and address & LISTS[name]:
                assert int(getattr(dut, f"{name}__offset").value) == address & _OFFSETS, when
        reads.step(taken, address, data, listed, ready)
        if reset:
            held = dict.fromkeys(held, 0)
            late, strobes = {}, {}
            reads = Reads(values)
            asked = False
    assert seen == {register.name for register in registers if register.access != "r"}


@cocotb.test(timeout_time=100, timeout_unit="us")
async def every_address(dut):
    """Each word below the windows' by itself, for a bus that is ready; those of no register are zero."""
    build = BUILDS[cocotb.plusargs["build"]]
    constants = identification(build)
    bench = StreamBench(dut)
    requests = bench.source("read")
    words = bench.sink("read_data")
    await bench.reset()
    expected = dict.fromkeys(range(1 << REGISTER_BITS), 0)
    for register in registers_of(build).values():
        if register.name in constants:
            expected[register.address] = constants[register.name]
        elif register.access == "r":
            expected[register.address] = bench.pins[register.name] = random.getrandbits(register.width)
        elif register.access in ("rw", "s"):
            word = random.getrandbits(32)
            bench.pins |= {"write__valid": 1, "write__payload": register.address | word << ADDRESS_BITS}
            await bench.cycle()
            if register.access == "rw":
                expected[register.address] = word & ((1 << register.width) - 1)
    bench.pins["write__valid"] = 0
    for address in (
        *range(1 << REGISTER_BITS),
        *(1 << bit for bit in range(REGISTER_BITS, WINDOW_OFFSET_BITS)),
        *WRITTEN,
    ):
        words.got.clear()
        requests.queue.append(address)
        await bench.cycle(3)
        assert words.got == [expected.get(address, 0)], address
