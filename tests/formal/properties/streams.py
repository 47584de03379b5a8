"""Streams keep their payload while it waits, and words arrive in order."""

from functools import partial
from typing import Any

from amaranth.hdl import Mux, Signal, Value
from amaranth.lib.wiring import Component
from checker import Method, Mutation, Property
from harness import Harness, inside, steady
from small import legal_run, small_build

from zipsgd_hw.datapath.model_window import ModelWindow
from zipsgd_hw.datapath.sample_repeater import SampleRepeater
from zipsgd_hw.datapath.transcoder import Transcoder
from zipsgd_hw.datapath.update_unit import UpdateUnit
from zipsgd_hw.link.command_unit import CommandUnit
from zipsgd_hw.link.frame_receiver import FrameReceiver
from zipsgd_hw.link.frame_sender import FrameSender
from zipsgd_hw.link.register_bank import RegisterBank
from zipsgd_hw.link.uart import UartReceiver, UartTransmitter
from zipsgd_hw.stream_register import StreamRegister

__all__ = ["PROPERTIES", "STEADY", "assume_steady", "driven", "show_steady"]

_UART_CYCLES = 51
"""Cycles from the transmitter's taking a byte to the receiver's delivering it, at five cycles per bit."""


def show_steady(harness: Harness, component: Any, *outputs: str, unless: Value | None = None) -> None:
    """States that words of these outputs wait unchanged; ``unless`` allows them to be withdrawn."""
    for output in outputs:
        harness.show(f"{output} is steady", steady(harness, getattr(component, output), unless=unless))


def assume_steady(harness: Harness, component: Any, *inputs: str) -> None:
    """Assumes the same of these inputs."""
    for name in inputs:
        harness.assume(f"{name} is steady", steady(harness, getattr(component, name)))


def driven(component: Component, *but: str) -> Harness:
    """A harness around ``component`` whose inputs are free, all ``but`` these."""
    harness = Harness()
    harness.m.submodules.dut = component
    harness.drive(component, but=but)
    return harness


def _stream_register() -> Harness:
    """The stream register, compared with a queue of two words."""
    dut = StreamRegister(2)
    harness = driven(dut)
    words, count = Signal(4), Signal(2)
    comes, goes = Signal(), Signal()
    left = Signal(2)
    harness.m.d.comb += [
        comes.eq(dut.input.valid & dut.input.ready),
        goes.eq(dut.output.valid & dut.output.ready),
        left.eq(count - goes),
    ]
    kept = Mux(goes, words[2:], words)
    fresh = Mux(left == 0, dut.input.payload, (dut.input.payload << 2) | kept[:2])
    harness.m.d.sync += [count.eq(left + comes), words.eq(Mux(comes, fresh, kept))]
    show_steady(harness, dut, "output")
    harness.show("as many words as came", dut.output.valid == (count != 0))
    harness.show("the oldest word", ~dut.output.valid | (dut.output.payload == words[:2]))
    return harness


def _repeater(*, words: bool = False) -> Harness:
    """The repeater's streams; or ``words``, those of one place."""
    build = small_build(heads=2, replay_words=4 if words else 8)
    dut = SampleRepeater(build)
    parts = inside(dut)
    harness = driven(dut, "run")
    legal_run(harness, build, dut.run)
    assume_steady(harness, dut, "planes", "labels")
    if not words:
        held, ahead = Signal.like(parts.written), Signal.like(parts.written)
        harness.m.d.comb += [held.eq(parts.written - parts.kept), ahead.eq(parts.written - parts.place)]
        harness.show("as many words as came and are still wanted", parts.level == held)
        harness.show("no more than there is room for", held <= build.replay_words)
        harness.show("the place that is read is one of them", ahead <= held)
        show_steady(harness, dut, "repeated_planes", "repeated_labels")
        return harness
    place = harness.constant(parts.written.shape().width, "place")
    here, word = Signal(), Signal(build.lanes)
    with harness.m.If(parts.comes & (parts.written == place)):
        harness.m.d.sync += [here.eq(1), word.eq(dut.planes.payload)]
    with harness.m.Elif(parts.frees & (parts.place == place)):
        harness.m.d.sync += here.eq(0)
    marked, wanted, due = (
        Signal(),
        Signal(),
        Signal.like(word),
    )  # the word that waits at the output is of this place
    with harness.m.If(parts.moves):
        harness.m.d.sync += [marked.eq(parts.place == place), wanted.eq(here), due.eq(word)]
    at_output = dut.repeated_planes.valid & marked
    harness.show("a word that came and was still wanted", ~at_output | wanted)
    harness.show("the word that came to this place", ~at_output | (dut.repeated_planes.payload == due))
    return harness


