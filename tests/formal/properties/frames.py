"""Frames are delivered once or not at all, and the receiver recovers from any state."""

from typing import Any

from amaranth.hdl import Array, Const, Mux, Signal, Value
from checker import Method, Mutation, Property
from harness import Harness, inside
from small import small_build

from zipsgd.driver.coding import encode
from zipsgd.protocol.frames import MAX_PAYLOAD, Frame, Kind
from zipsgd_hw.link.cobs_decoder import CobsDecoder
from zipsgd_hw.link.frame_receiver import FrameReceiver

__all__ = ["PROPERTIES"]

_SYNCS = [encode(Frame(Kind.SYNC, sequence)) for sequence in range(256)]
_SYNC_BYTES = len(_SYNCS[0])


def _receiver(ring: int = 16) -> tuple[Any, Any, Harness]:
    dut = FrameReceiver(small_build(rx_bytes=ring))
    parts = inside(dut)
    harness = Harness()
    harness.m.submodules.dut = dut
    return dut, parts, harness


def _once() -> Harness:
    """Follows what the receiver delivers, frame by frame, and compares one marked byte of one frame with what was received."""
    dut, parts, harness = _receiver(8)
    m = harness.m
    harness.drive(dut)
    harness.cut(parts.crc, parts.crc.match_detected)
    byte_in = parts.decoder
    harness.cut(byte_in, byte_in.data.valid, byte_in.data.payload, byte_in.end, byte_in.broken)
    ended = harness.past(byte_in.end)
    harness.assume("no byte with an end, or right behind it", ~byte_in.data.valid | ~(byte_in.end | ended))
    harness.assume("no two ends running", ~byte_in.end | ~ended)

    # The byte at ``where`` of the incoming frame, counted from its kind
    where = harness.constant(2, "where")
    place, byte = Signal(range(16)), Signal(8)
    decoder = parts.decoder
    with m.If(decoder.data.valid):
        m.d.sync += place.eq(Mux(place == 15, 15, place + 1))
        with m.If(place == where):
            m.d.sync += byte.eq(decoder.data.payload)
    with m.If(parts.ended):
        m.d.sync += place.eq(0)

    # The frames that are delivered
    moves = Signal()
    at, length = Signal(range(MAX_PAYLOAD + 4)), Signal(16)
    number, frame_ends = Signal(8), Signal()
    m.d.comb += [
        moves.eq(dut.stored.valid & dut.stored.ready),
        frame_ends.eq(moves & (at >= 3) & (at == length + 3)),
    ]
    payload = dut.stored.payload
    with m.If(moves):
        m.d.sync += at.eq(Mux(frame_ends, 0, at + 1))
        with m.If(at == 0):
            m.d.sync += length.eq(payload)
        with m.If(at == 1):
            m.d.sync += length.eq((payload << 8) | length[:8])
        with m.If(at == 3):
            m.d.sync += number.eq(number + 1)
    taken = Signal(4)  # frames that are taken but not delivered yet
    m.d.sync += taken.eq(taken + parts.take - frame_ends)
    mark = harness.free(1, "mark")
    waits, ahead, kept = Signal(), Signal(4), Signal(8)
    with m.If(parts.take & mark & ~waits & (where + 4 < place)):
        m.d.sync += [waits.eq(1), ahead.eq(taken - frame_ends), kept.eq(byte)]
    with m.Elif(waits & frame_ends):
        m.d.sync += [ahead.eq(ahead - 1), waits.eq(ahead != 0)]
    with m.If(dut.sync):
        m.d.sync += [number.eq(parts.sequence + 1), at.eq(0), taken.eq(0), waits.eq(0)]

    harness.show(
        "no length above the most", ~(moves & (at == 1)) | ((payload << 8 | length[:8]) <= MAX_PAYLOAD)
    )
    harness.show("no SYNC", ~(moves & (at == 2)) | (payload != Kind.SYNC))
    harness.show("numbers in turn", ~(moves & (at == 3)) | (payload == number))
    harness.show("only what was taken", ~moves | (taken != 0))
    harness.show("as it came", ~(waits & moves & (ahead == 0) & (at == where + 2)) | (payload == kept))
    return harness


def _decoder() -> Harness:
    dut: Any = CobsDecoder()
    harness = Harness()
    harness.m.submodules.dut = dut
    harness.drive(dut)
    ended = harness.past(dut.end)
    harness.show("no byte with an end, or right behind it", ~dut.data.valid | ~(dut.end | ended))
    harness.show("no two ends running", ~dut.end | ~ended)
    return harness


