"""cocotb: a schedule is played while the link reads and writes, with epochs of any length, and is stopped at any time."""

import random
from collections import deque

import cocotb
from component_bench import Case, ComponentBench

from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import REGISTERS, RESULT_WORDS, WINDOW_OFFSET_BITS
from zipsgd_hw.link.schedule import Schedule
from zipsgd_hw.link.word_bus import ADDRESS_BITS
from zipsgd_sim.stream_bench import StreamBench

BUILD = Build(store_words=64, schedule_words=128)
BENCH = ComponentBench(
    (Schedule,), "a list of writes, played one after the other", (Case("schedule", lambda: Schedule(BUILD)),)
)

_FIRST = REGISTERS["status"].address
_RESULTS = REGISTERS["store_check"].address - _FIRST + 1


class Bank:
    """A register bank whose registers are plain words. A write to one of ``starts`` begins an epoch of a few cycles, which
    shows in the datapath's status some cycles later, but within eight."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.bench = StreamBench(dut)
        self.writes: list[tuple[int, int]] = []
        self.starts: set[int] = set()
        self.late, self.length = 0, 0  # cycles until an epoch shows, and then of its length
        self.busy = 0
        self.epochs: list[list[int]] = []  # the results of each epoch
        self.results = [0] * _RESULTS
        self.asked: deque[tuple[int, int]] = deque()
        self.link_writes = self.bench.source("link_write", 0.3)
        self.link_reads = self.bench.source("link_read", 0.3)
        self.link_data = self.bench.sink("link_data", 0.3)
        self.bench.sink("write", 0.2, self._written)
        self.bench.sink("read", 0.2, self._read)
        self.answers = self.bench.source("read_data", 0.3, junk=True)
        self.bench.pins |= dict.fromkeys(
            ("play__valid", "stop", "schedule_window__valid", "result_window__offset"), 0
        )

    def _written(self, word: int) -> None:
        address, data = word & (1 << ADDRESS_BITS) - 1, word >> ADDRESS_BITS
        self.writes.append((address, data))
        if address in self.starts:
            self.late = random.choice([1, 8, random.randint(2, 7)])
            self.length = random.choice([1, 5, random.randint(10, 60)])
            self.results = [random.getrandbits(32) for _ in range(_RESULTS)]
            self.epochs.append(self.results)

    def _read(self, address: int) -> None:
        known = _FIRST <= address < _FIRST + _RESULTS
        assert not known or not (self.late or self.busy), "a result is read while the epoch is under way"
        self.answers.queue.append(self.results[address - _FIRST] if known else address ^ 0x5A5A)

    async def cycle(self, **pins: int) -> None:
        self.busy = max(0, self.busy - 1)
        if self.late:
            self.late -= 1
            self.busy = 0 if self.late else self.length
        self.bench.pins |= {"idle": int(self.busy == 0), **pins}
        await self.bench.cycle()
        self.bench.pins |= {name: 0 for name in pins if name.endswith("valid") or name == "stop"}

    @property
    def playing(self) -> bool:
        return bool(int(self.dut.busy.value))


def _random_schedule(epochs: int, longest: int) -> list[tuple[int, int, bool]]:
    """Writes of (address, word, starts an epoch)."""
    writes = []
    for _ in range(epochs):
        for _ in range(random.randint(0, longest)):
            writes.append((random.randrange(40, 60), random.getrandbits(32), False))
        writes.append((random.choice([60, 61]), random.getrandbits(32), True))
    return writes


async def _write(bank: Bank, writes: list[tuple[int, int, bool]]) -> None:
    bank.starts = {60, 61}
    for place, (address, word, starts) in enumerate(writes):
        for offset, data in ((2 * place, address | starts << 31), (2 * place + 1, word)):
            await bank.cycle(
                schedule_window__valid=1, schedule_window__payload=offset | data << WINDOW_OFFSET_BITS
            )
            if random.random() < 0.2:
                await bank.cycle()


async def _check_results(bank: Bank) -> None:
    """The results of each epoch are in its row."""
    for epoch, results in enumerate(bank.epochs):
        for index, word in enumerate(results):
            await bank.cycle(result_window__offset=epoch * RESULT_WORDS + index)
            await bank.cycle()
            await bank.cycle()
            assert int(bank.dut.result_window__word.value) == word, f"word {index} of epoch {epoch}"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def plays(dut):
    """All writes in order, every epoch's results in its place, and the link's accesses in between."""
    bank = Bank(dut)
    await bank.bench.reset()
    for turn in range(14):
        epochs = (
            BUILD.schedule_epochs
            if turn == 0
            else random.choice([1, 2, random.randint(3, BUILD.schedule_epochs)])
        )
        writes = _random_schedule(epochs, (BUILD.schedule_words - epochs) // epochs if turn < 7 else 3)
        assert len(writes) <= BUILD.schedule_words
        await _write(bank, writes)
        bank.writes.clear()
        bank.epochs.clear()
        bank.link_data.got.clear()
        others = [(random.randrange(1, 40), random.getrandbits(32)) for _ in range(20 * (turn % 3))]
        reads = [random.randrange(1, 40) for _ in range(10 * (turn % 3))]
        bank.link_writes.queue.extend(address | word << ADDRESS_BITS for address, word in others)
        bank.link_reads.queue.extend(reads)
        await bank.cycle(play__valid=1, play__payload=epochs)
        await bank.cycle()
        assert bank.playing
        while bank.playing or bank.link_writes.queue or len(bank.link_data.got) < len(reads):
            await bank.cycle()
        assert int(dut.epochs_done.value) == epochs
        scheduled = [(address, word) for address, word, _ in writes]
        assert [write for write in bank.writes if write[0] >= 40] == scheduled
        assert [write for write in bank.writes if write[0] < 40] == others
        assert bank.link_data.got == [address ^ 0x5A5A for address in reads]
        assert len(bank.epochs) == epochs
        await _check_results(bank)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def stops(dut):
    """A stop at any time: no write after its cycle; the link goes on, and so does the next schedule."""
    bank = Bank(dut)
    await bank.bench.reset()
    for _ in range(80):
        writes = _random_schedule(3, 4)
        await _write(bank, writes)
        bank.link_reads.queue.extend([7] * random.randint(0, 3))
        wanted = len(bank.link_data.got) + len(bank.link_reads.queue)
        await bank.cycle(play__valid=1, play__payload=3)
        for _ in range(random.randint(0, 150)):
            await bank.cycle()
        await bank.cycle(stop=1)
        bank.writes.clear()
        await bank.cycle()
        assert not bank.playing
        assert not bank.writes
        bank.link_reads.queue.append(9)
        while len(bank.link_data.got) <= wanted or bank.link_reads.queue:
            await bank.cycle()
        assert bank.link_data.got[-1] == 9 ^ 0x5A5A
        assert not bank.writes
        bank.busy = bank.late = 0
        if random.random() < 0.3:  # from its beginning
            bank.epochs.clear()
            await bank.cycle(play__valid=1, play__payload=3)
            await bank.cycle()
            while bank.playing:
                await bank.cycle()
            assert len(bank.epochs) == 3
            await _check_results(bank)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def plays_nothing(dut):
    """No epochs: nothing happens."""
    bank = Bank(dut)
    await bank.bench.reset()
    await _write(bank, _random_schedule(2, 3))
    await bank.cycle(play__valid=1, play__payload=0)
    for _ in range(100):
        await bank.cycle()
        assert not bank.playing
    assert not bank.writes
