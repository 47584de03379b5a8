"""Words of a store's blocks come out in order, each once, and each goes once into the check, whatever stalls."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value
from checker import Method, Mutation, Property
from harness import Harness, inside, steady
from small import small_build

from zipsgd.protocol.numbers import BURST_WORDS
from zipsgd_hw.store.block_reader import BlockReader

__all__ = ["PROPERTIES"]


def _moves(stream: Any) -> Value:
    return stream.valid & stream.ready


def _free_blocks(harness: Harness, reader: Any, order: Any) -> Value:
    """Replaces a reader's order: any blocks, as many as it likes. Returns whether a block is taken."""
    m, blocks = harness.m, order.blocks
    active, offered = Signal(), Signal()
    harness.cut(order, blocks.payload)
    m.d.comb += [
        order.busy.eq(active),
        offered.eq(active & harness.free(1, "offers")),
        blocks.valid.eq(offered),
    ]
    with m.If(_moves(blocks)):
        m.d.sync += active.eq(harness.free(1, "another"))
    with m.If(reader.start):
        m.d.sync += active.eq(1)
    with m.Elif(reader.abort):
        m.d.sync += active.eq(0)
    harness.assume("a block waits", steady(harness, blocks, unless=reader.start | reader.abort))
    return _moves(blocks)


_LIMIT = 32
"""Words under way at which the reader asks for no more; so few that a block reaches it."""


@dataclass
class _Block:
    """A block in the reader: its place, and the words that its size gives it.

    ``words`` hold its samples, ``room`` are all that are read, and ``tail`` is the last byte of the last word of samples.
    """

    valid: Signal
    address: Signal
    last: Signal
    words: Signal
    room: Signal
    tail: Signal