def _as_at_start(parts: Any, decoder: Any) -> Value:
    at_start = (parts.place == parts.place.init) & (parts.missing == 0)
    fresh_crc = parts.crc.crc == 0
    settled = parts.end | (fresh_crc & (parts.ended | at_start))
    return decoder.within | (~parts.decoder.data.valid & settled)


def _between() -> Harness:
    dut, parts, harness = _receiver()
    harness.drive(dut)
    harness.show("between frames, all is as at the start", _as_at_start(parts, inside(parts.decoder)))
    return harness


def _recovery(frames: int) -> Harness:
    """The receiver gets a zero and ``frames`` SYNC frames, from any state."""
    dut, parts, harness = _receiver()
    m = harness.m
    decoder = inside(parts.decoder)
    sequence = harness.constant(8, "sequence")
    count = 1 + frames * _SYNC_BYTES
    time = Signal(range(count + 8), name="formal_time")
    m.d.sync += time.eq(Mux(time == count + 7, time, time + 1))
    byte = Signal(8)
    table = Array(Array(Const(frame[i], 8) for frame in _SYNCS)[sequence] for i in range(_SYNC_BYTES))
    with m.If((time != 0) & (time < count)):
        m.d.comb += byte.eq(table[((time - 1)[:3])])
    m.d.comb += [
        dut.coded.valid.eq(time < count),
        dut.coded.payload.eq(byte),
        dut.stored.ready.eq(harness.free(1, "ready")),
    ]
    if frames == 1:
        harness.assume("between frames, all is as at the start", (time != 0) | _as_at_start(parts, decoder))
    after = time == count + 1
    harness.show("SYNC is taken", ~after | dut.sync)
    after = time == count + 2
    harness.show(
        "its number is", ~after | ((dut.state.expected == (sequence + 1)[:8]) & (dut.state.last == sequence))
    )
    harness.show("the ring is empty", ~after | (~dut.stored.valid & ~parts.more & (dut.state.freed == 0)))
    return harness


_STUCK = Mutation(CobsDecoder, "a zero does not end a block", "left.eq(0),", "left.eq(left),")

PROPERTIES = [
    Property(
        "decoder",
        "no byte comes together with a frame's end or directly after it, and no second end",
        "CobsDecoder",
        "",
        _decoder,
        (
            Mutation(
                CobsDecoder,
                "a first code byte is a zero",
                "self.data.valid.eq(implied_zero)",
                "self.data.valid.eq(1)",
            ),
        ),
    ),
    Property(
        "once or not at all",
        "frames are delivered in order and unchanged, only those that were taken, and never a SYNC",
        "FrameReceiver",
        "ring of 8 bytes, CRC and decoder free",
        _once,
        (
            Mutation(
                FrameReceiver, "any number is taken", "turn.eq(sequence == state.expected)", "turn.eq(1)"
            ),
            Mutation(FrameReceiver, "the CRC is delivered", "taken + place - _CRC_BYTES", "taken + place"),
            Mutation(
                FrameReceiver, "a lost byte is not noticed", "~is_sync & turn & ~overrun)", "~is_sync & turn)"
            ),
        ),
        method=Method.BMC,
        depth=24,
        mutant_depth=24,
    ),
    Property(
        "between frames",
        "once a frame has ended, everything that decodes the next one is as after a reset",
        "FrameReceiver",
        "ring of 16 bytes",
        _between,
        (
            Mutation(
                FrameReceiver,
                "lost bytes are not forgotten",
                "[place.eq(place.init), missing.eq(0)]",
                "[place.eq(place.init)]",
            ),
        ),
    ),
    Property(
        "recovery",
        "from any state that satisfies 'between frames': after a zero and a valid SYNC, the SYNC is taken and the ring "
        "is empty",
        "FrameReceiver",
        "ring of 16 bytes, true CRC, any number",
        lambda: _recovery(1),
        (_STUCK,),
        method=Method.ANY_STATE,
        depth=14,
        mutant_depth=14,
    ),
    Property(
        "recovery from anything",
        "from any state of registers and memory: after a zero and two valid SYNCs, the second is taken",
        "FrameReceiver",
        "ring of 16 bytes, true CRC, any number",
        lambda: _recovery(2),
        (_STUCK,),
        method=Method.ANY_STATE,
        depth=22,
        mutant_depth=22,
    ),
]
