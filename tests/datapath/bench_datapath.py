"""cocotb: the datapath behind its registers against the golden model, over random runs with every stream stalled at random."""

import json
import random
from collections.abc import Iterable
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from datapath_runs import CORNERS, golden_of, parse_build, quantise_fixed_point, random_run, random_stall

from zipsgd.golden.levels import table_words
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.run import model_words, step_registers
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import Control, registers_of, windows_of
from zipsgd_sim.random_runs import RandomRun


def window_inputs(build: Build) -> list[str]:
    """Inputs of the windows that are 0 while nothing is written or read."""
    inputs = {
        "rw": ("write__valid", "read__valid", "data__ready"),
        "w": ("valid",),
        "r": ("offset",),
    }
    return [f"{name}__{port}" for name, window in windows_of(build).items() for port in inputs[window.access]]


class Board:
    """Drives the ports of a :class:`zipsgd_hw.datapath.datapath.Datapath`.

    ``stall`` is the chance, in each cycle, that a stream from the bench pauses or that the bench does not take a word.
    """

    inputs = ("bytes__valid", "seed__valid", "control__valid", "samples__valid", "bytes_reset")
    """All but those of windows."""

    def __init__(self, dut, build: Build, rng: random.Random) -> None:
        self.dut = dut
        self.build = build
        self.rng = rng
        self.stall = 0.0

    async def reset(self) -> None:
        dut = self.dut
        for name in (*self.inputs, *window_inputs(self.build)):
            getattr(dut, name).value = 0
        Clock(dut.clk, 10, unit="ns").start()
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)

    def stalls(self) -> bool:
        return self.rng.random() < self.stall

    async def pause(self) -> None:
        while self.stalls():
            await RisingEdge(self.dut.clk)

    async def strobe(self, name: str, word: int) -> None:
        await self.pause()
        getattr(self.dut, f"{name}__payload").value = word
        getattr(self.dut, f"{name}__valid").value = 1
        await RisingEdge(self.dut.clk)
        getattr(self.dut, f"{name}__valid").value = 0

    async def idle(self) -> None:
        await RisingEdge(self.dut.clk)
        await RisingEdge(self.dut.clk)
        while int(self.dut.status.value):
            await RisingEdge(self.dut.clk)

    async def write_model(self, model: np.ndarray) -> None:
        for offset, word in enumerate(model_words(model, self.build)):
            await self.strobe("model_window__write", offset | (int(word) & 0xFFFF_FFFF) << 16)

    async def read_model(self, shape: tuple[int, ...]) -> np.ndarray:
        """Words in a random order."""
        dut = self.dut
        count = model_words(np.zeros(shape, dtype=np.int64), self.build).size
        words = np.zeros(count, dtype=np.uint32)
        for offset in self.rng.sample(range(count), count):
            await self.pause()
            dut.model_window__read__payload.value = offset
            dut.model_window__read__valid.value = 1
            taken = False
            while not taken:
                ready = not self.stalls()
                dut.model_window__data__ready.value = int(ready)
                await RisingEdge(dut.clk)
                taken = ready and bool(dut.model_window__data__valid.value)
            assert dut.model_window__read__ready.value, "the request is taken with its word"
            words[offset] = int(dut.model_window__data__payload.value)
            dut.model_window__read__valid.value = 0
        heads = words.view(np.int32).astype(np.int64).reshape(shape[0] if len(shape) > 1 else 1, -1)
        return heads[:, : shape[-1]].reshape(shape)

    async def feed(self, name: str, words: Iterable[int]) -> None:
        """Words into the stream ``name``."""
        payload, valid = getattr(self.dut, f"{name}__payload"), getattr(self.dut, f"{name}__valid")
        ready = getattr(self.dut, f"{name}__ready")
        for word in words:
            await self.pause()
            payload.value = word
            valid.value = 1
            await RisingEdge(self.dut.clk)
            while not ready.value:
                await RisingEdge(self.dut.clk)
            valid.value = 0

    def set_registers(self, values: dict[str, int]) -> None:
        """Those that the build has."""
        for name in values.keys() & registers_of(self.build).keys():
            getattr(self.dut, name).value = values[name]

    async def restart(self) -> None:
        """By the register or, as the link's SYNC does it, by the pin."""
        if self.rng.random() < 0.5:
            await self.strobe("control", Control.ABORT)
        else:
            self.dut.bytes_reset.value = 1
            await RisingEdge(self.dut.clk)
            self.dut.bytes_reset.value = 0
        await self.idle()

    async def clear(self) -> None:
        await self.strobe("control", Control.CLEAR)
        await self.idle()
        for name in ("flags", "loss_low", "loss_high", "samples_done", "cycles_low", "starved_cycles_low"):
            assert not int(getattr(self.dut, name).value), f"{name} cleared"

    async def begin(self, run: RandomRun) -> None:
        self.set_registers(run.config.registers())
        levels = run.config.levels
        await self.restart()
        await self.write_model(run.model)
        if levels is not None:
            for offset, word in enumerate(table_words(levels, self.build)):
                await self.strobe("level_window", offset | word << 16)
        if run.config.diagonal is not None:
            for offset, word in enumerate(run.config.diagonal.words.tolist()):
                await self.strobe("variance_window", offset | word << 16)
        if run.config.polynomial is not None:
            for offset, word in enumerate(run.config.polynomial.window_words(self.build)):
                await self.strobe("coefficient_window", offset | (word & 0xFFFF_FFFF) << 16)

    async def start_epoch(self, run: RandomRun, number: int) -> None:
        """All but its samples."""
        dut = self.dut
        self.set_registers(step_registers(run.steps[number]))
        await RisingEdge(dut.clk)
        for word in reversed(seed_words(run.seed, number, self.build.update_lanes)):
            await self.strobe("seed", word)
        await self.strobe("control", Control.LOAD)
        if self.rng.random() < 0.5:  # samples may come while Q3 is drawn
            await self.idle()
        await self.strobe("samples", run.epochs[number].order.size)

    async def epoch(self, run: RandomRun, number: int) -> int:
        before = self.loss()
        await self.start_epoch(run, number)
        await self.feed("bytes", self.epoch_bytes(run, number))
        await self.idle()
        return self.loss() - before

    def epoch_bytes(self, run: RandomRun, number: int) -> bytes:
        return weave(quantise_fixed_point(run, number), run.config.layout(self.build)).tobytes()

    async def broken_epoch(self, run: RandomRun, number: int) -> None:
        """Comes to a reset, somewhere behind its samples' first byte; the model is what it was."""
        before = await self.read_model(run.config.model_shape())
        await self.start_epoch(run, number)
        sent = self.epoch_bytes(run, number)
        await self.feed("bytes", sent[: self.rng.randint(1, len(sent))])
        for _ in range(self.rng.randint(0, 60)):
            await RisingEdge(self.dut.clk)
        await self.restart()
        await self.write_model(before)

    async def read_list(self, name: str, count: int) -> list[int]:
        words = []
        for place in range(count):
            getattr(self.dut, f"{name}__offset").value = place
            for _ in range(2):
                await RisingEdge(self.dut.clk)
            await FallingEdge(self.dut.clk)
            words.append(int(getattr(self.dut, f"{name}__word").value))
        return words

    async def scores(self, shape: tuple[int, ...]) -> np.ndarray:
        words = await self.read_list("score_window", shape[0] * shape[1])
        return np.array(words, dtype=np.uint32).view(np.int32).astype(np.int64).reshape(shape)

    async def doubts(self, count: int) -> list[bool]:
        words = await self.read_list("doubt_window", -(-count // 32))
        return [bool(words[i // 32] >> i % 32 & 1) for i in range(count)]

    def loss(self) -> int:
        value = int(self.dut.loss_high.value) << 32 | int(self.dut.loss_low.value)
        return value - (value >> 63 << 64)


def kinds() -> list[dict[str, str]]:
    """Of the runs: of a corner, by the file that is named, or as many as are asked for of any kind."""
    if "corner" in cocotb.plusargs:
        return list(CORNERS[cocotb.plusargs["corner"]].kinds)
    if "kinds" in cocotb.plusargs:
        named: list[dict[str, str]] = json.loads(Path(cocotb.plusargs["kinds"]).read_text())
        return named
    return [{}] * int(cocotb.plusargs["runs"])


@cocotb.test()
async def identity(dut) -> None:
    build = parse_build(cocotb.plusargs["build"])
    rng = random.Random(int(cocotb.plusargs["seed"]))
    board = Board(dut, build, random.Random(rng.random()))
    await board.reset()
    for number, kind in enumerate(kinds()):
        run = random_run(build, rng, kind=kind)
        board.stall = 0.0 if kind.get("stalls") == "no" else random_stall(rng)
        await with_timeout(board.begin(run), 10, "ms")
        assert (await board.read_model(run.config.model_shape()) == run.model).all(), f"{run}: model written"
        golden = golden_of(build, run)
        flags = done = saturated = 0
        for epoch, samples in enumerate(run.epochs):
            expected = golden.epoch(samples, run.steps[epoch], lambda done: None)
            saturated |= expected.flags
            if kind.get("resets") == "yes":
                flags |= int(dut.flags.value)
                done = 0
                await with_timeout(board.broken_epoch(run, epoch), 30, "ms")
            loss = await with_timeout(board.epoch(run, epoch), 20, "ms")
            model = await board.read_model(run.config.model_shape())
            where = f"{build} run {number} {kind} {run} stall {board.stall} epoch {epoch}"
            assert loss == expected.loss_sum, f"{where}: loss {loss}, golden {expected.loss_sum}"
            if expected.doubts is not None:
                doubts = await board.doubts(samples.order.size)
                assert doubts == expected.doubts.tolist(), f"{where}: samples in doubt"
            if expected.scores is not None:
                scores = await board.scores(expected.scores.shape)
                assert (scores == expected.scores).all(), (
                    f"{where}: scores {scores}, golden {expected.scores}"
                )
            wrong = np.flatnonzero((model != golden.model()).ravel())
            assert not wrong.size, (
                f"{where}: model differs at {wrong[:9]}: {model.flat[wrong][:9]}, {golden.model().flat[wrong][:9]}"
            )
            assert flags | int(dut.flags.value) == saturated, (
                f"{where}: flags {flags} and {dut.flags.value}, golden {saturated}"
            )
            done += samples.order.size
            assert int(dut.samples_done.value) == done
        await board.clear()
        cocotb.log.info("identical: %s", run)


@cocotb.test()
async def counters(dut) -> None:
    """Both words of each counter, set to what no run here counts up to."""
    board = Board(dut, parse_build(cocotb.plusargs["build"]), random.Random(1))
    await board.reset()
    await FallingEdge(dut.clk)
    for _ in range(20):
        counts = {name: random.getrandbits(48) for name in ("cycles", "plane_cycles", "starved_cycles")}
        for name, count in counts.items():
            getattr(dut.core, f"counters__{name}").value = count
        await FallingEdge(dut.clk)
        for name, count in counts.items():
            low, high = (int(getattr(dut, f"{name}_{word}").value) for word in ("low", "high"))
            assert low | high << 32 == count, f"{name}: {low:x} and {high:x} of {count:x}"
