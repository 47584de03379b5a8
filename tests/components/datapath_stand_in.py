"""A stand-in for the datapath, whose result registers show what it has received."""

from functools import reduce
from operator import xor

from amaranth import C, Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import registers_of, windows_of
from zipsgd_hw.windows import window_signature

BUILD = Build(
    lanes=4,
    update_lanes=4,
    max_features=64,
    rx_bytes=1024,
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
    clock_hz=60_000_000,
)
"""A build with every optional part."""
WINDOW_WORDS = 64
"""Words of the stand-in's model window."""
_OTHERS = ("frames_bad", "frames_skipped", "session")
"""Registers that belong to the link and to the host, not to the datapath."""


def settings_of(build):
    """The names of the registers that configure the datapath.

    Parameters
    ----------
    build : Build
        The build.

    Returns
    -------
    list of str
        Names in the order of the addresses.
    """
    return [
        name
        for name, register in registers_of(build).items()
        if register.access == "s" and name not in _OTHERS
    ]


def digest(settings):
    """A combination of all settings, which differs if a single setting differs.

    Parameters
    ----------
    settings : iterable of int or Value
        Values in the order of :func:`settings_of`.

    Returns
    -------
    int or Value
        The exclusive or of the values, each shifted by its index.
    """
    return reduce(xor, (value << place for place, value in enumerate(settings)))


class StandIn(wiring.Component):
    """A component with the ports of the datapath, a slow model window of 64 words, and results that show what was received.

    The result registers have these meanings:

    * ``flags``: sum of the seeds
    * ``loss_low``, ``loss_high``: number of writes to ``control``, and the last value written
    * ``samples_done``: bytes that are still expected; the component is busy until it is 0
    * ``cycles_low``, ``cycles_high``: sum of the received bytes, and number of resets
    * ``plane_cycles_low``: :func:`digest` of all settings
    * ``plane_cycles_high``: exclusive or of the words and offsets of the level window, of 16 times the words of the
      coefficient window, and of 256 times the words and offsets of the variance window
    * all others: constants

    Parameters
    ----------
    build : Build
        The build.
    """

    def __init__(self, build=BUILD):
        self._settings = settings_of(build)
        self._windows = windows_of(build)
        members = {
            "bytes": In(stream.Signature(8)),
            "bytes_reset": In(1),
            **{name: In(window_signature(window)) for name, window in self._windows.items()},
        }
        for name, register in registers_of(build).items():
            if name in identification(build) or name in _OTHERS:
                continue
            members[name] = {
                "r": Out(register.width),
                "s": In(register.width),
                "w": In(stream.Signature(register.width, always_ready=True)),
            }[register.access]
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=32, depth=WINDOW_WORDS, init=[])
        write, read = memory.write_port(), memory.read_port()
        model = self.model_window
        beat = Signal(2)
        levels = Signal(32, init=0x1234_5678)
        m.d.sync += beat.eq(beat + 1)
        reading = Signal()
        m.d.comb += [
            model.write.ready.eq(beat == 3),
            write.en.eq(model.write.valid & model.write.ready),
            write.addr.eq(model.write.payload.offset),
            write.data.eq(model.write.payload.data),
            model.read.ready.eq((beat == 1) & ~reading),
            read.addr.eq(model.read.payload),
            read.en.eq(model.read.ready),
            model.data.payload.eq(read.data),
            model.data.valid.eq(reading & (beat == 0)),
        ]
        with m.If(model.read.ready & model.read.valid):
            m.d.sync += reading.eq(1)
        with m.If(model.data.valid & model.data.ready):
            m.d.sync += reading.eq(0)

        with m.If(self.seed.valid):
            m.d.sync += self.flags.eq(self.flags + self.seed.payload)
        with m.If(self.control.valid):
            m.d.sync += [self.loss_low.eq(self.loss_low + 1), self.loss_high.eq(self.control.payload)]
        m.d.comb += [
            self.bytes.ready.eq((self.samples_done != 0) & beat[0]),
            self.status.eq(self.samples_done != 0),
            self.plane_cycles_low.eq(digest(getattr(self, name) for name in self._settings)),
            self.plane_cycles_high.eq(levels),
            self.starved_cycles_low.eq(0x9ABC_DEF0),
            self.starved_cycles_high.eq(0xFFFF_FFFF),
        ]
        if "level_window" in self._windows:
            with m.If(self.level_window.valid):
                word = self.level_window.payload
                m.d.sync += levels.eq(levels ^ word.data ^ word.offset)
        if "coefficient_window" in self._windows:
            with m.If(self.coefficient_window.valid):
                m.d.sync += levels.eq(levels ^ Cat(C(0, 4), self.coefficient_window.payload.data))
        if "variance_window" in self._windows:
            with m.If(self.variance_window.valid):
                word = self.variance_window.payload
                m.d.sync += levels.eq(levels ^ Cat(C(0, 8), word.data ^ word.offset))
        if "doubt_window" in self._windows:
            doubted = Signal.like(self.doubt_window.offset)
            m.d.sync += [doubted.eq(self.doubt_window.offset), self.doubt_window.word.eq(~doubted)]
        if "score_window" in self._windows:
            scored = Signal.like(self.score_window.offset)
            m.d.sync += [scored.eq(self.score_window.offset), self.score_window.word.eq(3 * scored)]
        with m.If(self.samples.valid):
            m.d.sync += self.samples_done.eq(self.samples.payload)
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += [
                self.samples_done.eq(self.samples_done - 1),
                self.cycles_low.eq(self.cycles_low + self.bytes.payload),
            ]
        with m.If(self.bytes_reset):
            m.d.sync += [self.cycles_high.eq(self.cycles_high + 1), self.samples_done.eq(0)]
        return m
