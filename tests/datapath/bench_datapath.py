"""cocotb: the datapath behind its registers against the golden model, over random runs with random gaps in the bytes."""

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, with_timeout
from datapath_runs import Run, parse_build, random_run

from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.weave import weave
from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import Control


class Board:
    """Drives the ports of a :class:`zipsgd_hw.datapath.datapath.Datapath`."""

    inputs = (
        *(
            f"{name}__valid"
            for name in ("bytes", "seed", "control", "samples", "window_write", "window_read")
        ),
        "window_data__ready",
        "bytes_reset",
    )

    def __init__(self, dut, build: Build) -> None:
        self.dut = dut
        self.build = build

    async def reset(self) -> None:
        dut = self.dut
        for name in self.inputs:
            getattr(dut, name).value = 0
        Clock(dut.clk, 10, unit="ns").start()
        dut.rst.value = 1
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)

    async def strobe(self, name: str, word: int) -> None:
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
        words = np.zeros(self.build.chunks(model.size) * self.build.lanes, dtype=np.int64)
        words[: model.size] = model
        for offset, word in enumerate(words):
            await self.strobe("window_write", offset | (int(word) & 0xFFFF_FFFF) << 16)

    async def read_model(self, features: int) -> np.ndarray:
        dut = self.dut
        words = []
        for offset in range(self.build.chunks(features) * self.build.lanes):
            dut.window_read__payload.value = offset
            dut.window_read__valid.value = 1
            dut.window_data__ready.value = 1
            while True:
                await RisingEdge(dut.clk)
                if int(dut.window_data__valid.value):
                    words.append(int(dut.window_data__payload.value))
                    break
        dut.window_read__valid.value = 0
        return np.array(words[:features], dtype=np.uint32).view(np.int32).astype(np.int64)

    async def send(self, data: bytes, gap: float, rng: random.Random) -> None:
        dut = self.dut
        for byte in data:
            while rng.random() < gap:
                dut.bytes__valid.value = 0
                await RisingEdge(dut.clk)
            dut.bytes__payload.value = byte
            dut.bytes__valid.value = 1
            while True:
                await RisingEdge(dut.clk)
                if int(dut.bytes__ready.value):
                    break
        dut.bytes__valid.value = 0

    async def begin(self, run: Run) -> None:
        dut = self.dut
        dut.features.value = run.features
        dut.base_planes.value = run.p
        dut.up_planes.value = run.m
        dut.batch.value = run.batch
        dut.one_sided.value = int(run.one_sided)
        await self.strobe("control", Control.ABORT)
        await self.idle()
        await self.write_model(run.model)
        for word in reversed(seed_words(run.seed, self.build.update_lanes)):
            await self.strobe("seed", word)
        await self.idle()
        await self.strobe("control", Control.LOAD)
        await self.idle()

    async def epoch(self, run: Run, number: int, rng: random.Random) -> int:
        dut = self.dut
        step = run.steps[number]
        dut.step_mantissa.value = step.mantissa
        dut.step_exponent.value = step.exponent
        await RisingEdge(dut.clk)
        before = self.loss()
        await self.strobe("samples", run.codes[number].labels.size)
        await self.send(weave(run.codes[number], self.build.lanes).tobytes(), run.gap, rng)
        await self.idle()
        return self.loss() - before

    def loss(self) -> int:
        value = int(self.dut.loss_high.value) << 32 | int(self.dut.loss_low.value)
        return value - (value >> 63 << 64)


@cocotb.test()
async def identity(dut) -> None:
    build = parse_build(cocotb.plusargs["build"])
    rng = random.Random(int(cocotb.plusargs["seed"]))
    board = Board(dut, build)
    await board.reset()
    for number in range(int(cocotb.plusargs["runs"])):
        run = random_run(build, rng)
        golden = run.golden()
        await with_timeout(board.begin(run), 10, "ms")
        assert (await board.read_model(run.features) == golden.master).all(), f"{run}: model written"
        for epoch, codes in enumerate(run.codes):
            expected = golden.epoch(codes, run.steps[epoch])
            loss = await with_timeout(board.epoch(run, epoch, rng), 20, "ms")
            model = await board.read_model(run.features)
            where = f"{build} run {number} {run} epoch {epoch}"
            assert loss == expected, f"{where}: loss {loss}, golden {expected}"
            wrong = np.flatnonzero(model != golden.master)
            assert not wrong.size, (
                f"{where}: model differs at {wrong[:9]}: {model[wrong][:9]}, {golden.master[wrong][:9]}"
            )
            assert int(dut.flags.value) == golden.flags, (
                f"{where}: flags {dut.flags.value}, golden {golden.flags}"
            )
            assert int(dut.samples_done.value) == sum(part.labels.size for part in run.codes[: epoch + 1])
        cocotb.log.info("identical: %s", run)