def _transcoder() -> Harness:
    build = small_build(level_bits=2, level_p_max=1)
    dut = Transcoder(build)
    harness = driven(dut, "run")
    legal_run(harness, build, dut.run)
    show_steady(harness, dut, "output")
    return harness


def _receiver() -> Harness:
    dut = FrameReceiver(small_build(rx_bytes=16))
    parts = inside(dut)
    harness = driven(dut)
    harness.cut(parts.crc, parts.crc.match_detected)
    show_steady(harness, dut, "stored", unless=dut.sync)
    return harness


def _sender() -> Harness:
    dut = FrameSender()
    harness = driven(dut)
    show_steady(harness, dut, "coded")
    return harness


def _commands() -> Harness:
    dut = CommandUnit()
    harness = driven(dut)
    assume_steady(harness, dut, "stored", "read_data")
    # A write clears idle within eight cycles; without writes, the datapath stays idle.
    lately = Signal(range(9))
    written = dut.write.valid & dut.write.ready
    harness.m.d.sync += lately.eq(Mux(written, 8, Mux(lately == 0, 0, lately - 1)))
    harness.assume("only a write makes the datapath busy", dut.idle | ~harness.past(dut.idle) | (lately != 0))
    show_steady(harness, dut, "read", "bytes", "answer")
    return harness


def _bank() -> Harness:
    dut = RegisterBank(small_build())
    harness = driven(dut)
    assume_steady(harness, dut, "read", "write")
    asked = Signal()
    with harness.m.If(dut.read.valid & dut.read.ready):
        harness.m.d.sync += asked.eq(1)
    with harness.m.Elif(dut.read_data.valid & dut.read_data.ready):
        harness.m.d.sync += asked.eq(0)
    harness.assume("one read at a time", ~(dut.read.valid & asked))
    window = dut.model_window
    harness.assume("words from the window as UpdateUnit gives them", window.data.valid == window.read.ready)
    harness.assume("of what was asked", ~window.data.valid | window.read.valid)
    show_steady(harness, dut, "read_data")
    show_steady(harness, window, "write", "read")
    return harness


def _window() -> Harness:
    dut: Any = UpdateUnit(small_build())
    harness = driven(dut)
    window = dut.model_window
    assume_steady(harness, window, "read")
    busy = dut.gradient.ends | dut.load | dut.loading | window.write.valid
    harness.assume("nothing else at the window", ~(window.read.valid & busy))
    show_steady(harness, window, "data")
    return harness


def _uart() -> Harness:
    """A transmitter sends to a receiver at five cycles per bit; one byte, any one, is marked and followed."""
    sender, receiver = UartTransmitter(5), UartReceiver(5)
    harness = Harness()
    m = harness.m
    m.submodules += [sender, receiver]
    harness.drive(sender)
    m.d.comb += receiver.rx.eq(sender.tx)
    begins = Signal()
    sent, marked = Signal(8), Signal()
    age, under_way = Signal(range(_UART_CYCLES + 2)), Signal(2)
    m.d.comb += begins.eq(sender.data.valid & sender.data.ready)
    m.d.sync += under_way.eq(under_way + begins - receiver.data.valid)
    with m.If(harness.free(1, "mark") & begins & ~marked):
        m.d.sync += [marked.eq(1), sent.eq(sender.data.payload), age.eq(1)]
    with m.Elif(marked & (age <= _UART_CYCLES)):
        m.d.sync += age.eq(age + 1)
    came = receiver.data.valid & (receiver.data.payload == sent)
    harness.show("it comes as it was sent", (age != _UART_CYCLES) | came)
    harness.show("none comes that was not sent", ~receiver.data.valid | (under_way != 0))
    return harness


STEADY = "{} stay unchanged until they are taken"

