"""The training core inside an Amaranth design of your own, without link, registers or host.

You learn how to configure `TrainingCore`, how to feed its two streams, and how to read its model. Here the samples come
from two ROMs, and Amaranth's own simulator runs the design. What comes out is a table: for each epoch the loss of the
gateware, the loss of the golden model, and how many words of the two models differ.
"""

import sys

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.sim import Simulator, SimulatorContext

from zipsgd import Build, RunConfig
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes, quantise
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.golden.weave import weave
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_sim.run_word import run_word

ROWS, EPOCHS = (32, 2) if "--small" in sys.argv else (256, 4)
FEATURES, SEED = 11, 1
BUILD = Build(lanes=8, update_lanes=8, max_features=64, max_batch=16)
RUN, STEP = RunConfig(FEATURES, p=2, m=2, batch=16), Step.nearest(0.1 / 16)


class Design(wiring.Component):
    """The core, and two ROMs whose words come again and again."""

    def __init__(self, codes: Codes):
        super().__init__({})
        self.core = TrainingCore(BUILD)
        self.codes = codes

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = self.core
        # With 8 lanes a plane word is a byte. On the link a sample is two bytes of label, then its plane words.
        planes = weave(self.codes, RUN.layout(BUILD))[:, 2:].ravel()
        for port, words in ((self.core.planes, planes), (self.core.labels, self.codes.labels)):
            rom: Memory = Memory(shape=port.payload.shape(), depth=words.size, init=words.tolist())
            m.submodules += rom
            read = rom.read_port(domain="comb")
            m.d.comb += [port.valid.eq(1), port.payload.eq(read.data)]
            with m.If(port.ready):
                m.d.sync += read.addr.eq(read.addr + 1)  # wraps, since the depth is a power of two
        return m


async def pulse(ctx: SimulatorContext, signal: Signal) -> None:
    ctx.set(signal, 1)
    await ctx.tick()
    ctx.set(signal, 0)


async def train_epoch(ctx: SimulatorContext, number: int) -> int:
    """The loss as the core counts it."""
    await pulse(ctx, core.clear)
    for word in reversed(seed_words(SEED, number, BUILD.update_lanes)):
        ctx.set(core.seed.payload, word)
        await pulse(ctx, core.seed.valid)
    await pulse(ctx, core.load)
    await pulse(ctx, core.start)
    await ctx.tick().until(~core.busy)
    return ctx.get(core.loss)


async def read_model(ctx: SimulatorContext) -> np.ndarray:
    window, words = core.model_window, []
    ctx.set(window.read.valid, 1)
    ctx.set(window.data.ready, 1)
    for feature in range(FEATURES):
        ctx.set(window.read.payload, feature)
        words += await ctx.tick().sample(window.data.payload).until(window.data.valid)
    ctx.set(window.read.valid, 0)
    return np.array(words, dtype=np.uint32).astype(np.int32)


async def compare(ctx: SimulatorContext) -> None:
    """Train epoch by epoch. Both models start from zero, as the core's memory does."""
    golden = GoldenTrainer(BUILD, np.zeros(FEATURES), RUN, seed=SEED)
    ctx.set(core.run.as_value(), run_word(BUILD, RUN, STEP))
    ctx.set(core.samples, ROWS)
    print("epoch  loss of gateware  loss of golden model  words that differ")
    for epoch in range(EPOCHS):
        golden.start_epoch(epoch)
        losses = np.array([await train_epoch(ctx, epoch), golden.epoch(codes, STEP)])
        gateware, expected = losses * RUN.loss_unit(BUILD) / ROWS
        different = np.count_nonzero(await read_model(ctx) != golden.master)
        print(f"{epoch + 1:5} {gateware:17.6f} {expected:21.6f} {different:18}")


rng = np.random.default_rng(SEED)
values = np.column_stack([rng.uniform(-1, 1, (ROWS, FEATURES - 1)), np.ones(ROWS)])  # with the intercept
labels = (values @ rng.normal(size=FEATURES) * 2**12).astype(np.int16)  # in units of 2^-15
codes = quantise(values, labels, RUN.p, RUN.m, seed=SEED, epoch=0, rows=range(ROWS))

core = (design := Design(codes)).core
simulator = Simulator(design)
simulator.add_clock(1e-6)
simulator.add_testbench(compare)
simulator.run()
