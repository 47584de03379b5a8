"""Streams keep their payload while it waits, and words arrive in order."""

from typing import Any

from amaranth.hdl import Mux, Signal, Value
from amaranth.lib.wiring import Component
from checker import Method, Mutation, Property
from harness import Harness, inside, steady
from small import legal_run, small_build

from zipsgd_hw.datapath.byte_funnel import ByteFunnel
from zipsgd_hw.datapath.model_window import ModelWindow
from zipsgd_hw.datapath.sample_repeater import SampleRepeater
from zipsgd_hw.datapath.sample_unpacker import SampleUnpacker
from zipsgd_hw.datapath.transcoder import Transcoder
from zipsgd_hw.datapath.update_unit import UpdateUnit
from zipsgd_hw.link.command_unit import CommandUnit
from zipsgd_hw.link.frame_receiver import FrameReceiver
from zipsgd_hw.link.frame_sender import FrameSender
from zipsgd_hw.link.register_bank import RegisterBank
from zipsgd_hw.link.uart import UartReceiver, UartTransmitter
from zipsgd_hw.stream_register import StreamRegister

__all__ = ["PROPERTIES"]

_UART_CYCLES = 51
"""Cycles from the transmitter's taking a byte to the receiver's delivering it, at five cycles per bit."""


def _show_steady(harness: Harness, component: Any, *outputs: str, unless: Value | None = None) -> None:
    for output in outputs:
        harness.show(f"{output} is steady", steady(harness, getattr(component, output), unless=unless))


def _assume_steady(harness: Harness, component: Any, *inputs: str) -> None:
    for name in inputs:
        harness.assume(f"{name} is steady", steady(harness, getattr(component, name)))


def _driven(component: Component, *but: str) -> Harness:
    harness = Harness()
    harness.m.submodules.dut = component
    harness.drive(component, but=but)
    return harness


def _stream_register() -> Harness:
    """The stream register, compared with a queue of two words."""
    dut = StreamRegister(2)
    harness = _driven(dut)
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
    _show_steady(harness, dut, "output")
    harness.show("as many words as came", dut.output.valid == (count != 0))
    harness.show("the oldest word", ~dut.output.valid | (dut.output.payload == words[:2]))
    return harness


def _unpacker(lanes: int, word_bytes: int = 1) -> Harness:
    build = small_build(lanes=lanes, max_features=4 * lanes, heads=2, word_bytes=word_bytes)
    dut = SampleUnpacker(build)
    harness = _driven(dut, "run")
    legal_run(harness, build, dut.run)
    _assume_steady(harness, dut, "input")
    _show_steady(harness, dut, "labels", "planes")
    return harness


def _funnel() -> Harness:
    """The funnel, compared with a count of bytes, one of which, any one, is marked and followed."""
    size = 4
    dut = ByteFunnel(size, size)
    harness = _driven(dut)
    m, word = harness.m, dut.input.payload
    _assume_steady(harness, dut, "input")
    harness.assume("no more than a word is wanted", dut.wanted <= size)
    comes, goes = Signal(), Signal(range(size + 1))
    m.d.comb += [comes.eq(dut.input.valid & dut.input.ready), goes.eq(Mux(dut.take, dut.given, 0))]
    held = Signal(range(4 * size))  # bytes that have come and are not gone, at the start of the cycle
    m.d.sync += held.eq(held + Mux(comes, word.last + 1, 0) - goes)
    behind = Mux(comes, word.last + 1, 0)
    harness.show("no byte that is not there", goes <= held + behind)
    harness.show("no more than is wanted", dut.given <= dut.wanted)
    waits = (held == 0) | ((held < dut.wanted) & ~dut.input.valid)
    harness.show("it gives something where it can", (dut.given != 0) | (dut.wanted == 0) | waits)

    index = harness.constant(range(size), "index")
    marked, byte, ahead = Signal(), Signal(8), Signal(range(4 * size))
    follows, its_byte, its_place = (
        Signal(),
        Signal(8),
        Signal(range(4 * size)),
    )  # with one that comes in this cycle
    marks = comes & harness.free(1, "marks") & (index <= word.last)
    m.d.comb += [
        follows.eq(marked | marks),
        its_byte.eq(Mux(marked, byte, word.data.word_select(index, 8))),
        its_place.eq(Mux(marked, ahead, held + index)),
    ]
    m.d.sync += [marked.eq(follows & (its_place >= goes)), byte.eq(its_byte), ahead.eq(its_place - goes)]
    place = (dut.place + its_place)[: len(dut.place)]
    given = follows & (its_place < dut.given)
    harness.show("each byte in its turn", ~given | (dut.bytes.word_select(place, 8) == its_byte))
    return harness


def _repeater() -> Harness:
    build = small_build(heads=2, replay_words=8)
    dut = SampleRepeater(build)
    harness = _driven(dut, "run")
    legal_run(harness, build, dut.run)
    _assume_steady(harness, dut, "planes", "labels")
    _show_steady(harness, dut, "repeated_planes", "repeated_labels")
    return harness