_SHOWN = (
    Mutation(
        SampleRepeater,
        "the memory runs ahead",
        "read.addr.eq(Mux(moves, following, place)[:-1])",
        "read.addr.eq(following[:-1])",
    ),
    Mutation(
        SampleRepeater,
        "a word shows before it is written",
        "(after != written)",
        "(after != written + comes)",
    ),
)
"""Mutations of the words that the repeater reads."""

_KEPT = (
    Mutation(
        SampleRepeater,
        "room for a word while another goes",
        "~frees & (level[-1] | (level[:-1].all() & comes))",
        "~frees & level[-1]",
    ),
    Mutation(SampleRepeater, "words go in an earlier turn", "moves & position.last_head", "moves"),
)
"""Mutations of the words that it keeps."""

PROPERTIES = [
    Property(
        "stream register",
        "words come out in order, each once, and wait unchanged",
        "StreamRegister",
        "2 bits",
        _stream_register,
        (
            Mutation(
                StreamRegister, "a word is written over", "with m.If(~kept):", "with m.If(self.input.valid):"
            ),
        ),
    ),
    Property(
        "repeater",
        STEADY.format("labels and planes") + "; the memory takes in no more than it has room for",
        "SampleRepeater",
        "L = 4, two heads, any run",
        _repeater,
        _KEPT,
    ),
    Property(
        "repeated words",
        "a plane word that goes out is the one that came in to its place, and a head still wanted it",
        "SampleRepeater",
        "L = 4, two heads, any run",
        partial(_repeater, words=True),
        _SHOWN + _KEPT,
        method=Method.BMC,
        depth=16,
    ),
    Property(
        "transcoder",
        STEADY.format("planes"),
        "Transcoder",
        "L = 4, levels of 2 bits, any run",
        _transcoder,
        (
            Mutation(
                Transcoder,
                "a plane does not wait",
                "flows.eq(~self.output.valid | self.output.ready)",
                "flows.eq(1)",
            ),
        ),
    ),
    Property(
        "receiver",
        STEADY.format("bytes of frames other than SYNC"),
        "FrameReceiver",
        "ring of 16 bytes, CRC free",
        _receiver,
        (
            Mutation(
                FrameReceiver,
                "a byte does not wait",
                "read.en.eq(self.stored.ready | ~self.stored.valid)",
                "read.en.eq(1)",
            ),
        ),
    ),
    Property(
        "sender",
        STEADY.format("bytes to the line"),
        "FrameSender",
        "",
        _sender,
        (
            Mutation(
                FrameSender,
                "a byte does not wait",
                "with m.If(self.coded.ready):",
                "with m.If(self.coded.valid):",
            ),
        ),
        mutant_depth=110,
        slow=True,
    ),
    Property(
        "command unit",
        STEADY.format("reads, bytes of samples and answers"),
        "CommandUnit",
        "",
        _commands,
        (
            Mutation(
                CommandUnit,
                "a byte does not wait",
                "self.stored.ready.eq(self.bytes.ready)",
                "self.stored.ready.eq(1)",
            ),
        ),
    ),
    Property(
        "register bank",
        STEADY.format("words read, and words to the windows,"),
        "RegisterBank",
        "of the small build",
        _bank,
        (
            Mutation(
                RegisterBank,
                "a word does not wait",
                "with m.If(self.read_data.ready):",
                "with m.If(self.read_data.valid):",
            ),
        ),
    ),
    Property(
        "model window",
        STEADY.format("words read"),
        "UpdateUnit",
        "L = U = 4",
        _window,
        (
            Mutation(
                ModelWindow,
                "a word does not wait",
                "with m.If(window.data.ready):",
                "with m.If(window.data.valid):",
            ),
        ),
    ),
    Property(
        "serial line",
        "each byte sent is received as it was sent, and no other byte is received",
        "UartTransmitter, UartReceiver",
        "5 cycles a bit, any gaps",
        _uart,
        (
            Mutation(
                UartReceiver,
                "bits are sampled late",
                "self._divisor // 2 - 1",
                "self._divisor // 2 + 1",
            ),
        ),
        method=Method.BMC,
        depth=104,
        mutant_depth=75,
    ),
]
