"""The host's end of the link, against a device of a few lines of Python."""

import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress

import pytest

from zipsgd.driver import Device, LinkLost, NoDevice, WrongBuild, WrongDevice
from zipsgd.driver.coding import decode, encode
from zipsgd.driver.host_link import Link
from zipsgd.driver.window import MOST_FRAMES
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import CREDIT_OVERHEAD, Frame, FrameError, Kind
from zipsgd.protocol.identification import identification
from zipsgd.protocol.registers import REGISTERS

BUILD = Build(rx_bytes=2048)
LONGEST = 60.0
"""Seconds after which something hangs, on a busy machine as well."""


class FakeDevice:
    """Speaks the protocol of :mod:`zipsgd.protocol.frames` on a TCP port. A context manager.

    ``memory``: words by address. ``samples``: bytes of all SAMPLES frames. ``taken``: frames carried out. ``spoil``: gets the
    bytes of each frame, and returns what the device sees. ``answers``: kinds of frames with which it answers.
    """

    def __init__(
        self,
        build: Build = BUILD,
        spoil: Callable[[bytes], bytes] = lambda data: data,
        answers: Container[Kind] = frozenset(Kind),
    ) -> None:
        self.memory = {REGISTERS[name].address: word for name, word in identification(build).items()}
        self.samples = b""
        self.taken: list[Frame] = []
        self.spoil = spoil
        self.answers = answers
        self.expected = -1  # none before SYNC
        self.freed = self.last = 0
        self.most_in_flight = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            host, _ = self._listener.accept()
            line = b""
            with host:
                while data := host.recv(4096):
                    *frames, line = (line + data).split(b"\0")
                    for frame in frames:
                        for answer in self._carry_out(self.spoil(frame)):
                            if answer.kind in self.answers:
                                host.sendall(encode(answer))

    def _carry_out(self, data: bytes) -> Iterator[Frame]:
        """The answers to a frame, as the device gives them: when it takes or drops the frame, the data, and when it has carried
        it out.
        """
        if not data:
            return
        try:
            frame = decode(data)
        except FrameError:
            frame = None
        if frame is not None:
            self.last = frame.sequence
        if frame is not None and frame.kind == Kind.SYNC:
            self.expected, self.freed = (frame.sequence + 1) % 256, 0
            yield self._ack()
            return
        if frame is None or frame.sequence != self.expected:
            yield self._ack()
            return
        self.expected = (self.expected + 1) % 256
        yield self._ack()
        self.taken.append(frame)
        if frame.kind == Kind.SAMPLES:
            self.samples += frame.payload
        elif frame.kind == Kind.WRITE:
            address, *words = struct.unpack(f"<{len(frame.payload) // 4}I", frame.payload)
            self.memory |= dict(enumerate(words, address))
        elif frame.kind in (Kind.READ, Kind.FENCE):
            address, count = struct.unpack("<II", frame.payload)
            words = [self.memory.get(address + i, 0) for i in range(count)]
            yield Frame(Kind.DATA, frame.sequence, struct.pack(f"<{count}I", *words))
        self.freed = (self.freed + CREDIT_OVERHEAD + len(frame.payload)) % 65536
        yield self._ack()

    def _ack(self) -> Frame:
        return Frame(Kind.ACK, self.expected, struct.pack("<HB", self.freed, self.last))

    def __enter__(self) -> "FakeDevice":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@contextmanager
def fails(kind: type[Exception], says: str) -> Iterator[None]:
    """The body raises ``kind`` with a message that matches ``says``, and does not hang."""
    begun = time.monotonic()
    with pytest.raises(kind, match=says):
        yield
    assert time.monotonic() - begun < LONGEST


