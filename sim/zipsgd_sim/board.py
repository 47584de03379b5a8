"""The virtual board as a Python object."""

import json
import os
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from zipsgd.protocol.formats import Build
from zipsgd_hw.boards.synthesis import STATISTICS, cell_counts
from zipsgd_hw.link.uart import uart_divisor

from .designs import FAMILIES, Design, Family, netlist_design
from .verilate import board_executable
from .waves import save_groups

__all__ = ["VirtualBoard"]

_SLOWEST = 500
"""Cycles a byte."""


class VirtualBoard:
    """A process that runs the gateware of ``build`` cycle by cycle and serves its link. A context manager.

    Parameters
    ----------
    build : parameters of the gateware.
    netlist : simulate what synthesis for this family of FPGAs made of the gateware, in its cells; default: the gateware.
    design : simulate this, which has the ports of ``build``.
    power_up : seed of what a netlist's flip-flops and memories hold before the reset.
    reset_cycles : for which the reset pin is high to begin with; 0 leaves a netlist as it powered up.
    uart : simulate the top with UART pins, at ``build.uart_baud``, rather than the byte-stream port.
    baud : of the link-rate model: bytes no faster than this many tenths a second of virtual time; 0 for a byte a cycle.
    stall_seed : random gaps in both byte streams; 0 for none.
    trace : file for a waveform (VCD) of the gateware; beside it, when the board is closed, a save file for GTKWave with groups
        of signals.
    port : of TCP on this computer; 0 for any that is free.
    pty : serve a pseudo-terminal rather than TCP.
    optimise : of the C++ compiler, 0 to 3.
    progress : is told before a compilation begins.

    Attributes
    ----------
    url : what the host opens.
    cells : how many of each type a netlist has.

    Raises
    ------
    ValueError
        A rate or a port that cannot be, or a waveform that cannot be written.
    BuildFailed
        The board could not be synthesised or compiled.
    RuntimeError
        It did not start, for example because the port is in use.
    """

    def __init__(
        self,
        build: Build,
        *,
        netlist: Family | None = None,
        design: Design | None = None,
        power_up: int = 1,
        reset_cycles: int = 4,
        uart: bool = False,
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
        if uart:
            baud = build.uart_baud
            byte_cycles = 10 * uart_divisor(build.clock_hz, baud)
        else:
            byte_cycles = round(10 * build.clock_hz / baud) if baud else 1
        if not 1 <= byte_cycles <= _SLOWEST:
            raise ValueError(
                f"baud must be from {10 * build.clock_hz // _SLOWEST}, or hosts lose patience with so slow a simulation, to "
                f"{10 * build.clock_hz}, a byte a cycle; not {baud}"
            )
        if not 0 <= port < 1 << 16:
            raise ValueError(f"port must be in 0..65535, not {port}")
        if netlist is not None and netlist not in FAMILIES:
            raise ValueError(f"netlist must be one of {', '.join(FAMILIES)}, not {netlist!r}")
        if not 1 <= power_up < 1 << 31:
            raise ValueError(f"power_up must be in 1..{(1 << 31) - 1}, not {power_up}")
        self.build = build
        self._waves = trace
        program = board_executable(
            build,
            uart=uart,
            design=design if netlist is None else netlist_design(build, netlist, uart),
            trace=trace is not None,
            optimise=optimise,
            progress=progress,
        )
        self.cells = {} if netlist is None else cell_counts(program.with_name(STATISTICS))
        command = [str(program), "--byte-cycles", str(byte_cycles), "--stall", str(stall_seed)]
        command += ["--power-up", str(power_up), "--reset-cycles", str(reset_cycles)]
        if trace is not None:
            command += ["--trace", str(trace), "--half-picoseconds", str(round(5e11 / build.clock_hz))]
        command += ["--pty"] if pty else ["--port", str(port)]
        # A process group of its own: Ctrl-C is for the host, which then closes the board.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        try:
            answer = self._answer(5.0)
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
        return self._process.poll() is None

    def statistics(self) -> dict[str, int]:
        """Cycles of virtual time; bytes received and sent; cycles of the line to the board busy, and idle between bytes.

        Raises RuntimeError if the board has ended.
        """
        return self._ask("statistics")

    def reset(self) -> None:
        """Pull the reset pin for four cycles, wherever the board is. Raises RuntimeError if it has ended."""
        self._ask("reset")

    def _ask(self, command: str) -> dict[str, int]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
        except BrokenPipeError:
            raise RuntimeError("the virtual board has ended") from None
        return self._answer(5.0)

    def close(self) -> None:
        """End the process; writes out the waveform."""
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
