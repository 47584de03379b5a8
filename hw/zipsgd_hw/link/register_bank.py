"""The registers and windows, made from their tables."""

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from zipsgd.protocol.formats import Build
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import REGISTERS, Register, registers_of, windows_of
from zipsgd_hw.windows import window_signature

from .word_bus import ReadRequest, Word, WriteRequest

__all__ = ["RegisterBank"]

_SELECT_BITS = (len(REGISTERS) - 1).bit_length()


class RegisterBank(wiring.Component):
    """What stands behind the word bus: registers by address, and the way to the windows.

    A write to an address of no register, or of a read-only one, does nothing; addresses of no register read as zero. A read
    request drops an earlier one that has not been answered.

    Latency: a register that is written changes in the next cycle; a word read is there two cycles after its request, that of a
    :data:`.ReadWindow` three, and that of a :data:`.ReadWriteWindow` one cycle after the window's answer. Throughput: a write
    in every cycle, unless the window that it goes to waits.

    Parameters
    ----------
    build : Build
        Build parameters: they determine which registers and windows there are, and the constants of :func:`.identification`.

    Members
    -------
    write : In(WriteRequest)
        Words to write.
    read : In(ReadRequest), read_data : Out(Word)
        Words to read, and their answers.
    one for each of :func:`zipsgd.protocol.registers.windows_of`, by its name
        Out(:func:`.window_signature` of the window); answers of a :data:`.ReadWriteWindow` are taken at once.
    one for each register that the build has and that is no constant, by its name
        "rw" and "s": Out(width), 0 after reset; "w": Out(stream.Signature(width, always_ready=True)), valid for one cycle a
        write; "r": In(width).
    """

    def __init__(self, build: Build):
        self._constants = identification(build)
        self._registers = list(registers_of(build).values())
        self._windows = list(windows_of(build).values())
        members = {
            "write": In(WriteRequest),
            "read": In(ReadRequest),
            "read_data": Out(Word),
            **{window.name: Out(window_signature(window)) for window in self._windows},
        }
        for register in self._registers:
            if register.name in self._constants:
                continue
            members[register.name] = {
                "r": In(register.width),
                "rw": Out(register.width),
                "s": Out(register.width),
                "w": Out(stream.Signature(register.width, always_ready=True)),
            }[register.access]
        super().__init__(members)

    def _ports(self, access: str) -> list[tuple[int, wiring.PureInterface]]:
        """Windows of an access: the address bit that selects each, and its port."""
        return [
            (window.select_bit, getattr(self, window.name))
            for window in self._windows
            if window.access == access
        ]

    def elaborate(self, platform):
        m = Module()
        self._write_registers(m)
        self._write_windows(m)
        word, selecting, select_windows = self._read_register(m)
        self._answer(m, word, selecting, select_windows)
        return m

    def _write_registers(self, m: Module) -> None:
        address, word = self.write.payload.address, self.write.payload.data
        hit = Signal()
        m.d.comb += hit.eq(self.write.valid & (address[_SELECT_BITS:] == 0))
        for register in self._registers:
            here = hit & (address[:_SELECT_BITS] == register.address)
            if register.access == "w":
                port = getattr(self, register.name)
                m.d.sync += [port.valid.eq(here), port.payload.eq(word)]
            elif register.access in ("rw", "s"):
                with m.If(here):
                    m.d.sync += getattr(self, register.name).eq(word)

    def _write_windows(self, m: Module) -> None:
        """Words of windows that are only written go on a cycle late; those of others wait until they are taken."""
        address, word = self.write.payload.address, self.write.payload.data
        late = Signal.like(self.write.payload)
        m.d.sync += late.eq(self.write.payload)
        for bit, window in self._ports("w"):
            m.d.sync += window.valid.eq(self.write.valid & address[bit])
            m.d.comb += [window.payload.offset.eq(late.address), window.payload.data.eq(late.data)]
        takes = []
        for bit, window in self._ports("rw"):
            m.d.comb += [
                window.write.payload.offset.eq(address),
                window.write.payload.data.eq(word),
                window.write.valid.eq(self.write.valid & address[bit]),
            ]
            takes.append(window.write.ready | ~address[bit])
        m.d.comb += self.write.ready.eq(Cat(*takes).all())

    def _value(self, register: Register) -> Value:
        if register.name in self._constants:
            return C(self._constants[register.name], 32)
        if register.access in ("w", "s"):
            return C(0, 32)
        return getattr(self, register.name)

    def _read_register(self, m: Module) -> tuple[Value, Signal, Value]:
        """The word of a register, or of a window that is only read.

        Returns it, a strobe in its cycle, and whether the request at hand goes to another window.
        """
        address = self.read.payload
        taken = self.read.valid & self.read.ready
        select_windows = Cat(*(address[bit] for bit, _ in self._ports("rw"))).any()
        select = Signal(_SELECT_BITS)
        known, selecting, late = Signal(), Signal(), Signal()
        select_lists = Cat(*(address[bit] for bit, _ in self._ports("r"))).any()
        # A tree of two-way multiplexers folds well where words are constant or narrow.
        words = [Value.cast(C(0, 32))] * (1 << _SELECT_BITS)
        for register in self._registers:
            words[register.address] = self._value(register)
        for bit in select:
            words = [Mux(bit, high, low) for low, high in zip(words[::2], words[1::2])]
        word = Mux(known, words[0], 0)
        for place, window in self._ports("r"):
            listed = Signal(name=f"listed{place}")
            m.d.comb += window.offset.eq(address)
            with m.If(taken):
                m.d.sync += listed.eq(address[place])
            word = Mux(listed, window.word, word)

        m.d.sync += [selecting.eq(late), late.eq(0)]
        with m.If(taken):
            m.d.sync += [
                select.eq(address),
                known.eq(address[_SELECT_BITS:] == 0),
                selecting.eq(~(select_windows | select_lists)),
                late.eq(select_lists),
            ]
        return word, selecting, select_windows

    def _answer(self, m: Module, word: Value, selecting: Signal, select_windows: Value) -> None:
        """Answer with a register's word in its cycle, or with a window's when that has it."""
        waiting = Signal()
        takes = []
        for bit, window in self._ports("rw"):
            m.d.comb += [
                window.read.payload.eq(self.read.payload),
                window.read.valid.eq(self.read.valid & self.read.payload[bit]),
                window.data.ready.eq(1),
            ]
            takes.append(window.read.ready | ~self.read.payload[bit])
        m.d.comb += self.read.ready.eq(Cat(*takes).all())
        with m.If(self.read_data.ready):
            m.d.sync += self.read_data.valid.eq(0)
        with m.If(selecting):
            m.d.sync += [self.read_data.valid.eq(1), self.read_data.payload.eq(word)]
        with m.If(self.read.valid & self.read.ready):
            m.d.sync += [waiting.eq(select_windows), self.read_data.valid.eq(0)]
        for _, window in self._ports("rw"):
            asked = Signal()  # a request comes from afar, and no answer in its first cycle
            m.d.sync += asked.eq(window.read.valid)
            with m.If((waiting | asked) & window.data.valid):
                m.d.sync += [
                    waiting.eq(0),
                    self.read_data.valid.eq(1),
                    self.read_data.payload.eq(window.data.payload),
                ]
