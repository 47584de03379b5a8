"""A store's port from one clock to another."""

from amaranth import Cat, DomainRenamer, Module
from amaranth.lib import wiring
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out, connect, flipped

from zipsgd_hw.stream_register import StreamRegister

from .port import store_signature

__all__ = ["ClockCrossing"]

_COMMANDS, _WORDS = 4, 16
"""Room of the queues: words move in every cycle of the slower clock."""


class ClockCrossing(wiring.Component):
    """A store's port in the domain ``sync``, and the store in the domain ``memory``.

    The clocks need have no relation. Both are to be reset together.

    Latency: on each way a cycle of the giver's clock, two to three of the taker's, and one of ``memory``. Throughput: a word in
    every cycle of the slower clock.

    Parameters
    ----------
    word_bits : int
        Bits of a word.
    address_bits : int
        Bits of a burst's number.

    Attributes
    ----------
    read_words : int
        Words that were read for which there is room.

    Members
    -------
    port : In(store_signature(word_bits, address_bits))
        The store, for its user.
    memory : Out(store_signature(word_bits, address_bits))
        The store, in the domain ``memory``.
    """

    read_words = _WORDS

    def __init__(self, word_bits: int, address_bits: int):
        signature = store_signature(word_bits, address_bits)
        super().__init__({"port": In(signature), "memory": Out(signature)})

    def elaborate(self, platform):
        m = Module()

        def cross(name: str, depth: int, source, target, domains: tuple[str, str]) -> None:
            """A queue from one stream to another, and a register on the memory's side: there the clock is the faster one."""
            shape = source.payload.shape()
            m.submodules[f"{name}_register"] = DomainRenamer("memory")(register := StreamRegister(shape))
            if domains[0] == "memory":
                connect(m, source, register.input)
                source = register.output
            else:
                connect(m, register.output, target)
                target = register.input
            m.submodules[name] = queue = AsyncFIFO(
                width=len(Cat(source.payload)), depth=depth, w_domain=domains[0], r_domain=domains[1]
            )
            m.d.comb += [
                queue.w_data.eq(Cat(source.payload)),
                queue.w_en.eq(source.valid),
                source.ready.eq(queue.w_rdy),
                Cat(target.payload).eq(queue.r_data),
                target.valid.eq(queue.r_rdy),
                queue.r_en.eq(target.ready),
            ]

        there, back = ("sync", "memory"), ("memory", "sync")
        port, memory = flipped(self.port), flipped(self.memory)
        cross("commands", _COMMANDS, port.command, memory.command, there)
        cross("writes", _WORDS, port.write, memory.write, there)
        cross("reads", _WORDS, memory.read, port.read, back)
        return m
