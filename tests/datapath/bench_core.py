"""cocotb: the training core against the golden model, its streams at full rate or stalled at random."""

import random
from typing import Any

import cocotb
import numpy as np
from bench_datapath import Board, kinds
from cocotb.triggers import RisingEdge, with_timeout
from datapath_runs import golden_of, parse_build, quantise_fixed_point, random_run, random_stall

from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import targets
from zipsgd.golden.weave import plane_words
from zipsgd_sim.random_runs import RandomRun
from zipsgd_sim.run_word import run_word


class CoreBoard(Board):
    """Drives a :class:`zipsgd_hw.datapath.core.TrainingCore`."""

    inputs = ("planes__valid", "labels__valid", "start", "load", "clear", "seed__valid")

    async def pulse(self, name: str) -> None:
        await self.pause()
        getattr(self.dut, name).value = 1
        await RisingEdge(self.dut.clk)
        getattr(self.dut, name).value = 0

    async def idle(self) -> None:
        await RisingEdge(self.dut.clk)
        await RisingEdge(self.dut.clk)
        while int(self.dut.busy.value):
            await RisingEdge(self.dut.clk)

    async def begin(self, run: RandomRun) -> None:
        dut = self.dut
        dut.run.value = run_word(self.build, run.config, run.steps[0])
        await self.pulse("clear")
        if run.config.diagonal is not None:
            for offset, word in enumerate(run.config.diagonal.words.tolist()):
                await self.strobe("variance_window", offset | word << 16)
        await self.write_model(run.model)

    async def epoch(self, run: RandomRun, number: int) -> int:
        dut = self.dut
        codes = quantise_fixed_point(run, number)
        dut.run.value = run_word(self.build, run.config, run.steps[number])
        for word in reversed(seed_words(run.seed, number, self.build.update_lanes)):
            await self.strobe("seed", word)
        await self.pulse("load")
        if self.rng.random() < 0.5:  # samples may come while Q3 is drawn
            await self.idle()
        before = self.loss()
        dut.samples.value = len(codes.labels)
        await self.pulse("start")
        heads = run.config.heads
        seen = targets(codes.labels.astype(np.int64), heads, run.config.one_against_all)
        labels = cocotb.start_soon(self.feed("labels", [int(label) & 0xFFFF for label in seen.ravel()]))
        # A sample comes once for each head
        words = [word for sample in plane_words(codes, self.build.lanes) for word in sample * heads]
        await self.feed("planes", words)
        await labels
        await self.idle()
        return self.loss() - before

    def loss(self) -> int:
        value = int(self.dut.loss.value)
        return value - (value >> 63 << 64)


@cocotb.test()
async def identity(dut: Any) -> None:
    build = parse_build(cocotb.plusargs["build"])
    rng = random.Random(int(cocotb.plusargs["seed"]))
    board = CoreBoard(dut, build, random.Random(rng.random()))
    await board.reset()
    for number, kind in enumerate(kinds()):
        run = random_run(build, rng, bytes_limit=8000, kind=kind)
        board.stall = random_stall(rng)
        golden = golden_of(build, run)
        await with_timeout(board.begin(run), 10, "ms")
        saturated = 0
        for epoch, samples in enumerate(run.epochs):
            expected = golden.epoch(samples, run.steps[epoch], lambda done: None)
            saturated |= expected.flags
            loss = await with_timeout(board.epoch(run, epoch), 20, "ms")
            model = await board.read_model(run.config.model_shape())
            where = f"run {number} {kind} {run} stall {board.stall} epoch {epoch}"
            assert loss == expected.loss_sum, f"{where}: loss {loss}, golden {expected.loss_sum}"
            assert (model == golden.model()).all(), (
                f"{where}: model differs at {np.flatnonzero(model != golden.model())[:9]}"
            )
            assert int(dut.flags.value) == saturated, f"{where}: flags {dut.flags.value}, golden {saturated}"
