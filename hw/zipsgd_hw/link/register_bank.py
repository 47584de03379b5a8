"""The registers, made from their table."""

from amaranth import C, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.registers import REGISTERS, Register, identification, registers_of
from zipsgd_hw.windows import OFFSET_BITS, LateWrite, WindowData, WindowRead, WindowWrite

from .word_bus import ReadRequest, Word, WriteRequest

__all__ = ["RegisterBank"]

_SELECT_BITS = (len(REGISTERS) - 1).bit_length()


class RegisterBank(wiring.Component):
    """What stands behind the word bus: registers by address, and the way to the model window.

    A write acts at the end of its cycle, a strobe in the next one; a write to an address of no register, or of a read-only
    one, does nothing. A register's word is there two cycles after the request; addresses of no register read as zero. A read
    request drops an earlier one that has not been answered.

    Parameters
    ----------
    build : its :func:`.identification` gives the constants.

    Members
    -------
    write : In(WriteRequest)
    read : In(ReadRequest)
    read_data : Out(Word)
    window_write : Out(WindowWrite)
    window_read : Out(WindowRead)
    window_data : In(WindowData), always ready.
    level_write, coefficient_write : Out(LateWrite)
    doubt_offset : Out(16), doubt_word : In(32): a place in the doubt window, and its word a cycle later.
    one port for each register that the build has and that is no constant, named as the register:
        "rw": Out(width), 0 after reset; "w": Out(stream.Signature(width, always_ready=True)), valid for one cycle a
        write; "r": In(width).
    """

    def __init__(self, build: Build):
        self._constants = identification(build)
        self._registers = list(registers_of(build).values())
        members = {
            "write": In(WriteRequest),
            "read": In(ReadRequest),
            "read_data": Out(Word),
            "window_write": Out(WindowWrite),
            "window_read": Out(WindowRead),
            "window_data": In(WindowData),
            "level_write": Out(LateWrite),
            "coefficient_write": Out(LateWrite),
            "doubt_offset": Out(OFFSET_BITS),
            "doubt_word": In(32),
        }
        for register in self._registers:
            if register.name in self._constants:
                continue
            members[register.name] = {
                "r": In(register.width),
                "rw": Out(register.width),
                "w": Out(stream.Signature(register.width, always_ready=True)),
            }[register.access]
        super().__init__(members)

    def _value(self, register: Register) -> Value:
        if register.name in self._constants:
            return C(self._constants[register.name], 32)
        if register.access == "w":
            return C(0, 32)
        return getattr(self, register.name)

    def elaborate(self, platform):
        m = Module()

        address, word = self.write.payload.address, self.write.payload.data
        to_window = address[OFFSET_BITS]
        m.d.sync += [
            self.level_write.payload.offset.eq(address),
            self.level_write.payload.data.eq(word),
            self.level_write.valid.eq(self.write.valid & address[OFFSET_BITS + 1]),
            self.coefficient_write.valid.eq(self.write.valid & address[OFFSET_BITS + 2]),
        ]
        m.d.comb += [
            self.coefficient_write.payload.eq(self.level_write.payload),
            self.window_write.payload.offset.eq(address),
            self.window_write.payload.data.eq(word),
            self.window_write.valid.eq(self.write.valid & to_window),
            self.write.ready.eq(self.window_write.ready | ~to_window),
        ]
        hit = Signal()
        m.d.comb += hit.eq(self.write.valid & (address[_SELECT_BITS:] == 0))
        for register in self._registers:
            here = hit & (address[:_SELECT_BITS] == register.address)
            if register.access == "w":
                port = getattr(self, register.name)
                m.d.sync += [port.valid.eq(here), port.payload.eq(word)]
            elif register.access == "rw":
                with m.If(here):
                    m.d.sync += getattr(self, register.name).eq(word)

        m.d.comb += [
            self.window_read.payload.eq(self.read.payload),
            self.window_read.valid.eq(self.read.valid & self.read.payload[OFFSET_BITS]),
            self.read.ready.eq(self.window_read.ready | ~self.read.payload[OFFSET_BITS]),
            self.window_data.ready.eq(1),
        ]
        select = Signal(_SELECT_BITS)
        known, listed, selecting, waiting = Signal(), Signal(), Signal(), Signal()
        m.d.comb += self.doubt_offset.eq(self.read.payload)
        # A tree of two-way multiplexers folds well where words are constant or narrow.
        words = [Value.cast(C(0, 32))] * (1 << _SELECT_BITS)
        for register in self._registers:
            words[register.address] = self._value(register)
        for bit in select:
            words = [Mux(bit, high, low) for low, high in zip(words[::2], words[1::2])]

        with m.If(self.read_data.ready):
            m.d.sync += self.read_data.valid.eq(0)
        with m.If(selecting):
            m.d.sync += [
                selecting.eq(0),
                self.read_data.valid.eq(1),
                self.read_data.payload.eq(Mux(listed, self.doubt_word, Mux(known, words[0], 0))),
            ]
        with m.If(self.read.valid & self.read.ready):
            m.d.sync += [
                select.eq(self.read.payload),
                listed.eq(self.read.payload[OFFSET_BITS + 3]),
                known.eq(self.read.payload[_SELECT_BITS:] == 0),
                selecting.eq(~self.read.payload[OFFSET_BITS]),
                waiting.eq(self.read.payload[OFFSET_BITS]),
                self.read_data.valid.eq(0),
            ]
        with m.If((waiting | self.window_read.valid) & self.window_data.valid):
            m.d.sync += [
                waiting.eq(0),
                self.read_data.valid.eq(1),
                self.read_data.payload.eq(self.window_data.payload),
            ]

        return m
