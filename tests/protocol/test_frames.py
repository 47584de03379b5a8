"""Properties of the frame codec."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd.driver.coding import decode, encode
from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS, Frame, FrameError, Kind

# Zeros, and runs of other bytes around the coding's block of 254, are what the coding is about.
RUNS = st.sampled_from([1, 2, 252, 253, 254, 255, 256])
PAYLOADS = st.one_of(
    st.binary(max_size=MAX_PAYLOAD),
    st.lists(st.tuples(st.sampled_from([b"\x00", b"\x01", b"\xff"]), RUNS), max_size=4).map(
        lambda runs: b"".join(byte * count for byte, count in runs)[:MAX_PAYLOAD]
    ),
)
FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), PAYLOADS)


@given(FRAMES)
def test_round_trip(frame):
    line = encode(frame)
    assert line.index(0) == len(line) - 1
    assert decode(line[:-1]) == frame


@given(st.lists(FRAMES, max_size=5))
def test_zeros_part_frames(frames):
    line = b"".join(map(encode, frames))
    assert [decode(part) for part in line.split(b"\0") if part] == frames


@given(FRAMES, st.data())
def test_one_changed_byte_is_noticed(frame, data):
    line = encode(frame)[:-1]
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(1, 255).filter(lambda value: value != line[at]))
    with pytest.raises(FrameError):
        decode(line[:at] + bytes([byte]) + line[at + 1 :])


@given(FRAMES, st.data())
def test_cut_frame_is_noticed(frame, data):
    line = encode(frame)[:-1]
    with pytest.raises(FrameError):
        decode(line[: data.draw(st.integers(0, len(line) - 1))])


@given(st.binary(max_size=600).map(lambda noise: noise.replace(b"\0", b"")))
def test_noise_raises_only_frame_errors(noise):
    try:
        frame = decode(noise)
    except FrameError:
        return
    assert encode(frame)[:-1] == noise


@given(st.binary(min_size=4 * READ_WORDS, max_size=4 * READ_WORDS))
def test_data_frame_is_one_block(words):
    """The device codes DATA in a buffer of 256 bytes, with one code byte before the first zero at most 254 on."""
    assert len(encode(Frame(Kind.DATA, 0, words))) <= 256
