"""The whole link."""

from amaranth import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from zipsgd.protocol.formats import Build
from zipsgd_hw.memory import Memories
from zipsgd_hw.stream_register import StreamRegister

from .command_unit import CommandUnit
from .frame_receiver import FrameReceiver
from .frame_sender import FrameSender
from .word_bus import ReadRequest, Word, WriteRequest

__all__ = ["Link"]


class Link(wiring.Component):
    """Frames on a byte stream (:mod:`zipsgd.protocol.frames`) to a word bus and bytes of samples.

    A host that keeps to its credit loses no frame. Commands wait where the datapath, the word bus or the way to the host is
    busy; nothing else waits. Throughput: a byte from the host in every cycle, whatever waits behind it; a byte to the host in
    two cycles.

    Parameters
    ----------
    build : Build
        Build parameters; ``rx_bytes`` is the receive buffer's size.

    Members
    -------
    rx : In(stream.Signature(8, always_ready=True))
        Bytes from the host.
    tx : Out(stream.Signature(8))
        Bytes to the host.
    write : Out(WriteRequest), read : Out(ReadRequest), read_data : In(Word)
        The word bus.
    bytes : Out(stream.Signature(8))
        Bytes of samples, up to one a cycle.
    bytes_reset : Out(1)
        Strobe: SYNC has come; whatever was under way is dropped. ``bytes`` is not valid in the next cycle.
    idle : In(1)
        The datapath is idle; see :class:`.CommandUnit`.
    frames_bad : Out(16), frames_skipped : Out(16)
        Frames dropped, see :class:`.FrameReceiver`.
    """

    rx: In(stream.Signature(8, always_ready=True))
    tx: Out(stream.Signature(8))
    write: Out(WriteRequest)
    read: Out(ReadRequest)
    read_data: In(Word)
    bytes: Out(stream.Signature(8))
    bytes_reset: Out(1)
    idle: In(1)
    frames_bad: Out(16)
    frames_skipped: Out(16)

    @staticmethod
    def memories(build: Build) -> Memories:
        """Block RAMs of the component."""
        return {**FrameReceiver.memories(build), **FrameSender.memories()}

    def __init__(self, build: Build):
        self._build = build
        super().__init__()

    def elaborate(self, platform):
        m = Module()

        m.submodules.receiver = receiver = FrameReceiver(self._build)
        commands = CommandUnit()
        register = StreamRegister(8)
        m.submodules.commands = ResetInserter(receiver.sync)(commands)
        m.submodules.register = ResetInserter(receiver.sync)(register)
        m.submodules.sender = sender = FrameSender()

        connect(m, flipped(self.rx), receiver.coded)
        connect(m, receiver.stored, register.input)
        connect(m, register.output, commands.stored)
        connect(m, commands.write, flipped(self.write))
        connect(m, commands.read, flipped(self.read))
        connect(m, flipped(self.read_data), commands.read_data)
        connect(m, commands.bytes, flipped(self.bytes))
        connect(m, commands.answer, sender.answer)
        connect(m, receiver.state, sender.said)
        connect(m, sender.coded, flipped(self.tx))
        m.d.comb += [
            commands.idle.eq(self.idle),
            sender.ack.eq(receiver.answer | commands.done),
            sender.drop.eq(receiver.sync),
            self.bytes_reset.eq(receiver.sync),
            self.frames_bad.eq(receiver.frames_bad),
            self.frames_skipped.eq(receiver.frames_skipped),
        ]

        return m
