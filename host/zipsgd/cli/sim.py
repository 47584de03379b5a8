"""The command ``zipsgd sim``."""

import argparse
import signal
import threading
from pathlib import Path

from zipsgd.extras import extra

from .build_options import add_build, add_usb, simulated_build
from .command import Commands, add_command, check_output
from .progress import messages

__all__ = ["add"]

_UART_BAUD = 3_000_000
"""Baud rate of a UART unless --baud is given."""

_EXAMPLES = """\
  zipsgd sim --port 4000                                      then, from another terminal:
  zipsgd train cadata --backend socket://127.0.0.1:4000
  zipsgd sim --pty --baud 3000000 --trace board.vcd           at the speed of a real link, with a waveform
  zipsgd sim --lanes 64 --hinge --sdram 16Mx16                with room for all of MNIST, see 'zipsgd train --resident'
  zipsgd sim --usb high                                       on a USB bus
  zipsgd sim --build build/icebreaker                         exactly the build of a board
  zipsgd sim --lanes 4 --max-features 64 --netlist ice40      the synthesised netlist, cell by cell
"""


def add(commands: Commands) -> None:
    """Add the command ``sim``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "sim",
        run,
        summary="start a virtual board",
        description="Start a virtual board, print the URL at which it listens, and serve hosts one at a time until Ctrl-C.",
        examples=_EXAMPLES,
    )
    add_build(command)
    link = command.add_argument_group("link")
    where = link.add_mutually_exclusive_group()
    where.add_argument(
        "--port", type=int, default=0, help="TCP port on this computer (default: any free port)"
    )
    where.add_argument("--pty", action="store_true", help="use a pseudo-terminal instead of TCP")
    link.add_argument(
        "--baud",
        type=int,
        metavar="RATE",
        help="limit the link to this baud rate (default: one byte per cycle; with --uart 3,000,000)",
    )
    add_usb(link)
    link.add_argument("--uart", action="store_true", help="simulate the pins of a UART with this baud rate")
    command.add_argument(
        "--sdram",
        metavar="CHIP",
        help="give the board a chip of SDRAM for a store, such as the ULX3S's 16Mx16, simulated with all its rules",
    )
    command.add_argument(
        "--sdram-mhz",
        type=int,
        metavar="MHZ",
        help="run that chip at another clock than the board's; the board then takes two of its words at once",
    )
    command.add_argument(
        "--netlist",
        metavar="FAMILY",
        help="simulate the netlist that synthesis makes for a family of FPGAs in 'zipsgd boards', with random contents of "
        "flip-flops and memories at power-up. This is slow, and meant for small builds",
    )
    command.add_argument(
        "--power-up",
        type=int,
        default=1,
        metavar="SEED",
        help="seed of the random contents at power-up, with --netlist (default: 1)",
    )
    command.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="write a waveform (.vcd), and a list of its signals in groups for GTKWave (.gtkw)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve hosts with a virtual board until it is interrupted, see :func:`zipsgd.cli.main.main`."""
    build = simulated_build(arguments)
    check_output(never_standard=(arguments.trace,))
    with extra("sim", "the virtual board"):
        from zipsgd_hw.boards.memories import Sdram
        from zipsgd_hw.link.physical import Uart, Usb
        from zipsgd_sim.board import VirtualBoard
        from zipsgd_sim.sdram import with_chip
    console = messages()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    sdram = None
    if arguments.sdram is not None:
        hz = None if arguments.sdram_mhz is None else arguments.sdram_mhz * 1_000_000
        sdram = Sdram(arguments.sdram, hz)
        build = with_chip(build, sdram)
    elif arguments.sdram_mhz is not None:
        raise ValueError("--sdram-mhz is the clock of the chip that --sdram names: give both")
    if arguments.usb is not None and arguments.baud:
        raise ValueError("--baud is the rate of another line than --usb: leave out one of the two")
    with VirtualBoard(
        build,
        sdram=sdram,
        netlist=arguments.netlist,
        power_up=arguments.power_up,
        uart=Uart(arguments.baud or _UART_BAUD) if arguments.uart else None,
        usb=None if arguments.usb is None else Usb(arguments.usb),
        baud=0 if arguments.uart else arguments.baud,
        port=arguments.port,
        pty=arguments.pty,
        trace=arguments.trace,
        optimise=3 if arguments.netlist is None else 1,  # full optimisation of a netlist takes minutes
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
