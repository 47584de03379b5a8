"""A zipsgd device: its build, its registers, its model, and epochs on it."""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from zipsgd.golden.levels import table_words
from zipsgd.protocol.formats import Build
from zipsgd.protocol.frames import MAX_PAYLOAD, READ_WORDS, Kind
from zipsgd.protocol.registers import LEVEL_WINDOW, MODEL_WINDOW, REGISTERS, Control, parse_identification
from zipsgd.run import RunConfig

from .errors import WrongBuild, WrongDevice
from .link import Link

__all__ = ["Device", "EpochCounts"]

_RESULTS = (REGISTERS["status"].address, REGISTERS["frames_skipped"].address)


@dataclass(frozen=True)
class EpochCounts:
    """What the device counted since the last clear.

    ``loss``: the sum of squared residuals, in units of 2^-(2 * residual_frac). ``flags``: sticky overflow flags. ``samples``:
    trained on. ``cycles``: with an epoch under way; ``plane_cycles``: of these, with a plane taken; ``starved_cycles``: in
    which one could have been taken and none had come.
    """

    loss: int
    flags: int
    samples: int
    cycles: int
    plane_cycles: int
    starved_cycles: int


class Device:
    """An open device. A context manager.

    Parameters
    ----------
    url : a serial port, or any URL of :func:`serial.serial_for_url` (``socket://...`` for a virtual board).
    expect : the build that must be there.
    baud : rate of a serial port.

    Raises
    ------
    NoDevice, WrongDevice
        From the link.
    WrongBuild
        The device is another build than ``expect``.
    """

    def __init__(self, url: str, *, expect: Build | None = None, baud: int = 3_000_000) -> None:
        self.link = Link(url, baud)
        try:
            names = [name for name in REGISTERS if REGISTERS[name].address < REGISTERS["features"].address]
            try:
                self.build = parse_identification(
                    dict(zip(names, self.read_words(0, len(names)), strict=True))
                )
            except ValueError as error:
                raise WrongDevice(f"{url}: {error}") from None
            if expect is not None and expect != self.build:
                wanted, found = expect.as_dict(), self.build.as_dict()
                differing = [
                    f"{name} {found[name]} (wanted {wanted[name]})"
                    for name in wanted
                    if wanted[name] != found[name]
                ]
                raise WrongBuild(
                    f"the board on {url} holds another build: {', '.join(differing)}. Program the one wanted, or use it as it "
                    f"is without naming a build"
                )
            self.link.buffer_bytes = min(self.build.rx_bytes, 0xFFFF)  # freed bytes are counted mod 65536
        except BaseException:
            self.link.close()
            raise

    # Words

    def read_words(self, address: int, count: int, *, fence: bool = False) -> list[int]:
        """``count`` 32-bit words from consecutive addresses; with ``fence``, once the datapath is idle."""
        words: list[int] = []
        while count > 0:
            part = min(count, READ_WORDS)
            data = self.link.ask(Kind.FENCE if fence else Kind.READ, struct.pack("<II", address, part))
            words += struct.unpack(f"<{part}I", data)
            address += part
            count -= part
        return words

    def write_words(self, address: int, words: Sequence[int]) -> None:
        """Write 32-bit words to consecutive addresses, in bursts."""
        most = MAX_PAYLOAD // 4 - 1
        for start in range(0, len(words), most):
            part = [word & 0xFFFF_FFFF for word in words[start : start + most]]
            self.link.send(Kind.WRITE, struct.pack(f"<I{len(part)}I", address + start, *part))

    def read(self, name: str) -> int:
        """A register by name."""
        return self.read_words(REGISTERS[name].address, 1)[0]

    def write(self, name: str, value: int) -> None:
        """Write a register by name."""
        self.write_words(REGISTERS[name].address, [value])

    # Model

    def write_model(self, words: npt.NDArray[np.int64]) -> None:
        """Write the master model, shape (features,); the rest of its last chunk becomes zero."""
        padded = np.zeros(self.build.chunks(words.size) * self.build.lanes, dtype=np.int64)
        padded[: words.size] = words
        self.write_words(MODEL_WINDOW, [int(word) for word in padded])

    def read_model(self, features: int) -> npt.NDArray[np.int64]:
        """The master model, int64 of shape (features,). Waits until the datapath is idle."""
        count = self.build.chunks(features) * self.build.lanes
        words = np.array(self.read_words(MODEL_WINDOW, count, fence=True), dtype=np.uint32)
        return words.view(np.int32).astype(np.int64)[:features]

    # Training

    def begin(
        self,
        model: npt.NDArray[np.int64],
        config: RunConfig,
    ) -> None:
        """Set up a run: limits checked, model and levels written.

        ``model``: shape (config.features,).
        """
        config.check(self.build)
        self.write("control", Control.ABORT)
        first = REGISTERS["features"].address
        value_bits = 0 if config.levels is None else config.levels.bits
        self.write_words(
            first, [config.features, config.p, config.m, config.batch, int(config.one_sided), value_bits]
        )
        if config.levels is not None:
            self.write_words(LEVEL_WINDOW, table_words(config.levels, self.build))
        self.write_model(model)
        self.read_words(REGISTERS["status"].address, 1, fence=True)

    def run_epoch(
        self,
        count: int,
        parts: Iterable[bytes],
        *,
        step: tuple[int, int],
        seeds: Sequence[int],
        progress: Callable[[int], None] = lambda sent: None,
    ) -> EpochCounts:
        """Train on ``count`` samples, whose bytes ``parts`` yields; counts are of this epoch alone.

        ``step``: mantissa and exponent. ``seeds``: one for each update lane, then the loss unit's. ``progress`` is told of the
        sample bytes sent.
        """
        self.write_words(REGISTERS["step_mantissa"].address, step)
        # Each word written enters update lane 0, pushes the others on, and the last lane's goes to the loss unit.
        for word in reversed(seeds):
            self.write("seed", word)
        self.write("control", Control.CLEAR | Control.LOAD)
        self.write("samples", count)
        pending = bytearray()
        sent = 0
        for part in parts:
            pending += part
            full = len(pending) - len(pending) % MAX_PAYLOAD
            for start in range(0, full, MAX_PAYLOAD):
                self.link.send(Kind.SAMPLES, bytes(pending[start : start + MAX_PAYLOAD]))
            del pending[:full]
            sent += len(part)
            progress(sent)
        if pending:
            self.link.send(Kind.SAMPLES, bytes(pending))
        return self.counts()

    def counts(self) -> EpochCounts:
        """The result registers, once the datapath is idle."""
        low, high = _RESULTS
        words = self.read_words(low, high - low + 1, fence=True)
        value = {name: words[r.address - low] for name, r in REGISTERS.items() if low <= r.address <= high}
        loss = value["loss_high"] << 32 | value["loss_low"]
        return EpochCounts(
            loss=loss - (loss >> 63 << 64),
            flags=value["flags"],
            samples=value["samples_done"],
            cycles=value["cycles_high"] << 32 | value["cycles_low"],
            plane_cycles=value["plane_cycles_high"] << 32 | value["plane_cycles_low"],
            starved_cycles=value["starved_cycles_high"] << 32 | value["starved_cycles_low"],
        )

    def close(self) -> None:
        self.link.close()

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
