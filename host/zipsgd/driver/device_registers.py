"""The registers of an open device: who it is, and its words."""

import secrets
import struct
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import Kind
from zipsgd.protocol.identification import parse_identification
from zipsgd.protocol.registers import REGISTERS, WINDOWS, registers_of

from .errors import DeviceReset, LinkLost, WrongBuild, WrongDevice
from .host_link import PATIENCE, Link

__all__ = ["RESULTS", "DeviceRegisters"]

_IDENTIFICATION = [name for name in REGISTERS if REGISTERS[name].address < REGISTERS["features"].address]
RESULTS = [name for name in REGISTERS if REGISTERS[name].address >= REGISTERS["status"].address]
"""Results of an epoch. The session word is read last: if it is right, the device was not reset before."""
assert RESULTS[-1] == "session"
_GREETINGS = 3
"""Attempts to identify a device that answers out of step."""


class DeviceRegisters:
    """An open device, as far as its registers go. A context manager.

    The device stores a random word of the host, its session. A reset clears this word, and SYNC does not. So the driver detects
    a reset before it uses wrong results (:class:`.DeviceReset`), and it detects another host.

    Parameters
    ----------
    url : str
        A serial port, or any URL of :func:`serial.serial_for_url` (``socket://...`` for a virtual board).
    expect : Build | None
        The build that the device must have; None for any.
    baud : int
        Baud rate of a serial port.
    patience : float
        Seconds that the device may be silent before it is considered lost.
    progress : Callable[[str], None]
        Called with a message when the port disappears.

    Attributes
    ----------
    build : Build
        The build of the device.
    link : Link
        The link to the device.

    Raises
    ------
    NoDevice
        The port cannot be opened or is in use, or nothing answers.
    WrongDevice
        Something else answers.
    WrongBuild
        The device has another build than ``expect``.
    """

    def __init__(
        self,
        url: str,
        *,
        expect: Build | None = None,
        baud: int = 3_000_000,
        patience: float = PATIENCE,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._patience = patience
        self.link = Link(url, baud, patience=patience, progress=progress)
        try:
            self.build = self._greet(expect)
        except BaseException:
            self.link.close()
            raise

    def _greet(self, expect: Build | None) -> Build:
        """Identify the device, and begin a session."""
        for left in reversed(range(_GREETINGS)):
            try:
                return self._identify(expect)
            except DeviceReset:  # the answer to SYNC was meant for another host
                if not left:
                    raise
                self.link.synchronise()
        raise AssertionError

    def _identify(self, expect: Build | None) -> Build:
        url = self.link.url
        try:
            build = parse_identification(
                dict(zip(_IDENTIFICATION, self.read_words(0, len(_IDENTIFICATION)), strict=True))
            )
        except ValueError as error:
            raise WrongDevice(f"{url}: {error}") from None
        if expect is not None and expect != build:
            wanted, found = expect.as_dict(), build.as_dict()
            differing = [
                f"{name} {found[name]} (wanted {wanted[name]})"
                for name in wanted
                if wanted[name] != found[name]
            ]
            raise WrongBuild(
                f"the board on {url} holds another build: {', '.join(differing)}. Program the wanted build, or use the board "
                f"as it is without naming a build"
            )
        self.link.window.buffer_bytes = build.rx_bytes
        self._session = 1 + secrets.randbelow(0xFFFF_FFFF)
        self.write("session", self._session)
        self._check_session(self.read("session"))
        return build

    def _check_session(self, word: int) -> None:
        if word != self._session:
            raise DeviceReset(f"the board on {self.link.url} was reset")

    def restart(self) -> None:
        """Use the device again after :class:`.DeviceReset`. Afterwards the run must be started again.

        Raises
        ------
        LinkLost
            Another host has taken over the device.
        NoDevice, WrongDevice, WrongBuild
            The device or its build has changed.
        """
        self.link.synchronise()
        if self.read("session") not in (0, self._session):
            raise LinkLost(
                f"another program has taken over the board on {self.link.url}: end one of the two programs, and repeat"
            )
        self._greet(self.build)

    # Words

    def read_words(self, address: int, count: int, *, fence: bool = False) -> list[int]:
        """Read 32-bit words from consecutive addresses.

        Parameters
        ----------
        address : int
            Address of the first word.
        count : int
            Number of words.
        fence : bool
            Read when the datapath is idle.

        Returns
        -------
        list[int]
            The words.
        """
        return self.link.read([(address, count)], fence=fence)

    def write_words(self, address: int, words: Sequence[int]) -> None:
        """Write 32-bit words to consecutive addresses.

        Parameters
        ----------
        address : int
            Address of the first word.
        words : Sequence[int]
            The words; only their lowest 32 bits are written.
        """
        if words:
            data = np.array([word & 0xFFFF_FFFF for word in words], dtype="<u4").tobytes()
            self.link.send(Kind.WRITE, struct.pack("<I", address) + data)

    def read(self, name: str) -> int:
        """Read a register.

        Parameters
        ----------
        name : str
            Name of the register.

        Returns
        -------
        int
            Its value.
        """
        return self.read_words(REGISTERS[name].address, 1)[0]

    def write(self, name: str, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        name : str
            Name of the register.
        value : int
            Its new value.
        """
        self.write_words(REGISTERS[name].address, [value])

    def write_window(self, name: str, words: Sequence[int]) -> None:
        """Write words to a window by name, from its first place on.

        Parameters
        ----------
        name : str
            Name of the window, see :data:`zipsgd.protocol.registers.WINDOWS`.
        words : sequence of int
            The words, of 32 bits each.
        """
        self.write_words(WINDOWS[name].address, words)

    def write_registers(self, values: dict[str, int]) -> None:
        """Write the registers that the build has, in as few frames as their addresses allow.

        Parameters
        ----------
        values : dict of str to int
            Words by register name. Registers that the build does not have are left out.
        """
        there = registers_of(self.build)
        words = {there[name].address: value for name, value in values.items() if name in there}
        for first in [address for address in words if address - 1 not in words]:
            part = [words[first]]
            while first + len(part) in words:
                part.append(words[first + len(part)])
            self.write_words(first, part)

    def close(self) -> None:
        """Close the port."""
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
