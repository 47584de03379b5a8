"""cocotb: a store is filled, checked and read in the order of epochs, with stalls everywhere, and aborted at any time."""

import random
from functools import partial

import cocotb
from component_bench import Case, ComponentBench
from memory_model import MemoryModel

from zipsgd.golden.order import Order, row_order
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import BLOCK_ROWS
from zipsgd.protocol.store import StoreLayout
from zipsgd_hw.store.block_order import BlockOrder
from zipsgd_hw.store.block_reader import BlockReader
from zipsgd_hw.store.sample_source import SampleSource
from zipsgd_hw.store.sample_word import sample_word
from zipsgd_hw.store.store_loader import StoreLoader
from zipsgd_sim.stream_bench import StreamBench

_WORDS = 1 << 13


def _build(word_bytes: int) -> Build:
    return Build(word_bytes=word_bytes, store_words=_WORDS)


BENCH = ComponentBench(
    (SampleSource, BlockReader, BlockOrder, StoreLoader),
    "zipsgd.golden.order.row_order, zipsgd.protocol.store.StoreLayout",
    tuple(
        Case(f"{width}-bytes", partial(SampleSource, _build(width)), {"width": width})
        for width in (1, 2, 4, 8)
    ),
)


class Bench:
    """The component, its store, and what came out."""

    def __init__(self, dut) -> None:
        self.width = int(cocotb.plusargs["width"])
        self.bench = StreamBench(dut)
        self.dut = dut
        self.layout = sample_word(self.width)
        self.memory = MemoryModel(self.bench, "store", _WORDS // 8, 0.0)
        self.link = self.bench.source("bytes", 0.0, junk=True)
        self.words = self.bench.sink("words", 0.0)
        self.bench.pins |= dict.fromkeys(("abort", "fill__valid", "resident_samples__valid"), 0)

    def stall(self, chance: float) -> None:
        self.memory.set_stall(chance)
        self.link.stall = self.words.stall = chance

    async def cycle(self, **pins: int) -> None:
        self.bench.pins |= pins
        await self.bench.cycle()
        self.memory.carry_out()
        self.bench.pins |= {name: 0 for name in pins if name.endswith("valid") or name == "abort"}

    async def until_idle(self, limit: int) -> int:
        cycles = 0
        while True:
            await self.cycle()
            cycles += 1
            if cycles > 2 and not int(self.dut.busy.value) and not self.bench._streams[-1]._valid.value:
                return cycles
            assert cycles < limit, f"busy after {limit} cycles"

    async def set_up(self, **registers: int) -> None:
        await self.cycle(**registers)
        await self.cycle()

    async def fill(self, content: bytes, first: int = 0) -> None:
        await self.cycle(fill_start=first, fill__payload=len(content), fill__valid=1)
        self.link.queue.extend(content)
        await self.until_idle(100 * len(content) + 100)

    async def read(self, samples: int) -> int:
        self.words.got.clear()
        await self.cycle(resident_samples__payload=samples, resident_samples__valid=1)
        return await self.until_idle(200_000)

    def bytes_out(self) -> bytes:
        out = bytearray()
        for bits in self.words.got:
            word = self.layout.from_bits(bits)
            out += int(word.data).to_bytes(self.width, "little")[: int(word.last) + 1]
        return bytes(out)


def _random_set(width: int) -> tuple[StoreLayout, bytes]:
    size = random.choice([1, 2, 3, random.randint(4, 20)])
    rows = random.choice([1, BLOCK_ROWS, random.randint(1, 50), random.randint(1, 20 * BLOCK_ROWS)])
    layout = StoreLayout(rows, size, width)
    return layout, random.randbytes(rows * size)


async def _load(bench: Bench, layout: StoreLayout, samples: bytes) -> int:
    """Fill the store; returns the check."""
    images = list(layout.images([samples[:7], samples[7:]]))
    content = b"".join(images)
    assert len(content) == layout.bursts * layout.burst_bytes
    half = layout.bursts // 2 * layout.burst_bytes  # in two fills, the later part first
    await bench.fill(content[half:], layout.bursts // 2)
    if half:
        await bench.fill(content[:half])
    await bench.set_up(**layout.registers())
    return layout.check(images)


def _ordered(layout: StoreLayout, samples: bytes, order: Order) -> bytes:
    size = layout.sample_bytes
    rows = row_order(order, layout.rows)
    return b"".join(samples[row * size : (row + 1) * size] for row in rows)


@cocotb.test()
async def reads_in_order(dut):
    """Random sets, orders and stalls; bytes of the link before and after, and the check."""
    bench = Bench(dut)
    await bench.bench.reset()
    for chance in (0.0, 0.0, 0.5, 0.2, 0.8, 0.5):
        bench.stall(chance)
        layout, samples = _random_set(bench.width)
        check = await _load(bench, layout, samples)
        for epoch in range(3):
            streamed = random.randbytes(random.randint(0, 40))
            bench.words.got.clear()
            bench.link.queue.extend(streamed)
            await bench.cycle()
            while bench.link.queue or len(bench.words.got) < len(streamed):
                await bench.cycle()
            assert bench.bytes_out() == streamed
            order = Order.draw(layout.blocks, random.getrandbits(20), epoch)
            await bench.set_up(**order.registers(layout.block_bursts))
            cycles = await bench.read(layout.rows)
            assert bench.bytes_out() == _ordered(layout, samples, order)
            assert int(dut.store_check.value) == check
            if not chance:
                words = len(bench.words.got)
                assert cycles < words * 1.05 + layout.blocks * 22 + 40, f"{cycles} cycles for {words} words"
        await bench.read(0)
        assert not bench.words.got, "words of a check"
        assert int(dut.store_check.value) == check


@cocotb.test()
async def reads_all_of_a_full_store(dut):
    """A set that takes the store's last burst: the end of its last block is beyond all addresses."""
    bench = Bench(dut)
    await bench.bench.reset()
    rows, size = BLOCK_ROWS * 8, _WORDS // (BLOCK_ROWS * 8)  # a row for each byte of a word
    layout = StoreLayout(rows, size * bench.width, bench.width)
    assert layout.bursts * 8 == _WORDS
    samples = random.randbytes(rows * layout.sample_bytes)
    check = await _load(bench, layout, samples)
    order = Order.draw(layout.blocks, random.getrandbits(20), 0)
    await bench.set_up(**order.registers(layout.block_bursts))
    await bench.read(layout.rows)
    assert bench.bytes_out() == _ordered(layout, samples, order)
    assert int(dut.store_check.value) == check


@cocotb.test()
async def tells_wrong_content(dut):
    """One bit of the samples, or two blocks in each other's place, change the check; the padding does not."""
    bench = Bench(dut)
    await bench.bench.reset()
    for _ in range(6):
        layout, samples = _random_set(bench.width)
        check = await _load(bench, layout, samples)
        await bench.set_up(
            **Order(layout.blocks, 0, min(1, layout.blocks - 1)).registers(layout.block_bursts)
        )
        held = -(-layout.last_block_bytes // bench.width) + (layout.blocks - 1) * layout.block_bursts * 8
        place = random.randrange(held)
        bench.memory.words[place] ^= 1 << random.randrange(8 * bench.width)
        await bench.read(0)
        assert int(dut.store_check.value) != check


@cocotb.test()
async def drops_what_is_aborted(dut):
    """An abort at any time; then another command at once, or bytes of the link."""
    bench = Bench(dut)
    await bench.bench.reset()
    layout, samples = _random_set(bench.width)
    check = await _load(bench, layout, samples)
    for turn in range(60):
        chance = random.choice([0.0, 0.3, 0.7])
        bench.stall(chance)
        if turn % 3:
            order = Order.draw(layout.blocks, turn, 0)
            await bench.set_up(**order.registers(layout.block_bursts))
            await bench.cycle(resident_samples__payload=turn % 2, resident_samples__valid=1)
        else:
            layout, samples = _random_set(bench.width)
            check = await _load(bench, layout, samples)
            await bench.cycle(fill_start=0, fill__payload=4 * layout.burst_bytes, fill__valid=1)
            bench.link.queue.extend(random.randbytes(random.randint(0, 3 * layout.burst_bytes)))
        for _ in range(random.randint(1, 60)):
            await bench.cycle()
        bench.link.queue.clear()
        bench.link._held = False
        await bench.cycle(abort=1)
        bench.words.got.clear()
        if turn % 3 == 0:  # the store's content is spoilt
            await bench.until_idle(2000)
            layout, samples = _random_set(bench.width)
            check = await _load(bench, layout, samples)
        order = Order.draw(layout.blocks, turn, 1)
        await bench.set_up(**order.registers(layout.block_bursts))
        await bench.read(layout.rows)
        assert bench.bytes_out() == _ordered(layout, samples, order)
        assert int(dut.store_check.value) == check
