"""The host's end of the link: frames arrive in order, exactly once and at full rate, even on a bad line."""

import logging
import struct
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zipsgd.protocol.frames import Frame, Kind

from .coding import encode
from .errors import BoardTaken, DeviceReset, LinkLost, NoDevice
from .frame_port import POLL_SECONDS, FramePort
from .handshake import synchronise
from .pace import Pace
from .port import PortGone
from .window import MOST_FRAMES, Item, OutOfStep, Request, Window

__all__ = ["PATIENCE", "Link"]

_log = logging.getLogger(__name__)

PATIENCE = 3.5
"""Seconds without any progress after which the device is considered lost."""
_SMALLEST_BUFFER = 1024
"""Bytes that the receive buffer of every build has. They are enough until the build is known."""


@dataclass(frozen=True)
class _Query:
    """A frame with an unexpected number. Its acknowledgement tells which of the frames sent before it have arrived.

    ``before``: number of the first frame that was not sent before it. ``copies``: how often the query was sent.
    """

    number: int
    before: int
    at: float
    copies: int


class Link:
    """A synchronised link to a device, over a line that may damage, lose, insert, repeat and delay bytes, or disconnect.

    The host sends frames as long as the device's receive buffer has room for them, without waiting for answers, and keeps
    frames until they are acknowledged. The device drops damaged frames and frames that arrive out of order, and reports that.
    Then, and after a long silence, the host asks which frames have arrived. It sends everything from the first missing frame on
    again (go-back-N), in frames whose size suits the line (:class:`.Pace`). ``docs/link.md`` describes the protocol.

    Parameters
    ----------
    url : str
        A serial port or any URL of :func:`serial.serial_for_url`.
    baud : int
        Baud rate of a serial port.
    patience : float
        Seconds that a device may be silent, or its port away, before it is considered lost.
    progress : Callable[[str], None]
        Called with a message when the port disappears.

    Attributes
    ----------
    counts : LinkCounts
        Traffic since the link was opened.
    window : Window
        Frames that are not acknowledged yet, and the room in the device's receive buffer.
    pace : Pace
        Sizes of frames and waiting times.

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
        self.window = Window(_SMALLEST_BUFFER)
        self.pace = Pace()
        self._patience = patience
        self._queries = 0
        self._repeating_reads = False  # bytes that the device frees are then no sign of progress
        self._port = FramePort(url, baud, progress)
        self.counts = self._port.counts
        try:
            synchronise(self._port, self._restart, patience)
        except BaseException:
            self._port.close()
            raise

    # Synchronisation

    def synchronise(self) -> None:
        """Synchronise again. The device drops everything that is in progress.

        Raises
        ------
        NoDevice
            Nothing answers in time, or the port does not come back.
        WrongDevice
            Something else answers.
        """
        end = time.monotonic() + self._patience
        while True:
            try:
                return synchronise(self._port, self._restart, self._patience)
            except NoDevice:
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_SECONDS)

    def _restart(self, sequence: int) -> None:
        self._port.restart()
        self.window.restart(sequence)
        self._queue: deque[Item] = deque()
        self._pending: dict[int, Request] = {}
        """Requests without an answer, by the numbers of their frames, in this order."""
        self._query: _Query | None = None
        self._paused = False  # send nothing new until the query is answered
        self._loss_suspected = False
        self._last_acknowledgement: tuple[int, bytes] | None = None
        self._answered_query = -1  # number of the last query that was answered
        self._late_answers = 0  # answers to further copies of this query that may still come
        self._restart_timers()

    # From the device

    def _receive(self) -> None:
        if self._port.error is not None:
            self._reopen()
            return
        try:
            frames = self._port.receive(POLL_SECONDS)
        except PortGone as error:
            self._port.report_gone(error)
            return
        for frame in frames:
            if frame.kind == Kind.ACK and len(frame.payload) == 3:
                self._handle_acknowledgement(frame)
            elif frame.kind == Kind.DATA:
                self._handle_data(frame)

    def _reopen(self) -> None:
        """Try to open the port again. As bytes on the line are lost, the device is then asked what has arrived."""
        try:
            self._port.reopen()
        except NoDevice as error:
            if isinstance(error, BoardTaken):  # by whom says more than how it was lost
                self._port.error = str(error)
            time.sleep(POLL_SECONDS)
        else:
            self._send_query(pause=True)

    def _handle_acknowledgement(self, frame: Frame) -> None:
        freed, last = struct.unpack("<HB", frame.payload)
        try:
            arrived, fresh = self.window.acknowledge(frame.sequence, freed)
        except OutOfStep:
            raise DeviceReset(
                f"the board on {self.url} was reset, or another program has taken it over"
            ) from None
        self._heard_at = now = time.monotonic()
        if arrived:
            self.pace.arrived(len(arrived))
            self.pace.measured(now - arrived[-1].at)
        if arrived or fresh:
            self._restart_silence()
            if fresh and not self._repeating_reads:
                self._progress_at = now
        acknowledgement = (frame.sequence, frame.payload)
        repeated = acknowledgement == self._last_acknowledgement
        if self._query is not None:
            if last == self._query.number:
                self._finish_query(self._query, now)
        elif last == self._answered_query and self._late_answers:
            self._late_answers -= 1
        else:
            # A later frame arrived instead of the expected one, or a frame was dropped whose number was unreadable
            later = (last - self.window.first) % 256 < len(self.window)
            self._loss_suspected = bool(self.window) and (later or repeated)
        self._last_acknowledgement = acknowledgement

    def _finish_query(self, query: _Query, now: float) -> None:
        """The query is answered: frames that were sent before it and are not acknowledged are lost.

        Frames sent since are lost too, because they arrived out of order. The line keeps the order of bytes. So all copies of
        these frames have come before anything that is sent from now on.
        """
        self._query, self._paused = None, False
        self._answered_query, self._late_answers = query.number, query.copies - 1
        self.pace.measured(now - query.at)
        self._restart_silence()
        if 0 < (query.before - self.window.first) % 256 <= len(self.window):
            self.pace.lost()
            lost = self.window.take_back()
            self.counts.resent += len(lost)
            _log.debug("%s: %d frames are sent again", self.url, len(lost))
            for sent in reversed(lost):
                self._pending.pop(sent.sequence, None)
                self._queue.appendleft(sent.item)

    def _handle_data(self, frame: Frame) -> None:
        request = self._pending.get(frame.sequence)
        if request is None or len(frame.payload) != 4 * request.count:
            return
        for sequence in list(self._pending):
            del self._pending[sequence]
            if sequence == frame.sequence:
                break
            self.pace.words.lost()  # answers come in order, so this one is lost
        request.found.update(enumerate(struct.unpack(f"<{request.count}I", frame.payload), request.address))
        self.pace.words.arrived()
        self._restart_timers()

    # Waiting

    def _restart_timers(self) -> None:
        self._progress_at = self._heard_at = time.monotonic()
        self._repeating_reads = False
        self._restart_silence()

    def _restart_silence(self) -> None:
        self._silent_since = time.monotonic()
        self._tries = 0

    def _send_query(self, *, pause: bool = False) -> None:
        """Ask what has arrived, with a frame whose number cannot be the expected one."""
        number = self._answered_query
        while number == self._answered_query:  # late answers to that query may still come
            self._queries = (self._queries + 1) % MOST_FRAMES
            number = (self.window.next + MOST_FRAMES + self._queries) % 256
        self._silent_since = time.monotonic()
        self._tries += 1
        self._query = _Query(number, self.window.next, self._silent_since, self.pace.copies)
        self._paused |= pause
        self._loss_suspected = False
        self._port.write(b"\0" + self._query.copies * encode(Frame(Kind.SAMPLES, number)))

    def _poll(self) -> None:
        """Look at the port once. Without progress, ask the device or give up. Then send as much as there is room for."""
        self._receive()
        now = time.monotonic()
        if now > self._progress_at + self._patience:
            raise self._lost(now)
        if self._loss_suspected:
            self._send_query(pause=True)
        elif now > self._silent_since + self.pace.wait(self._tries):
            if self._pending and not self.window and not self._queue:
                self._pending.clear()
                self.pace.words.lost()
                self._repeating_reads = True
                self._silent_since = now
                self._tries += 1
            else:
                self._send_query()
        self._send_queued()

    def _lost(self, now: float) -> LinkLost:
        if self._port.error is not None:
            what = self._port.error
        elif now > self._heard_at + self._patience / 2:
            what = "it no longer answers"
        else:
            return DeviceReset(f"the board on {self.url} answers, but makes no progress")
        return LinkLost(
            f"lost the board on {self.url}: {what}. Nothing on the host is lost; plug it in or start it again and repeat"
        )

    # To the device

    def _send_queued(self) -> None:
        """Send queued items as long as there is room for them."""
        while self._queue and not self._paused:
            item, rest = self._queue[0].cut(self.pace.payload.value)
            if len(self.window) >= self.pace.frames or not self.window.room(item):
                return
            if rest is None:
                self._queue.popleft()
            else:
                self._queue[0] = rest
            sent, data = self.window.put(item, time.monotonic())
            if item.request is not None:
                self._pending[sent.sequence] = item.request
            self._port.write(data)

    def _submit(self, item: Item) -> None:
        self._queue.append(item)
        self._send_queued()
        while self._queue:
            self._poll()

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send a WRITE or sample bytes, in as many frames as necessary, as soon as the device has room for them.

        Parameters
        ----------
        kind : Kind
            ``Kind.WRITE`` or ``Kind.SAMPLES``.
        payload : bytes
            Payload of any length. Nothing is sent for an empty one.

        Raises
        ------
        LinkLost
            The device no longer answers, or was reset.
        """
        if not payload:
            return
        if kind == Kind.SAMPLES:
            self.counts.samples += len(payload)
        self._restart_timers()
        self._submit(Item(kind, memoryview(payload)))

    def read(self, ranges: Sequence[tuple[int, int]], *, fence: bool = False) -> list[int]:
        """Read words. Lost answers are requested again.

        When this returns, no answer is on its way. So no late answer can be mistaken for that to a frame 256 numbers later.

        Parameters
        ----------
        ranges : Sequence[tuple[int, int]]
            Address and number of words of each range. The words of the last range are read last.
        fence : bool
            Read when the datapath is idle.

        Returns
        -------
        list[int]
            The 32-bit words of all ranges.

        Raises
        ------
        LinkLost
            The device no longer answers, or was reset.
        """
        wanted = [address + i for address, count in ranges for i in range(count)]
        found: dict[int, int] = {}
        self._restart_timers()
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
                while len(self._pending) >= MOST_FRAMES:
                    self._poll()
            while self._pending or self._queue:
                self._poll()
        return [found[address] for address in wanted]

    def close(self) -> None:
        """Close the port."""
        self._port.close()
