"""Words of bytes to any number of bytes at a time."""

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from zipsgd_hw.store.sample_word import sample_word

__all__ = ["ByteFunnel"]


class ByteFunnel(wiring.Component):
    """Gives its user the bytes of words in order, as many in a cycle as the user wants, across the borders of full words.

    A word is kept, and the next one is looked at where it stands. The user gets all that it wants if that is there. If not, it
    gets what it needs, which may be less. Bytes of a word that is not full come by themselves: what is given may then be less
    than what is needed. While a full word has less than is needed and no other has come, nothing is given.

    Latency: one cycle. Throughput: a word in every cycle.

    Parameters
    ----------
    word_bytes : int
        Bytes of a word, W: a power of two, 2 or more.
    most : int
        Most bytes that the user wants at a time, up to W.

    Members
    -------
    input : In(stream.Signature(sample_word(W)))
        The words.
    wanted : In(range(most + 1)), needed : In(range(most + 1))
        Bytes that the user wants, and how many of them it needs.
    place : In(range(W))
        Where the first of them is to be.
    given : Out(range(most + 1))
        Bytes that it gets: ``wanted``, or up to ``needed``.
    whole : Out(1), enough : Out(1)
        It gets all that it wants, or at least all that it needs, and that is something.
    bytes : Out(8 * W)
        These bytes; the i-th one, counted from 0, is byte ``(place + i) % W``.
    take : In(1)
        The user takes what is given.
    """

    def __init__(self, word_bytes: int, most: int):
        self._word_bytes = word_bytes
        super().__init__(
            {
                "input": In(stream.Signature(sample_word(word_bytes))),
                "wanted": In(range(most + 1)),
                "needed": In(range(most + 1)),
                "place": In(range(word_bytes)),
                "given": Out(range(most + 1)),
                "whole": Out(1),
                "enough": Out(1),
                "bytes": Out(8 * word_bytes),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        count = self._word_bytes
        m = Module()
        kept = Signal(8 * count)
        left = Signal(range(count + 1))  # bytes of it that are not taken
        first = Signal(range(count))  # the next one of them
        full = Signal()
        word = self.input.payload
        has_wanted, has_needed = Signal(), Signal()
        word_full, joins, ends, empties = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            has_wanted.eq(left >= self.wanted),
            has_needed.eq(left >= self.needed),
            word_full.eq(word.last == count - 1),
            joins.eq(full & word_full & self.input.valid),
            ends.eq(~full | self.input.valid),  # unless a word joins: nothing will be added to what is left
            empties.eq(
                (left == 0)
                | self.take
                & ((left <= self.wanted) & (has_wanted | joins) | (left <= self.needed) & (has_needed | ends))
            ),
            self.input.ready.eq(empties),
            self.whole.eq((left != 0) & (self.wanted != 0) & (has_wanted | joins)),
            self.enough.eq((left != 0) & (self.needed != 0) & (has_needed | joins)),
        ]
        with m.If(left != 0):
            with m.If(has_wanted | joins):
                m.d.comb += self.given.eq(self.wanted)
            with m.Elif(has_needed):
                m.d.comb += self.given.eq(self.needed)
            with m.Elif(ends):
                m.d.comb += self.given.eq(left)
        extra = Mux((left != 0) & ~has_wanted & joins, self.wanted - left, 0)  # taken from the word behind
        with m.If(empties):
            m.d.sync += left.eq(0)
            with m.If(self.input.valid):
                m.d.sync += [
                    kept.eq(word.data),
                    full.eq(word_full),
                    first.eq(extra),
                    left.eq(word.last + 1 - extra),
                ]
        with m.Elif(self.take):
            m.d.sync += [first.eq(first + self.given), left.eq(left - self.given)]

        joined = Cat(
            Mux(place >= first, kept.word_select(place, 8), word.data.word_select(place, 8))
            for place in range(count)
        )
        turned: Value = joined
        turn = Signal(exact_log2(count))
        m.d.comb += turn.eq(first - self.place)
        for bit in range(len(turn)):
            turned = Mux(turn[bit], turned.rotate_right(8 << bit), turned)
        m.d.comb += self.bytes.eq(turned)
        return m