def _transcoder() -> Harness:
    build = small_build(level_bits=2, level_p_max=1)
    dut = Transcoder(build)
    harness = _driven(dut, "run")
    legal_run(harness, build, dut.run)
    _show_steady(harness, dut, "output")
    return harness


def _receiver() -> Harness:
    dut = FrameReceiver(small_build(rx_bytes=16))
    parts = inside(dut)
    harness = _driven(dut)
    harness.cut(parts.crc, parts.crc.match_detected)
    _show_steady(harness, dut, "stored", unless=dut.sync)
    return harness


def _sender() -> Harness:
    dut = FrameSender()
    harness = _driven(dut)
    _show_steady(harness, dut, "coded")
    return harness


def _commands() -> Harness:
    dut = CommandUnit()
    harness = _driven(dut)
    _assume_steady(harness, dut, "stored", "read_data")
    # A write clears idle within eight cycles; without writes, the datapath stays idle.
    lately = Signal(range(9))
    written = dut.write.valid & dut.write.ready
    harness.m.d.sync += lately.eq(Mux(written, 8, Mux(lately == 0, 0, lately - 1)))
    harness.assume("only a write makes the datapath busy", dut.idle | ~harness.past(dut.idle) | (lately != 0))
    _show_steady(harness, dut, "read", "bytes", "answer")
    return harness


def _bank() -> Harness:
    dut = RegisterBank(small_build())
    harness = _driven(dut)
    _assume_steady(harness, dut, "read", "write")
    asked = Signal()
    with harness.m.If(dut.read.valid & dut.read.ready):
        harness.m.d.sync += asked.eq(1)
    with harness.m.Elif(dut.read_data.valid & dut.read_data.ready):
        harness.m.d.sync += asked.eq(0)
    harness.assume("one read at a time", ~(dut.read.valid & asked))
    window = dut.model_window
    harness.assume("words from the window as UpdateUnit gives them", window.data.valid == window.read.ready)
    harness.assume("of what was asked", ~window.data.valid | window.read.valid)
    _show_steady(harness, dut, "read_data")
    _show_steady(harness, window, "write", "read")
    return harness


def _window() -> Harness:
    dut: Any = UpdateUnit(small_build())
    harness = _driven(dut)
    window = dut.model_window
    _assume_steady(harness, window, "read")
    busy = dut.gradient.ends | dut.load | dut.loading | window.write.valid
    harness.assume("nothing else at the window", ~(window.read.valid & busy))
    _show_steady(harness, window, "data")
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


_STEADY = "{} stay unchanged until they are taken"

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
        "unpacker of half bytes",
        _STEADY.format("labels and planes"),
        "SampleUnpacker",
        "L = 4, two heads, any run",
        lambda: _unpacker(4),
        (
            Mutation(
                SampleUnpacker,
                "a plane does not wait",
                "free.eq(~self.planes.valid | self.planes.ready)",
                "free.eq(1)",
            ),
        ),
    ),
    Property(
        "unpacker of bytes",
        _STEADY.format("labels and planes"),
        "SampleUnpacker",
        "L = 16, two heads, any run",
        lambda: _unpacker(16),
        (
            Mutation(
                SampleUnpacker,
                "a label does not wait",
                "free.eq(~self.labels.valid | self.labels.ready)",
                "free.eq(1)",
            ),
        ),
    ),
    Property(
        "unpacker of words",
        _STEADY.format("labels and planes"),
        "SampleUnpacker",
        "L = 16, words of two bytes, two heads, any run",
        lambda: _unpacker(16, 2),
        (
            Mutation(
                SampleUnpacker,
                "a plane does not wait",
                "room.eq(Mux(in_label, ~held | label_free, free))",
                "room.eq(1)",
            ),
        ),
    ),
    Property(
        "byte funnel",
        "bytes go out in order, each once, never more than wanted, and some wherever they are there",
        "ByteFunnel",
        "words of 4 bytes, up to 4 at a time",
        _funnel,
        (
            Mutation(ByteFunnel, "a word that is not full is joined", "full & word_full &", "full &"),
            Mutation(ByteFunnel, "bytes are given twice", "first.eq(extra),", "first.eq(0),"),
            Mutation(
                ByteFunnel, "it waits behind a word that is not full", "with m.Elif(~full | ", "with m.Elif("
            ),
        ),
    ),
    Property(
        "repeater",
        _STEADY.format("labels and planes"),
        "SampleRepeater",
        "L = 4, two heads, any run",
        _repeater,
        (
            Mutation(
                SampleRepeater,
                "the memory runs ahead",
                "read.addr.eq(Mux(moves, following, place))",
                "read.addr.eq(following)",
            ),
        ),
    ),
    Property(
        "transcoder",
        _STEADY.format("planes"),
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
        _STEADY.format("bytes of frames other than SYNC"),
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
        _STEADY.format("bytes to the line"),
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
        _STEADY.format("reads, bytes of samples and answers"),
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
        _STEADY.format("words read, and words to the windows,"),
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
        _STEADY.format("words read"),
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
