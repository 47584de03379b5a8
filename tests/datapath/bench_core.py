"""cocotb: the training core against the golden model, its planes at full rate or with random gaps."""

import random
from typing import Any

import cocotb
import numpy as np
from bench_datapath import Board
from cocotb.triggers import RisingEdge, with_timeout
from datapath_runs import Run, parse_build, random_run

from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes
from zipsgd.golden.weave import planes
from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.config import run_layout


def run_word(build: Build, run: Run, step: Step) -> int:
    values = {
        "last_chunk": build.chunks(run.features) - 1,
        "last_lane": (run.features - 1) % build.lanes,
        "last_base": run.p - 1,
        "last_plane": run.p + run.m - 1,
        "up_planes": run.m,
        "shift": build.p_max - run.p,
        "symmetric": int(run.m == 2 and not run.one_sided),
        "step_mantissa": step.mantissa,
        "step_exponent": step.exponent,
        "last_in_batch": run.batch - 1,
    }
    return int(run_layout(build).const(values).as_value().value)


def plane_words(codes: Codes, lanes: int) -> list[int]:
    """Plane words of all samples in the order of the stream."""
    rows = planes(codes)
    count, total, features = rows.shape
    chunks = -(-features // lanes)
    bits = np.zeros((count, total, chunks * lanes), dtype=np.uint8)
    bits[:, :, :features] = rows
    packed = np.packbits(
        bits.reshape(count, total, chunks, lanes).transpose(0, 2, 1, 3).reshape(-1, lanes),
        axis=1,
        bitorder="little",
    )
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


class CoreBoard(Board):
    """Drives a :class:`zipsgd_hw.datapath.core.TrainingCore`."""

    inputs = (
        *("planes__valid", "labels__valid", "start", "load", "clear", "seed_load"),
        *("window_write__valid", "window_read__valid", "window_data__ready"),
    )

    async def pulse(self, name: str) -> None:
        getattr(self.dut, name).value = 1
        await RisingEdge(self.dut.clk)
        getattr(self.dut, name).value = 0

    async def idle(self) -> None:
        await RisingEdge(self.dut.clk)
        await RisingEdge(self.dut.clk)
        while int(self.dut.busy.value):
            await RisingEdge(self.dut.clk)

    async def begin(self, run: Run) -> None:
        dut = self.dut
        dut.run.value = run_word(self.build, run, run.steps[0])
        await self.pulse("clear")
        await self.write_model(run.model)
        for word in reversed(seed_words(run.seed, self.build.update_lanes)):
            dut.seed.value = word
            await self.pulse("seed_load")
        await self.idle()
        await self.pulse("load")
        await self.idle()

    async def feed(self, name: str, words: list[int], gap: float, rng: random.Random) -> None:
        payload, valid = getattr(self.dut, f"{name}__payload"), getattr(self.dut, f"{name}__valid")
        ready = getattr(self.dut, f"{name}__ready")
        for word in words:
            while rng.random() < gap:
                valid.value = 0
                await RisingEdge(self.dut.clk)
            payload.value = word
            valid.value = 1
            while True:
                await RisingEdge(self.dut.clk)
                if int(ready.value):
                    break
        valid.value = 0

    async def epoch(self, run: Run, number: int, rng: random.Random) -> int:
        dut = self.dut
        codes = run.codes[number]
        dut.run.value = run_word(self.build, run, run.steps[number])
        before = self.loss()
        dut.samples.value = codes.labels.size
        await self.pulse("start")
        labels = cocotb.start_soon(
            self.feed(
                "labels",
                [int(label) & 0xFFFF for label in codes.labels],
                run.gap / 2,
                random.Random(rng.random()),
            )
        )
        await self.feed("planes", plane_words(codes, self.build.lanes), run.gap, rng)
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
    board = CoreBoard(dut, build)
    await board.reset()
    for number in range(int(cocotb.plusargs["runs"])):
        run = random_run(build, rng, bytes_limit=8000)
        golden = run.golden()
        await with_timeout(board.begin(run), 10, "ms")
        for epoch, codes in enumerate(run.codes):
            expected = golden.epoch(codes, run.steps[epoch])
            loss = await with_timeout(board.epoch(run, epoch, rng), 20, "ms")
            model = await board.read_model(run.features)
            where = f"run {number} {run} epoch {epoch}"
            assert loss == expected, f"{where}: loss {loss}, golden {expected}"
            assert (model == golden.master).all(), (
                f"{where}: model differs at {np.flatnonzero(model != golden.master)[:9]}"
            )
            assert int(dut.flags.value) == golden.flags, (
                f"{where}: flags {dut.flags.value}, golden {golden.flags}"
            )
