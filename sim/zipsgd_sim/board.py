"""The virtual board as a Python object."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from math import gcd
from pathlib import Path
from types import TracebackType
from typing import Any

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.families import FAMILIES
from zipsgd_hw.boards.memories import Sdram
from zipsgd_hw.boards.synthesis import STATISTICS, cell_counts
from zipsgd_hw.link.physical import Uart, Usb, uart_divisor

from .designs import Design, netlist_design, rtl
from .sdram import model_text
from .verilate import board_executable
from .waves import save_groups

__all__ = ["VirtualBoard"]

_SLOWEST = 500
"""Most cycles that a byte may take."""


def _byte_cycles(clock_hz: int, uart: Uart | None, baud: int) -> int:
    """Cycles that a byte takes on the line."""
    if uart is not None:
        return 10 * uart_divisor(clock_hz, uart.baud)
    return round(10 * clock_hz / baud) if baud else 1


def _clock_options(first_hz: int, other_hz: int) -> list[str]:
    """Options of the program: how many cycles of two clocks take the same time."""
    shared = gcd(first_hz, other_hz)
    return ["--cycles", str(first_hz // shared), "--other-cycles", str(other_hz // shared)]


def _memory_options(build: Build, memory: Sdram, errors: float) -> list[str]:
    """Options of the program."""
    hz = memory.hz(build)
    chip = model_text(memory.specification, hz)
    return ["--sdram", chip, "--errors", str(errors), *_clock_options(build.clock_hz, hz)]


def _usb_options(build: Build, usb: Usb, errors: float) -> list[str]:
    """Options of the program."""
    speed = ["--high-speed"] if usb.high else []
    return [*speed, "--errors", str(errors), *_clock_options(usb.clock_hz, build.clock_hz)]


class VirtualBoard:
    """A process that runs the gateware of ``build`` cycle by cycle and serves its link. A context manager.

    Parameters
    ----------
    build : Build
        Parameters of the gateware.
    netlist : str or None
        Name of an FPGA family (:data:`zipsgd_hw.boards.families.FAMILIES`): simulate the netlist that synthesis for it makes
        of the gateware. None simulates the gateware itself.
    design : Design or None
        Simulate this design, which must have the ports of ``build`` and ``uart``.
    power_up : int
        Seed of what a netlist's flip-flops and memories hold before the reset, 1 to 2^31 - 1.
    reset_cycles : int
        Cycles for which the reset pin is high at first; 0 leaves a netlist as it powered up.
    fast_memory : bool
        Whether the gateware is for FPGAs with fast memories (:class:`zipsgd_hw.datapath.datapath.Datapath`). A netlist is as
        its family's memories are.
    uart : Uart or None
        Simulate the top with this UART's pins; None simulates the top with byte streams.
    usb : Usb or None
        Simulate the top with a USB transceiver, on a bus with a host that finds and configures the device.
    usb_errors : float
        Probability that a packet is damaged on that bus.
    sdram : Sdram or None
        A chip of SDRAM that is the build's store, simulated with all its rules and, if it has one, its own clock. None: the
        store is in block RAM.
    sdram_errors : float
        Probability that a word is written into the chip with a wrong bit.
    baud : int
        Rate in bits per second to which the byte streams are held, at ten bits a byte in virtual time; 0 for a byte a cycle.
        Not used with ``uart`` and ``usb``, which have rates of their own.
    stall_seed : int
        Seed of random gaps in both byte streams; 0 for no gaps. Not used with ``usb``.
    trace : Path or None
        File for a waveform (VCD) of the gateware. When the board is closed, a save file for GTKWave with groups of signals is
        written beside it.
    port : int
        TCP port on this computer; 0 for any free one.
    pty : bool
        Whether to serve a pseudo-terminal rather than TCP.
    optimise : int
        Optimisation level of the C++ compiler, 0 to 3.
    progress : callable
        Called with a line before a compilation begins.

    Attributes
    ----------
    build : Build
        Parameters of the gateware.
    url : str
        The URL that the host opens.
    cells : dict of str to int
        Cells of a netlist by type; empty for other designs.

    Raises
    ------
    ValueError
        A rate, a port or a seed is out of range, there is no such family, or the waveform cannot be written.
    BuildFailed
        The board could not be synthesised or compiled.
    RuntimeError
        The board did not start, for example because the port is in use.
    """

    def __init__(
        self,
        build: Build,
        *,
        netlist: str | None = None,
        design: Design | None = None,
        power_up: int = 1,
        reset_cycles: int = 4,
        fast_memory: bool = False,
        uart: Uart | None = None,
        usb: Usb | None = None,
        usb_errors: float = 0.0,
        sdram: Sdram | None = None,
        sdram_errors: float = 0.0,
        baud: int = 0,
        stall_seed: int = 0,
        trace: Path | None = None,
        port: int = 0,
        pty: bool = False,
        optimise: int = 3,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        if trace is not None and trace.suffix != ".vcd":
            raise ValueError(f"waveforms are written as VCD: call {trace} {trace.with_suffix('.vcd').name}")
        if trace is not None and netlist is not None:
            raise ValueError("a netlist has no waveform: Verilator cannot write its cells' names")
        byte_cycles = _byte_cycles(build.clock_hz, uart, baud)
        if not 1 <= byte_cycles <= _SLOWEST:
            raise ValueError(
                f"baud must be from {10 * build.clock_hz // _SLOWEST}, or hosts lose patience with so slow a simulation, to "
                f"{10 * build.clock_hz}, a byte a cycle; not {baud if uart is None else uart.baud}"
            )
        if not 0 <= port < 1 << 16:
            raise ValueError(f"port must be in 0..65535, not {port}")
        if netlist is not None and netlist not in FAMILIES:
            raise ValueError(f"netlist must be one of {', '.join(FAMILIES)}, not {netlist!r}")
        if not 1 <= power_up < 1 << 31:
            raise ValueError(f"power_up must be in 1..{(1 << 31) - 1}, not {power_up}")
        if sdram is not None and (netlist is not None or design is not None):
            raise ValueError(
                "a netlist, or a design of one's own, has no pins of an SDRAM: leave out one of the two"
            )
        if usb is not None and any(other is not None for other in (uart, sdram, netlist, design)):
            raise ValueError(
                "a virtual board with USB has no UART, no SDRAM, no netlist and no design of one's own: leave out the other one"
            )
        if sdram is not None:
            sdram.check(build)
        self.build = build
        self._waves = trace
        self._patience = 5.0 if usb is None else 60.0  # the host on a bus takes its time to find the board
        if netlist is not None:
            design = netlist_design(build, FAMILIES[netlist], uart)
        program = board_executable(
            build,
            design=design or rtl(build, usb or uart, fast_memory, sdram),
            uart_pins=uart is not None,
            utmi_pins=usb is not None,
            sdram_bits=0 if sdram is None else sdram.specification.geometry.data_bits,
            memory_clock=sdram is not None and sdram.clock_hz is not None,
            trace=trace is not None,
            optimise=optimise,
            progress=progress,
        )
        self.cells = {} if netlist is None else cell_counts(program.with_name(STATISTICS))
        command = [str(program), "--byte-cycles", str(byte_cycles), "--stall", str(stall_seed)]
        command += ["--power-up", str(power_up), "--reset-cycles", str(reset_cycles)]
        if sdram is not None:
            command += _memory_options(build, sdram, sdram_errors)
        first_hz = build.clock_hz
        if usb is not None:
            first_hz = usb.clock_hz
            command += _usb_options(build, usb, usb_errors)
        if trace is not None:
            command += ["--trace", str(trace), "--half-picoseconds", str(round(5e11 / first_hz))]
        command += ["--pty"] if pty else ["--port", str(port)]
        # A process group of its own: Ctrl-C is for the host, which then closes the board.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        try:
            answer = self._answer(self._patience)
            if "error" in answer:
                raise RuntimeError(f"the virtual board did not start: {answer['error']}")
            self.url: str = answer["url"]
        except BaseException:
            self.kill()
            raise

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next line of JSON from the board."""
        assert self._process.stdout is not None
        line = b""
        end = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self._process.stdout.fileno(), 4096) if ready else b""
            if not part:
                raise RuntimeError(f"the virtual board does not answer (status {self._process.poll()})")
            line += part
        answer: dict[str, Any] = json.loads(line)
        return answer

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def statistics(self) -> dict[str, int]:
        """What the board has counted since it started.

        Returns
        -------
        dict of str to int
            ``cycles`` of virtual time; bytes ``received`` and ``sent``; cycles in which the line to the board was busy
            (``line_busy``), and in which it was idle between bytes (``line_idle``); words that a chip of SDRAM has put on its
            bus (``memory_read``), and cycles of its clock (``memory_cycles``).

        Raises
        ------
        RuntimeError
            The board has ended.
        """
        return self._ask("statistics")

    def reset(self) -> None:
        """Pull the reset pin for four cycles, whatever the board is doing. Raises RuntimeError if it has ended.

        A board with USB leaves the bus with it, and its port goes away for a moment.
        """
        self._ask("reset")

    def unplug(self) -> None:
        """Pull a board with USB off the bus: its port goes away. Raises RuntimeError if the board has ended."""
        self._ask("unplug")

    def plug(self) -> None:
        """Put it on the bus again, and its port back. Raises RuntimeError if the board has ended."""
        self._ask("plug")

    def usb(self) -> dict[str, int | str]:
        """What the host has seen on the bus of a board with USB.

        Returns
        -------
        dict of str to int or str
            ``speed``, ``vendor``, ``product``, ``manufacturer`` and ``name`` of the device; ``enumerations``; data packets
            ``out_packets`` and ``in_packets``, without repetitions; ``naks``; ``retries`` of packets that were not answered;
            packets ``damaged``; cycles in which the device spoke ``uncalled``; ``most_out_in_a_frame``; and ``bus_cycles``.

        Raises
        ------
        RuntimeError
            The board has ended.
        """
        return self._ask("usb")

    def spoil(self, word: int, bit: int) -> None:
        """Break a bit of the chip of SDRAM: from now on it is read wrongly. Raises RuntimeError if the board has ended.

        Parameters
        ----------
        word : int
            Number of the word.
        bit : int
            The bit.
        """
        self._ask(f"spoil {word} {bit}")

    def _ask(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
        except BrokenPipeError:
            raise RuntimeError("the virtual board has ended") from None
        return self._answer(self._patience)

    def close(self) -> None:
        """End the process and write the rest of the waveform."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._process.stdout:
            self._process.stdout.close()
        if self._waves is not None and self._waves.exists():
            save_groups(self._waves)

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "VirtualBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
