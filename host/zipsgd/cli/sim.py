"""``zipsgd sim``"""

import argparse
import signal
import threading
from pathlib import Path

from rich.console import Console

from .options import add_build, build_of

__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "sim",
        help="start a virtual board",
        description="Start a virtual board, print where it listens, and serve hosts until Ctrl-C. Train on it from another "
        "terminal: zipsgd train DATA --backend URL",
    )
    add_build(command)
    command.add_argument(
        "--baud", type=int, default=0, help="hold the link to this rate (default: a byte a cycle)"
    )
    command.add_argument("--pty", action="store_true", help="a pseudo-terminal rather than TCP")
    command.add_argument("--uart", action="store_true", help="simulate the UART's pins, at 3 Mbaud")
    command.add_argument("--trace", type=Path, metavar="FILE", help="write a waveform (VCD)")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from zipsgd_sim.board import VirtualBoard

    console = Console(stderr=True)
    build = build_of(arguments)
    if arguments.uart:
        build = replace(build, uart_baud=3_000_000)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with VirtualBoard(
        build,
        uart=arguments.uart,
        baud=arguments.baud,
        pty=arguments.pty,
        trace=arguments.trace,
        progress=console.print,
    ) as board:
        print(board.url, flush=True)
        console.print("serving; Ctrl-C ends it")
        try:
            while board.running and not stop.wait(0.2):
                pass
        except KeyboardInterrupt:
            pass
        if not board.running:
            raise RuntimeError("the virtual board ended by itself")
        counts = board.statistics()
    console.print(f"{counts['cycles']:,} cycles, {counts['received']:,} bytes in, {counts['sent']:,} out")
    return 0
