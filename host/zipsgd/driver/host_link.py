"""The host's end of the link: frames in order, exactly once, at the link's full rate, whatever the line does to them."""

import random
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zipsgd.protocol.frames import Frame, FrameError, Kind

from .coding import decode, encode
from .errors import DeviceReset, LinkLost, NoDevice, WrongDevice
from .pace import Pace
from .port import Port, PortGone
from .window import MOST_FRAMES, Item, OutOfStep, Request, Window

__all__ = ["PATIENCE", "Link", "LinkCounts"]

PATIENCE = 3.5
"""Seconds in which nothing moves, after which the device counts as lost."""
_LOOK = 0.005
"""Longest wait for a byte."""
_SYNC_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 0.8)
"""Seconds that the answer to each SYNC may take."""
_CLOSINGS = 3
"""Times that a port may go away while a SYNC waits for its answer."""
_SMALLEST_BUFFER = 1024
"""Bytes that every build's receive buffer has; enough until the build is known."""


@dataclass
class LinkCounts:
    """What went over the link since it was opened: bytes on the wire, sample bytes among them, frames sent again."""

    sent: int = 0
    samples: int = 0
    received: int = 0
    resent: int = 0


@dataclass(frozen=True)
class _Query:
    """A frame out of turn: the acknowledgement that names it says what has arrived of those sent before it.

    ``before``: number of the first frame that was not. ``copies``: times that it was sent.
    """

    number: int
    before: int
    at: float
    copies: int