def _block(harness: Harness, dut: BlockReader, name: str) -> _Block:
    """A block, from whose registers its sizes follow as the host means them."""
    word_bytes = len(dut.read.payload) // 8
    bits = len(dut.block_bytes) + 1
    block = _Block(
        Signal(name=f"{name}_valid"),
        Signal.like(dut.order.order_first, name=f"{name}_address"),
        Signal(name=f"{name}_last"),
        Signal(bits, name=f"{name}_words"),
        Signal(bits, name=f"{name}_room"),
        Signal.like(dut.words.payload.last, name=f"{name}_tail"),
    )
    size = Mux(block.last, dut.last_block_bytes, dut.block_bytes)
    burst_bytes = BURST_WORDS * word_bytes
    harness.m.d.comb += [
        block.words.eq((size + word_bytes - 1) // word_bytes),
        block.room.eq((size + burst_bytes - 1) // burst_bytes * BURST_WORDS),
        block.tail.eq((size - 1) % word_bytes),
    ]
    return block


@dataclass
class _Model:
    """What a reader must do, told from its ports.

    Of the two blocks that it may have taken, the words of ``front`` come, from ``place`` on. ``due`` bursts of the youngest one
    are still to be asked for, and ``owed`` words are under way. ``dropping``: they belong to a run that was aborted.
    """

    front: _Block
    back: _Block
    place: Signal
    due: Signal
    following: Signal
    owed: Signal
    dropping: Signal
    discards: Signal
    taken: Value
    asked: Value
    came: Value
    ends: Signal
    ended: Signal


def _model(harness: Harness, dut: BlockReader, order: Any) -> _Model:
    m = harness.m
    bits = len(dut.block_bytes) + 1
    front, back = _block(harness, dut, "front"), _block(harness, dut, "back")
    model = _Model(
        front, back, Signal(bits), Signal(bits), Signal.like(dut.command.payload.address), Signal(range(2 * _LIMIT)),
        Signal(), Signal(), _free_blocks(harness, dut, order), _moves(dut.command), _moves(dut.read), Signal(), Signal(),
    )  # fmt: skip
    payload = order.blocks.payload
    size = Mux(payload.last, dut.last_block_bytes, dut.block_bytes)
    burst_bytes = BURST_WORDS * (len(dut.read.payload) // 8)
    m.d.comb += model.ends.eq(model.came & ~model.dropping & (model.place == front.room - 1))
    m.d.sync += model.ended.eq(model.ends)
    m.d.sync += model.owed.eq(model.owed + Mux(model.asked, BURST_WORDS, 0) - model.came)
    with m.If(model.came & ~model.dropping):
        m.d.sync += model.place.eq(model.place + 1)
    with m.If(model.ends):
        m.d.sync += [
            model.place.eq(0),
            front.valid.eq(back.valid),
            front.address.eq(back.address),
            front.last.eq(back.last),
            back.valid.eq(0),
        ]
    with m.If(model.asked):
        m.d.sync += [model.due.eq(model.due - 1), model.following.eq(model.following + 1)]
    with m.If(model.taken):
        m.d.sync += [
            model.due.eq((size + burst_bytes - 1) // burst_bytes),
            model.following.eq(payload.address),
        ]
        for block, chosen in ((front, ~front.valid | model.ends), (back, front.valid & ~model.ends)):
            with m.If(chosen):
                m.d.sync += [
                    block.valid.eq(1),
                    block.address.eq(payload.address),
                    block.last.eq(payload.last),
                ]
    with m.If(dut.start):
        m.d.sync += model.discards.eq(dut.discard)
    with m.If(dut.abort):  # at most the burst at hand is still asked for
        m.d.sync += [model.dropping.eq(1), model.place.eq(0), front.valid.eq(0), back.valid.eq(0)]
        m.d.sync += model.due.eq((model.due != 0) & ~model.asked)
    with m.Elif(model.dropping & (model.due == 0) & (model.owed == 0)):
        m.d.sync += model.dropping.eq(0)
    return model


def _reader(word_bytes: int) -> tuple[Harness, BlockReader, Any, _Model]:
    """A reader that is given any blocks, and a store that answers when it likes."""
    dut = BlockReader(small_build(store_words=64, word_bytes=word_bytes))
    parts = inside(dut, _OUTSTANDING=_LIMIT)
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut, but=("order", "block_bytes", "last_block_bytes"))
    for name in ("block_bytes", "last_block_bytes"):
        size = getattr(dut, name)
        harness.m.d.comb += size.eq(harness.constant(len(size), name))
        harness.assume(f"{name}, one or more", size != 0)
    harness.cut(parts.crc, parts.crc.crc)
    model = _model(harness, dut, parts.order)
    harness.assume("registers stand before the start", ~dut.start | harness.past(harness.started))
    harness.assume("no start while busy", ~dut.start | ~dut.busy)
    harness.assume("no abort with a start", ~dut.start | ~dut.abort)
    harness.assume("words that were asked for", ~dut.read.valid | (model.owed != 0))
    harness.assume("a word of the store waits", steady(harness, dut.read))
    return harness, dut, parts, model


def _inside_reader(harness: Harness, dut: BlockReader, parts: Any, model: _Model) -> None:
    """What makes the proof quick: where the model's numbers are in the reader."""
    fetch, receive, queue = parts.in_method("_fetch"), parts.in_method("_receive"), inside(parts.queue)
    front, back, place, going = model.front, model.back, model.place, ~model.dropping
    for call in range(2):
        ends = parts.in_method("_sizes", call).ends
        right = (ends[0] == dut.block_bytes - 1) & (ends[1] == dut.last_block_bytes - 1)
        harness.lemma(f"sizes of blocks, {call}", ~harness.started | right)
    harness.lemma("nothing before the first cycle", harness.started | ~dut.busy)
    harness.lemma("words under way", fetch.outstanding == model.owed)
    harness.lemma("dropping", parts.drains == model.dropping)
    nothing = ~(front.valid | back.valid | parts.order.busy) & (place == 0) & (model.due <= 1)
    harness.lemma("dropping what was under way", going | nothing)
    block_waits = parts.queue.output.valid & ((model.owed == 0) & (model.due == 0))
    harness.lemma("dropping words of every block", going | ~block_waits)
    harness.lemma("the end of a block", receive.folds == model.ended)
    harness.lemma("discarding", parts.discards == model.discards)
    harness.lemma("bursts to be asked for", fetch.fetching == (model.due != 0))
    harness.lemma("their number", ~fetch.fetching | ~going | (fetch.left == model.due - 1))
    harness.lemma("where they are", ~fetch.fetching | (dut.command.payload.address == model.following))
    to_come = Mux(front.valid, front.room - place, 0) + Mux(back.valid, back.room, 0)
    harness.lemma("no words but those of blocks", ~going | (model.owed + (model.due << 3) == to_come))
    harness.lemma("a block behind one", front.valid | ~back.valid)
    harness.lemma("the front block", ~going | (parts.queue.output.valid == front.valid))
    harness.lemma("the back block", ~going | (queue.kept == back.valid))
    for name, block, payload in (
        ("front", front, parts.queue.output.payload),
        ("back", back, queue.spare),
    ):
        same = (payload.address == block.address) & (payload.last == block.last)
        harness.lemma(f"the {name} block's place", ~going | ~block.valid | same)
    harness.lemma("the head", receive.place <= len(receive.head))
    body = going & front.valid & (receive.place == len(receive.head))
    counts = place < front.words
    harness.lemma("place in the burst", ~going | (receive.position == place[:3]))
    harness.lemma("the place before the block", body | (place == 0))
    harness.lemma("a head of a block", ~going | front.valid | (receive.place == 0))
    harness.lemma("place in the block", ~front.valid | (place < front.room))
    harness.lemma("of the samples", ~body | (receive.counts == counts))
    harness.lemma("samples left", ~body | ~counts | (receive.left == front.words - 1 - place))
    harness.lemma("no samples left", ~body | ~counts | (receive.final == (place == front.words - 1)))
    harness.lemma("the last word's bytes", ~body | (receive.tail == front.tail))


def _words_in_order(word_bytes: int) -> Harness:
    harness, dut, parts, model = _reader(word_bytes)
    m = harness.m
    front, back, place = model.front, model.back, model.place
    command, words = dut.command, dut.words
    # Bursts
    harness.show("a command waits unchanged", steady(harness, command))
    harness.show("a burst of a block", ~command.valid | (model.due != 0))
    harness.show("the next burst", ~command.valid | (command.payload.address == model.following))
    harness.show("to be read", ~command.payload.write)
    harness.show("a block behind the last one's bursts", ~model.taken | ((model.due == 0) & ~back.valid))
    harness.show("so many words under way", model.owed < _LIMIT + BURST_WORDS)
    harness.show("the next burst is asked for", (model.due == 0) | (model.owed >= _LIMIT) | command.valid)
    # Words
    samples = front.valid & (place < front.words) & ~model.discards
    harness.show("a word waits unchanged", steady(harness, words, unless=dut.abort))
    harness.show("no word behind the samples", ~words.valid | (samples & dut.read.valid & ~model.dropping))
    harness.show("the word that was read", ~words.valid | (words.payload.data == dut.read.payload))
    last = Mux(place == front.words - 1, front.tail, word_bytes - 1)
    harness.show("its last byte", ~words.valid | (words.payload.last == last))
    harness.show("no word of no block", ~model.came | model.dropping | front.valid)
    harness.show("each word of the samples", ~model.came | model.dropping | ~samples | _moves(words))
    stuck = Signal(range(8 + word_bytes))
    waits = dut.read.valid & ~dut.read.ready & ~words.valid
    m.d.sync += stuck.eq(Mux(waits, stuck + 1, 0))
    head = max(4, word_bytes) // word_bytes
    harness.show("a word waits for the check's head alone", stuck <= head + 1)
    head_at = parts.in_method("_receive").place
    harness.lemma("and so long", model.dropping | (stuck <= Mux(model.ended, 0, head_at + 1)))
    # Ends
    left = front.valid | (model.due != 0) | (model.owed != 0) | model.dropping | parts.order.busy
    harness.show("it is busy until all is over", dut.busy | ~left)
    harness.show("and no longer", ~dut.busy | left | model.ended)
    sends = parts.order.busy | back.valid | (front.valid & (place < front.words))
    harness.show(
        "it sends where words are to come",
        dut.sends | ~(sends & harness.past(sends & ~dut.abort)) | model.discards | model.dropping,
    )
    harness.show("it sends no words unsaid", dut.sends | ~words.valid)
    harness.show("it sends nothing behind an abort", ~(dut.sends & model.dropping))
    harness.show(
        "it sends nothing when all is over",
        ~dut.sends | harness.past(dut.busy & ~dut.abort & ~model.discards),
    )
    _inside_reader(harness, dut, parts, model)
    return harness


def _check(word_bytes: int) -> Harness:
    """The CRC is free: what goes into it, and which of its results go into the check, is what counts."""
    harness, dut, parts, model = _reader(word_bytes)
    m, crc = harness.m, parts.crc
    front, place = model.front, model.place
    head_words = max(4, word_bytes) // word_bytes
    fed = Signal(len(place) + 1)
    m.d.sync += fed.eq(Mux(crc.start, 0, fed) + crc.valid)
    samples = model.came & ~model.dropping & (place < front.words)
    harness.show("each word of the samples", ~samples | crc.valid)
    harness.show("behind those before it", ~samples | (fed == place + head_words))
    harness.show("as it was read", ~samples | (crc.data == dut.read.payload))
    head = crc.valid & ~samples
    wide = Cat(front.address, Signal(64))[: 8 * word_bytes * head_words]
    harness.show(
        "nothing else but the head", ~head | model.dropping | (front.valid & ~model.came & (fed < head_words))
    )
    harness.show(
        "the block's place", ~head | model.dropping | (crc.data == wide.word_select(fed[:2], 8 * word_bytes))
    )
    harness.show("it begins anew behind each block", crc.start == (model.ended | model.dropping))
    sound, check = Signal(), Signal(32)
    with m.If(model.ended):
        m.d.sync += check.eq(check ^ crc.crc)
    with m.If(dut.start):
        m.d.sync += [check.eq(0), sound.eq(1)]
    with m.If(dut.abort):
        m.d.sync += sound.eq(0)
    harness.show("the check of all blocks", ~sound | (dut.check == check))
    head_at = parts.in_method("_receive").place
    expected = Mux(front.valid, head_at + Mux(place < front.words, place, front.words), 0)
    harness.lemma("fed so far", model.dropping | model.ended | (fed == expected))
    harness.lemma("no head yet", ~model.ended | (head_at == 0))
    _inside_reader(harness, dut, parts, model)
    return harness


PROPERTIES = [
    Property(
        "words of blocks",
        "the bursts of each block are asked for in order, and no others; their words of samples come out in order, each once,"
        " with the right last byte; an abort drops what is under way",
        "BlockReader",
        "8 bursts of words of 2 bytes, blocks of any sizes and places, 32 words under way",
        partial(_words_in_order, 2),
        (
            Mutation(BlockReader, "a burst too many", "fetching.eq((left != 0) &", "fetching.eq(1 &"),
            Mutation(
                BlockReader,
                "a word of the padding is sent",
                "in_body & counts & ~discards & ~drains",
                "in_body & ~discards & ~drains",
            ),
            Mutation(
                BlockReader,
                "the tail is that of other blocks",
                "Mux(last, ends[1], ends[0])",
                "Mux(last, ends[0], ends[1])",
            ),
            Mutation(
                BlockReader,
                "words go on behind an abort",
                "counts & ~discards & ~drains",
                "counts & ~discards",
            ),
            Mutation(
                BlockReader,
                "an abort does not wait for its words",
                "drains & ~fetching & (outstanding == 0)",
                "drains & ~fetching",
            ),
        ),
        method=Method.INDUCTION,
    ),
    Property(
        "check of blocks",
        "of each block, the place and then each word of samples go once into a CRC of its own; the check is the exclusive or of"
        " these, whatever stalls",
        "BlockReader",
        "8 bursts of words of 2 bytes, blocks of any sizes and places, CRC free",
        partial(_check, 2),
        (
            Mutation(
                BlockReader,
                "words are taken twice",
                "crc.valid.eq(in_body & moves & counts)",
                "crc.valid.eq(in_body & self.read.valid & counts)",
            ),
            Mutation(
                BlockReader, "a CRC goes on with the next block", "crc.start.eq(folds)", "crc.start.eq(0)"
            ),
            Mutation(
                BlockReader,
                "an abort leaves its CRC",
                "m.d.comb += crc.start.eq(1)",
                "m.d.comb += crc.start.eq(folds)",
            ),
        ),
        method=Method.INDUCTION,
    ),
    Property(
        "check of blocks, bytes",
        "the same, with a place of four words",
        "BlockReader",
        "8 bursts of bytes, blocks of any sizes and places, CRC free",
        partial(_check, 1),
        (
            Mutation(
                BlockReader, "a word of the place is left out", "place == len(head)", "place == len(head) - 1"
            ),
        ),
        method=Method.INDUCTION,
        slow=True,
    ),
]
