"""Train beside a sensor: two converters, the quantiser and the training core in one design, and no host.

You learn how to scale a converter's words on the device, how to feed them to `TrainingCore`, and how to turn the model back
into the units of the data. A loudspeaker plays a signal, and a microphone hears its echoes. The design learns the strength of
each echo from the last samples of the signal; it seeds, starts and ends its epochs on its own. What comes out is the loss of
each epoch beside that of the golden model (an estimate without bias, so that a small one may be below 0), how many words of the
models differ, and the echoes that were learnt.
"""

import sys

import numpy as np
from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator, SimulatorContext

from zipsgd import Build, RunConfig, Scaling
from zipsgd.data import Converter
from zipsgd.golden.device_quantiser import DeviceQuantiser, quantiser_seeds
from zipsgd.golden.lfsr import seed_words
from zipsgd.golden.loss import Step
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.quantiser.sample_quantiser import SampleQuantiser
from zipsgd_sim.run_word import run_word

ROWS, EPOCHS = (64, 2) if "--small" in sys.argv else (256, 5)
ECHOES = np.array([0.6, 0.0, -0.3, 0.2, 0.1, 0.0, -0.1, 0.05, 0.0, 0.02])
TAPS, BITS, SEED = ECHOES.size, 12, 1
BUILD = Build(lanes=8, update_lanes=8, max_features=64, max_batch=16)
RUN, STEP = RunConfig(TAPS + 1, p=2, m=2, batch=16, intercept=True), Step.nearest(0.5 / 16)
WORD = data.StructLayout({"kind": 2, "offset": 16, "data": 32})
SCALE, QUANTISER_SEED, CORE_SEED, TRAIN = range(4)


class Sensor(wiring.Component):
    """The last words of the signal and then what is heard, time after time, from two recordings."""

    on: In(1)
    raw: Out(stream.Signature(BITS))

    def elaborate(self, platform):
        m = Module()
        place, time = Signal(range(TAPS + 1)), Signal(range(ROWS))
        played: Memory = Memory(shape=BITS, depth=len(signal), init=signal.tolist())
        heard: Memory = Memory(shape=BITS, depth=ROWS, init=samples[:, -1].tolist())
        m.submodules += [played, heard]
        word, label = played.read_port(domain="comb"), heard.read_port(domain="comb")
        m.d.comb += [word.addr.eq(time + TAPS - 1 - place), label.addr.eq(time)]
        m.d.comb += [
            self.raw.valid.eq(self.on),
            self.raw.payload.eq(Mux(place == TAPS, label.data, word.data)),
        ]
        with m.If(self.on & self.raw.ready):
            m.d.sync += place.eq(Mux(place == TAPS, 0, place + 1))
            with m.If(place == TAPS):
                m.d.sync += time.eq(Mux(time == ROWS - 1, 0, time + 1))
        return m