@contextmanager
def served(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP port on which ``answer`` gets each connection. Yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                host, _ = listener.accept()
                with host:
                    answer(host)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def until_closed(host: socket.socket) -> None:
    with suppress(OSError):
        while host.recv(4096):
            pass


def test_frames_arrive_once_and_in_order() -> None:
    payloads = [random.Random(k).randbytes(k % 512 + 1) for k in range(600)]
    with FakeDevice() as device:
        link = Link(device.url)
        link.window.buffer_bytes = BUILD.rx_bytes
        for payload in payloads:
            link.send(Kind.SAMPLES, payload)
        assert link.read([(0, 1)], fence=True) == [0x4453475A]
        link.close()
        assert device.samples == b"".join(payloads)
        assert link.counts.samples == sum(map(len, payloads))
        assert link.counts.resent == 0


@pytest.mark.parametrize("fault", ["lose", "damage", "both ways"])
def test_go_back(fault: str) -> None:
    """Lost or damaged frames are sent again, and nothing is carried out twice."""
    rng = random.Random(7)

    def spoil(data: bytes) -> bytes:
        if len(data) < 12 or rng.random() > 0.05:  # leaves SYNC alone
            return data
        return b"" if fault == "lose" else bytes([data[0] ^ 0x55]) + data[1:]

    payloads = [random.Random(k).randbytes(200) for k in range(200)]
    with FakeDevice(spoil=spoil) as device:
        if fault == "both ways":
            carry_out = device._carry_out
            device._carry_out = lambda data: (a for a in carry_out(data) if rng.random() > 0.03)
        with Device(device.url) as host:
            for payload in payloads:
                host.link.send(Kind.SAMPLES, payload)
            host.write("features", 77)
            assert host.read("features") == 77
            assert device.samples == b"".join(payloads)
            assert host.link.counts.resent > 0


def test_a_dropped_frame_is_sent_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device reports that it dropped a frame; here no time-out ever ends."""
    dropped: list[bytes] = []

    def spoil(data: bytes) -> bytes:
        if len(data) > 200 and not dropped:
            dropped.append(data)
            return b"\x01"
        return data

    with FakeDevice(spoil=spoil) as device, Device(device.url) as host:
        monkeypatch.setattr(type(host.link.pace), "wait", lambda pace, tries: 1e9)
        for _ in range(8):
            host.link.send(Kind.SAMPLES, b"\x01" * 300)
        host.read("features")
        assert dropped
        assert len(device.samples) == 8 * 300


def test_copies_of_a_query_answer_no_other() -> None:
    """On a bad line, several copies are sent. While answers to one query may still come, the next one has another number."""
    with FakeDevice() as device, Device(device.url) as host:
        link = host.link
        while link.pace.payload.value > 16:
            link.pace.lost()
        for ahead in range(1, MOST_FRAMES + 1):
            link._send_query()
            assert link._query.copies == 3
            while link._query is not None:
                link._receive()
            assert link._late_answers <= 2
            answered = link._answered_query
            before = link.window.next
            link.window.next = (before - ahead) % 256  # frames were taken back
            link._send_query()
            assert link._query.number != answered
            assert MOST_FRAMES <= (link._query.number - link.window.next) % 256 < 2 * MOST_FRAMES
            link.window.next = before


def test_credit_is_kept() -> None:
    """Frames that are sent and not yet carried out never exceed the receive buffer."""
    with FakeDevice() as device, Device(device.url) as host:
        most = 0
        send = host.link._port.write

        def watched(data: bytes) -> None:
            nonlocal most
            most = max(most, host.link.window.used)
            send(data)

        host.link._port.write = watched
        for _ in range(200):
            host.link.send(Kind.SAMPLES, b"\x01" * 512)
        host.read("features")
        assert BUILD.rx_bytes - 516 < most <= BUILD.rx_bytes


def test_words_are_split_into_bursts() -> None:
    with FakeDevice() as device, Device(device.url) as host:
        words = [k * 0x01010101 & 0xFFFFFFFF for k in range(300)]
        host.write_words(0x10000, words)
        assert host.read_words(0x10000, 300) == words
        assert host.build == BUILD


# What can be wrong with a port


def test_no_such_port() -> None:
    with fails(NoDevice, "cannot open /dev/none: .*'zipsgd doctor' looks for boards"):
        Device("/dev/none")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with fails(NoDevice, f"cannot open socket://127.0.0.1:{port}: .*refused"):
        Device(f"socket://127.0.0.1:{port}")
    with fails(NoDevice, "cannot open socket://nonsense"):
        Device("socket://nonsense")
    with fails(NoDevice, "cannot open nosuch://"):
        Device("nosuch://x")


def test_nothing_answers() -> None:
    with served(until_closed) as url, fails(NoDevice, f"nothing answers on {url}: is the bitstream loaded"):
        Device(url)


def test_something_else_answers() -> None:
    def web_server(host: socket.socket) -> None:
        host.recv(100)
        host.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with served(web_server) as url, fails(WrongDevice, "does not speak zipsgd's protocol"):
        Device(url)


def test_an_echo_answers() -> None:
    def echo(host: socket.socket) -> None:
        with suppress(OSError):
            while data := host.recv(4096):
                host.sendall(data)

    with served(echo) as url, fails(WrongDevice, "does not speak zipsgd's protocol"):
        Device(url)


def test_noise_answers() -> None:
    def noise(host: socket.socket) -> None:
        rng = random.Random(0)
        with suppress(OSError):
            while True:
                host.sendall(rng.randbytes(1000))
                time.sleep(0.01)

    with served(noise) as url, fails(WrongDevice, r"does not speak zipsgd's protocol \(\d{4,} bytes came"):
        Device(url)


def test_the_port_closes_at_once() -> None:
    says = "closed as soon as it was opened: a virtual board serves one host at a time"
    with served(lambda host: None) as url, fails(NoDevice, says):
        Device(url)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"magic": 0x12345678}, "no zipsgd device: its first word is 0x12345678"),
        ({"version": 8}, "speaks version 8 of the contract, this host version 9: rebuild the bitstream"),
        ({"lanes": 16}, "build hash .* does not match its parameters"),
        ({"lanes": 5}, "lanes"),
    ],
)
def test_a_device_that_is_not_ours(change: dict[str, int], says: str) -> None:
    with FakeDevice() as device:
        device.memory |= {REGISTERS[name].address: word for name, word in change.items()}
        with fails(WrongDevice, says):
            Device(device.url)


def test_another_build() -> None:
    wanted = Build(lanes=16, update_lanes=16, rx_bytes=2048)
    with (
        FakeDevice() as device,
        fails(WrongBuild, r"another build: lanes 8 \(wanted 16\), update_lanes 8"),
    ):
        Device(device.url, expect=wanted)


def test_the_port_is_free_after_an_error() -> None:
    with FakeDevice() as device, pytest.raises(WrongBuild):
        Device(device.url, expect=Build(lanes=16, update_lanes=16))
    assert not device._thread.is_alive()  # it saw the end of the connection


# Devices that are lost


def test_a_device_that_acknowledges_no_more() -> None:
    with FakeDevice() as device, Device(device.url) as host:
        device.answers = frozenset()
        with fails(LinkLost, "lost the board on .*no longer answers"):
            for _ in range(10):
                host.link.send(Kind.SAMPLES, bytes(512))


def test_a_device_that_answers_no_reads() -> None:
    with FakeDevice() as device, Device(device.url) as host:
        device.answers = {Kind.ACK}
        with fails(LinkLost, "answers, but makes no progress"):
            host.read("features")


def test_a_lost_answer_is_requested_again() -> None:
    with FakeDevice() as device, Device(device.url) as host:
        device.answers = {Kind.ACK}
        threading.Timer(1.0, setattr, (device, "answers", frozenset(Kind))).start()
        assert host.read("magic") == 0x4453475A


def test_a_connection_that_ends() -> None:
    def unplug(data: bytes) -> bytes:
        if len(data) > 100:
            raise ConnectionError
        return data

    says = "lost the board on .*plug it in or start it again"
    with FakeDevice(spoil=unplug) as device, Device(device.url) as host, fails(LinkLost, says):
        for _ in range(10):
            host.link.send(Kind.SAMPLES, b"\x01" * 512)
