"""A zipsgd device: its build, its registers, its model, and training epochs on it."""

import secrets
import struct
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import table_words
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig, model_words, step_registers
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import MAX_PAYLOAD, Kind
from zipsgd.protocol.identification import parse_identification
from zipsgd.protocol.registers import REGISTERS, WINDOWS, Control, registers_of
from zipsgd.protocol.run import Refetch

from .epoch_counts import EpochCounts
from .errors import DeviceReset, LinkLost, WrongBuild, WrongDevice
from .host_link import PATIENCE, Link

__all__ = ["Device"]

_IDENTIFICATION = [name for name in REGISTERS if REGISTERS[name].address < REGISTERS["features"].address]
_RESULTS = [name for name in REGISTERS if REGISTERS[name].address >= REGISTERS["status"].address]
"""Results of an epoch. The session word is read last: if it is right, the device was not reset before."""
assert _RESULTS[-1] == "session"
_GREETINGS = 3
"""Attempts to identify a device that answers out of step."""


class Device:
    """An open device. A context manager.

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

    def _write_registers(self, values: dict[str, int]) -> None:
        """Write the registers that the build has, in as few frames as their addresses allow."""
        there = registers_of(self.build)
        words = {there[name].address: value for name, value in values.items() if name in there}
        for first in [address for address in words if address - 1 not in words]:
            part = [words[first]]
            while first + len(part) in words:
                part.append(words[first + len(part)])
            self.write_words(first, part)

    # Model

    def write_model(self, model: npt.NDArray[np.int64]) -> None:
        """Write the master model. The rest of each head's last chunk becomes zero.

        Parameters
        ----------
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            The master model.
        """
        self.write_window("model_window", model_words(model, self.build).tolist())

    def _results(self, shape: tuple[int, ...], listed: int = 0) -> tuple[EpochCounts, npt.NDArray[np.int64]]:
        """Read result registers, the model of the given ``shape``, and doubts of ``listed`` samples from the idle datapath."""
        features = shape[-1]
        heads = shape[0] if len(shape) > 1 else 1
        room = self.build.chunks(features) * self.build.lanes
        parts = [(WINDOWS["model_window"].address + head * room, features) for head in range(heads)]
        results = REGISTERS[_RESULTS[0]].address
        lists = [(WINDOWS["doubt_window"].address, -(-listed // 32))] if listed else []
        words = self.link.read([*parts, (results, len(_RESULTS)), *lists], fence=True)
        end = heads * features + len(_RESULTS)
        value = dict(zip(_RESULTS, words[heads * features : end], strict=True))
        self._check_session(value["session"])
        loss = value["loss_high"] << 32 | value["loss_low"]
        doubts = np.unpackbits(np.array(words[end:], dtype="<u4").view(np.uint8), bitorder="little")
        counts = EpochCounts(
            loss=loss - (loss >> 63 << 64),
            flags=value["flags"],
            samples=value["samples_done"],
            cycles=value["cycles_high"] << 32 | value["cycles_low"],
            plane_cycles=value["plane_cycles_high"] << 32 | value["plane_cycles_low"],
            starved_cycles=value["starved_cycles_high"] << 32 | value["starved_cycles_low"],
            doubts=doubts[:listed].astype(np.bool_) if listed else None,
        )
        model = np.array(words[: heads * features], dtype=np.uint32).view(np.int32).astype(np.int64)
        return counts, model.reshape(shape)

    # Training

    def begin(
        self,
        model: npt.NDArray[np.int64],
        config: RunConfig,
    ) -> None:
        """Set up a run: check its limits, and write configuration, levels, coefficients and model.

        Parameters
        ----------
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            Initial master model.
        config : RunConfig
            Configuration of the run.

        Raises
        ------
        LimitError
            The build does not support the run.
        """
        config.check(self.build)
        self.write("control", Control.ABORT)
        self._write_registers(config.registers())
        if config.levels is not None:
            self.write_window("level_window", table_words(config.levels, self.build))
        if config.polynomial is not None:
            self.write_window("coefficient_window", config.polynomial.window_words(self.build))
        if config.diagonal is not None:
            self.write_window("variance_window", config.diagonal.words.tolist())
        self.write_model(model)
        self._shape = config.model_shape()
        self._lists = config.refetch != Refetch.NEVER

    def run_epoch(
        self,
        count: int,
        parts: Iterable[bytes],
        *,
        step: Step,
        seeds: Sequence[int],
        progress: Callable[[int], None] = lambda sent: None,
    ) -> tuple[EpochCounts, npt.NDArray[np.int64]]:
        """Train one epoch.

        Parameters
        ----------
        count : int
            Number of samples.
        parts : Iterable[bytes]
            Blocks of the samples' bytes.
        step : Step
            Step size over mini-batch size, and proximal step.
        seeds : Sequence[int]
            LFSR seeds: one for each update lane, then the loss unit's.
        progress : Callable[[int], None]
            Called with the number of sample bytes that have been sent.

        Returns
        -------
        counts : EpochCounts
            Counts of this epoch.
        model : npt.NDArray[np.int64] of shape (features,) or (heads, features)
            The master model after the epoch.
        """
        self._write_registers(step_registers(step))
        # Each written word enters update lane 0 and shifts the others: the last lane's word moves to the loss unit
        for word in reversed(seeds):
            self.write("seed", word)
        self.write("control", Control.CLEAR | Control.LOAD)
        self.write("samples", count)
        pending = bytearray()
        sent = 0
        for part in parts:
            pending += part
            full = len(pending) - len(pending) % MAX_PAYLOAD
            self.link.send(Kind.SAMPLES, bytes(pending[:full]))
            del pending[:full]
            sent += len(part)
            progress(sent)
        self.link.send(Kind.SAMPLES, bytes(pending))
        return self._results(self._shape, count if self._lists else 0)

    def counts(self) -> EpochCounts:
        """Read the result registers when the datapath is idle.

        Returns
        -------
        EpochCounts
            Counts since the counters were last cleared.
        """
        return self._results((0,))[0]

    def close(self) -> None:
        """Close the port."""
        self.link.close()

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