class Link:
    """A synchronised link to a device, over a line that may damage, lose, insert, repeat and hold up bytes, or break off.

    Frames are sent while the device's receive buffer has room for them, without waiting for an answer, and what is not
    acknowledged is kept. The device drops a frame that is damaged or out of turn, and says so; then, and when it is silent for
    long, it is asked what has arrived. From the first missing frame on, everything is sent again (go-back-N), cut anew to
    frames that the line lets through (:class:`.Pace`).

    Parameters
    ----------
    url : a serial port or any URL of :func:`serial.serial_for_url`.
    baud : rate of a serial port.
    patience : seconds in which a device may be silent, or its port away, before it counts as lost.
    progress : is told when the port has gone away.

    Raises
    ------
    NoDevice
        The port cannot be opened or is in use, or nothing answers.
    WrongDevice
        Something else answers.
    """

    def __init__(
        self,
        url: str,
        baud: int = 3_000_000,
        *,
        patience: float = PATIENCE,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.url = url
        self.counts = LinkCounts()
        self.window = Window(_SMALLEST_BUFFER)
        self.pace = Pace()
        self._patience = patience
        self._progress = progress
        self._queries = 0
        self._asking_again = False  # for answers; what the device frees is then no sign of progress
        self._port = Port(url, baud)
        try:
            self._synchronise()
        except BaseException:
            self._port.close()
            raise

    # Beginning

    def synchronise(self) -> None:
        """Begin anew: the device drops what is under way. Raises NoDevice, WrongDevice."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._synchronise()
            except NoDevice:
                if time.monotonic() > end:
                    raise
                time.sleep(_LOOK)

    def _synchronise(self) -> None:
        heard = closings = 0
        first = random.randrange(
            256
        )  # of all numbers, so that an answer to an earlier SYNC is not taken for one to this
        for attempt, wait in enumerate(_SYNC_WAITS):
            number = (first + 17 * attempt) % 256
            self._restart((number + 1) % 256)
            answer = Frame(Kind.ACK, self.window.next, bytes((0, 0, number)))
            end = time.monotonic() + wait
            try:
                self._port.write(b"\0\0" + encode(Frame(Kind.SYNC, number)))
                while (now := time.monotonic()) < end:
                    heard += self._read(end - now)
                    if answer in self._frames():
                        return
            except PortGone:
                closings += 1
                if closings == _CLOSINGS and not heard:
                    raise NoDevice(
                        f"{self.url} was closed as soon as it was opened: a virtual board serves one host at a time, so end "
                        f"the other one first; or something else listens there"
                    ) from None
                self._open_again()
        if heard:
            raise WrongDevice(
                f"what answers on {self.url} does not speak zipsgd's protocol ({heard} bytes came, none of them a valid "
                f"answer): another device's port, another baud rate, or a bitstream of something else"
            )
        raise NoDevice(
            f"nothing answers on {self.url}: is the bitstream loaded ('zipsgd build --board ...', then program it) and the "
            f"baud rate that of the build?"
        )

    def _open_again(self) -> None:
        """Wait for a port that has gone away to come back. Raises NoDevice if it does not."""
        end = time.monotonic() + self._patience
        while True:
            try:
                return self._port.open()
            except NoDevice:
                if time.monotonic() > end:
                    raise
                time.sleep(_LOOK)

    def _restart(self, sequence: int) -> None:
        self.window.restart(sequence)
        self._input = bytearray()
        self._queue: deque[Item] = deque()
        self._asked: dict[int, Request] = {}
        """Requests sent and not answered, by their frames' numbers, in that order."""
        self._query: _Query | None = None
        self._holding = False  # nothing new is sent until the query is answered
        self._suspect = False
        self._said: tuple[int, bytes] | None = None  # by the last ACK
        self._last_query = -1  # of the last query that was answered: its number
        self._echoes = 0  # answers to further copies of it that may still come
        self._gone: str | None = None  # why the port is
        self._begin_waiting()

    # Port

    def _write(self, data: bytes) -> None:
        """Send bytes; they are lost where there is no port."""
        if self._gone is None:
            try:
                self._port.write(data)
                self.counts.sent += len(data)
            except PortGone as error:
                self._port_gone(error)

    def _read(self, wait: float) -> int:
        """Take what there is, waiting a moment for the first byte; how many bytes came."""
        data = self._port.read(min(wait, _LOOK))
        self._input += data
        self.counts.received += len(data)
        return len(data)

    def _port_gone(self, error: PortGone) -> None:
        self._gone = str(error)
        self._progress(f"{self.url} went away ({error}); waiting for it to come back")

    def _reopen(self) -> None:
        """Try to open the port again. What was on the line is lost, and as on a bad line the device is asked what it has."""
        try:
            self._port.open()
        except NoDevice:
            time.sleep(_LOOK)
            return
        self._gone = None
        self._input.clear()
        self._inquire(hold=True)

    def _frames(self) -> list[Frame]:
        *coded, rest = self._input.split(b"\0")
        self._input = bytearray(rest)
        frames = []
        for data in coded:
            try:
                frames.append(decode(bytes(data)))
            except FrameError:
                continue  # the device says again what still holds when it is asked again
        return frames

    # From the device

    def _take_in(self) -> None:
        if self._gone is not None:
            self._reopen()
            return
        try:
            if not self._read(_LOOK):
                return
        except PortGone as error:
            self._port_gone(error)
            return
        for frame in self._frames():
            if frame.kind == Kind.ACK and len(frame.payload) == 3:
                self._acknowledged(frame)
            elif frame.kind == Kind.DATA:
                self._answered(frame)

    def _acknowledged(self, frame: Frame) -> None:
        freed, last = struct.unpack("<HB", frame.payload)
        try:
            arrived, fresh = self.window.acknowledge(frame.sequence, freed)
        except OutOfStep:
            raise DeviceReset(f"the board on {self.url} was reset, or has been taken over") from None
        self._heard = now = time.monotonic()
        if arrived:
            self.pace.arrived(len(arrived))
            self.pace.measured(now - arrived[-1].at)
        if arrived or fresh:
            self._moves()
            if fresh and not self._asking_again:
                self._moved = now
        said = (frame.sequence, frame.payload)
        again = said == self._said
        if self._query is not None:
            if last == self._query.number:
                self._found_out(self._query, now)
        elif last == self._last_query and self._echoes:
            self._echoes -= 1
        else:
            # A later frame has come in place of the first one, or one was dropped that had no number to be read
            later = (last - self.window.first) % 256 < len(self.window)
            self._suspect = bool(self.window) and (later or again)
        self._said = said

    def _found_out(self, query: _Query, now: float) -> None:
        """A query is answered: of the frames sent before it, those that are not acknowledged will never arrive.

        Nor will any sent since, which came out of turn. The line keeps the order of bytes, so that they all, in whatever
        copies, have come before anything that is sent from now on.
        """
        self._query, self._holding = None, False
        self._last_query, self._echoes = query.number, query.copies - 1
        self.pace.measured(now - query.at)
        self._moves()
        if 0 < (query.before - self.window.first) % 256 <= len(self.window):
            self.pace.lost()
            lost = self.window.take_back()
            self.counts.resent += len(lost)
            for sent in reversed(lost):
                self._asked.pop(sent.sequence, None)
                self._queue.appendleft(sent.item)

    def _answered(self, frame: Frame) -> None:
        request = self._asked.get(frame.sequence)
        if request is None or len(frame.payload) != 4 * request.count:
            return
        for sequence in list(self._asked):
            del self._asked[sequence]
            if sequence == frame.sequence:
                break
            self.pace.words.lost()  # answers come in order
        request.found.update(enumerate(struct.unpack(f"<{request.count}I", frame.payload), request.address))
        self.pace.words.arrived()
        self._begin_waiting()

    # Waiting

    def _begin_waiting(self) -> None:
        self._moved = self._heard = time.monotonic()
        self._asking_again = False
        self._moves()

    def _moves(self) -> None:
        self._silent_since = time.monotonic()
        self._tries = 0

    def _inquire(self, *, hold: bool = False) -> None:
        """Ask what has arrived, by a frame with a number that cannot be the expected one."""
        number = self._last_query
        while number == self._last_query:  # whose copies may still be on their way
            self._queries = (self._queries + 1) % MOST_FRAMES
            number = (self.window.next + MOST_FRAMES + self._queries) % 256
        self._silent_since = time.monotonic()
        self._tries += 1
        self._query = _Query(number, self.window.next, self._silent_since, self.pace.copies)
        self._holding |= hold
        self._suspect = False
        self._write(b"\0" + self._query.copies * encode(Frame(Kind.SAMPLES, number)))

    def _step(self) -> None:
        """One look at the port; asks, or gives up, when nothing moves; then sends what there is room for."""
        self._take_in()
        now = time.monotonic()
        if now > self._moved + self._patience:
            raise self._lost(now)
        if self._suspect:
            self._inquire(hold=True)
        elif now > self._silent_since + self.pace.wait(self._tries):
            if self._asked and not self.window and not self._queue:
                self._asked.clear()
                self.pace.words.lost()
                self._asking_again = True
                self._silent_since = now
                self._tries += 1
            else:
                self._inquire()
        self._pump()

    def _lost(self, now: float) -> LinkLost:
        if self._gone is not None:
            what = self._gone
        elif now > self._heard + self._patience / 2:
            what = "it no longer answers"
        else:
            return DeviceReset(f"the board on {self.url} answers, but does not go on")
        return LinkLost(
            f"lost the board on {self.url}: {what}. Nothing on the host is lost; plug it in or start it again and repeat"
        )

    # To the device

    def _pump(self) -> None:
        """Send what there is to send and room for."""
        while self._queue and not self._holding:
            item, rest = self._queue[0].cut(self.pace.payload.value)
            if len(self.window) >= self.pace.frames or not self.window.room(item):
                return
            if rest is None:
                self._queue.popleft()
            else:
                self._queue[0] = rest
            sent, data = self.window.put(item, time.monotonic())
            if item.request is not None:
                self._asked[sent.sequence] = item.request
            self._write(data)

    def _submit(self, item: Item) -> None:
        self._queue.append(item)
        self._pump()
        while self._queue:
            self._step()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send a WRITE, or bytes of samples, in as many frames as it takes, as soon as the device has room for them."""
        if not payload:
            return
        if kind == Kind.SAMPLES:
            self.counts.samples += len(payload)
        self._begin_waiting()
        self._submit(Item(kind, memoryview(payload)))

    def read(self, ranges: Sequence[tuple[int, int]], *, fence: bool = False) -> list[int]:
        """Words from ``ranges``, each an address and a count; with ``fence``, once the datapath is idle.

        The words of the last range are read last. A lost answer is asked for again. When this returns, no answer is on its
        way, so that none can be taken for that to a frame 256 later.
        """
        wanted = [address + i for address, count in ranges for i in range(count)]
        found: dict[int, int] = {}
        self._begin_waiting()
        while missing := [address for address in wanted if address not in found]:
            at = 0
            while at < len(missing):
                address, most = missing[at], self.pace.words.value
                count = next(
                    (i for i in range(1, most) if missing[at + i : at + i + 1] != [address + i]), most
                )
                kind = Kind.FENCE if fence and not found and at == 0 else Kind.READ
                request = Request(address, count, found)
                self._submit(Item(kind, request.payload, request))
                at += count
                while len(self._asked) >= MOST_FRAMES:
                    self._step()
            while self._asked or self._queue:
                self._step()
        return [found[address] for address in wanted]

    def close(self) -> None:
        self._port.close()