class Design(wiring.Component):
    """Sensor, quantiser and core, and a ROM of what a host would write."""

    epochs: Out(range(EPOCHS + 1))

    def elaborate(self, platform):
        m = Module()
        m.submodules.sensor = sensor = Sensor()
        m.submodules += [quantiser, core]
        wiring.connect(m, sensor.raw, quantiser.raw)
        wiring.connect(m, quantiser.planes, core.planes)
        wiring.connect(m, quantiser.labels, core.labels)
        configuration = run_word(BUILD, RUN, STEP)
        m.d.comb += [quantiser.run.as_value().eq(configuration), core.run.as_value().eq(configuration)]
        words = [
            {"kind": SCALE, "offset": at, "data": word} for at, word in enumerate(table.words().tolist())
        ]
        words += [{"kind": QUANTISER_SEED, "data": word} for word in reversed(quantiser_seeds(SEED))]
        for epoch in range(EPOCHS):
            seeds = reversed(seed_words(SEED, epoch, BUILD.update_lanes))
            words += [*({"kind": CORE_SEED, "data": word} for word in seeds), {"kind": TRAIN}]
        rom: Memory = Memory(shape=WORD, depth=len(words), init=words)
        m.submodules += rom
        read = rom.read_port(domain="comb")
        m.d.comb += [port.payload.eq(read.data.data) for port in (quantiser.seed, core.seed)]
        m.d.comb += quantiser.scale_window.payload.eq(read.data.as_value()[2:])
        m.d.comb += core.samples.eq(ROWS)
        with m.FSM():
            with m.State("write"), m.If(self.epochs != EPOCHS):
                ports = (quantiser.scale_window, quantiser.seed, core.seed)
                m.d.comb += [port.valid.eq(read.data.kind == kind) for kind, port in enumerate(ports)]
                m.d.sync += read.addr.eq(read.addr + 1)
                m.d.sync += sensor.on.eq(sensor.on | (read.data.kind == CORE_SEED))  # the table is complete
                with m.If(read.data.kind == TRAIN):
                    m.d.comb += [core.clear.eq(1), core.load.eq(1)]
                    m.next = "start"
            with m.State("start"):
                m.d.comb += core.start.eq(1)
                m.next = "train"
            with m.State("train"), m.If(~core.busy):
                m.d.sync += self.epochs.eq(self.epochs + 1)
                m.next = "write"
        return m


async def watch(ctx: SimulatorContext) -> None:
    """Compare each epoch's loss, and at the end the model. Nothing is written to the design."""
    print("epoch  loss of gateware  loss of golden model")
    for epoch in range(EPOCHS):
        await ctx.tick().until(design.epochs == epoch + 1)
        golden.start_epoch(epoch)
        losses = np.array([ctx.get(core.loss), golden.epoch(rounding.quantise(samples), STEP)])
        print("{:5} {:17.6f} {:21.6f}".format(epoch + 1, *losses * RUN.loss_unit(BUILD) / ROWS))
    window, model = core.model_window, []
    ctx.set(window.read.valid, 1)
    ctx.set(window.data.ready, 1)
    for feature in range(TAPS + 1):
        ctx.set(window.read.payload, feature)
        model += await ctx.tick().sample(window.data.payload).until(window.data.valid)
    master = np.array(model, dtype=np.uint32).astype(np.int32)
    print(f"words that differ: {np.count_nonzero(master != golden.master)} of {master.size}")
    print(f"values out of range: {ctx.get(quantiser.saturated)}, golden model: {rounding.saturated}")
    learnt, _ = converter.scaling(table).coefficients(master * 2.0**-BUILD.model_frac)
    print("echoes played:", *(f"{each:6.2f}" for each in ECHOES))
    print("echoes learnt:", *(f"{each:6.2f}" for each in learnt))


rng = np.random.default_rng(SEED)
volts = rng.uniform(-1, 1, ROWS + TAPS - 1)
delayed = np.lib.stride_tricks.sliding_window_view(volts, TAPS)[:, ::-1]  # the newest one first
echo = delayed @ ECHOES + 0.01 * rng.normal(size=ROWS)
ends = np.append(np.full(TAPS, 1.25), 2.5)  # ranges of the converters, in volts
converter = Converter.of_ranges(-ends, ends, BITS, offset_binary=True)
samples = converter.words(np.column_stack([delayed, echo]))
signal = np.append(samples[0, TAPS - 1 : 0 : -1], samples[:, 0])
table = converter.table(Scaling(np.zeros(TAPS), np.ones(TAPS), 0.0, 1.5))

rounding = DeviceQuantiser(table, RUN.p, RUN.m, seeds=quantiser_seeds(SEED))
golden = GoldenTrainer(BUILD, np.zeros(TAPS + 1), RUN, seed=SEED)
core, quantiser, design = TrainingCore(BUILD), SampleQuantiser(BUILD, BITS), Design()
simulator = Simulator(design)
simulator.add_clock(1e-6)
simulator.add_testbench(watch)
simulator.run()
