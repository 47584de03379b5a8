"""The parser and the entry point of ``zipsgd``."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .interrupt import interruptible

if TYPE_CHECKING:
    import argparse

__all__ = ["main", "parser"]

_DESCRIPTION = (
    "Train linear models by any-precision SGD with double sampling, on an FPGA or on its exact emulator."
)
_EXAMPLES = """\
examples:
  zipsgd train cadata                            California housing on the emulator
  zipsgd train cadata --backend sim              the same bits from the simulated gateware
  zipsgd train my.csv --label price --save m.json
  zipsgd predict other.csv --model m.json
  zipsgd verify cadata --backend sim             compare two backends bit for bit
  zipsgd build --board icebreaker                Verilog, bitstream, report
  zipsgd program --board icebreaker              load it onto the board
  zipsgd train my.csv --backend /dev/ttyUSB1     on a real board

'zipsgd COMMAND --help' explains a command. Exit status: 0 success, 1 failure, 2 bad input, 130 interrupted.
"""


def parser() -> "argparse.ArgumentParser":
    """The parser of the command line.

    Returns
    -------
    argparse.ArgumentParser
        The parser. The modules of the commands add their own parts.
    """
    # Imported only now, where an interrupt ends in one line
    import argparse

    from zipsgd import __version__

    from . import bench, boards, build, doctor, predict, program, report, serve, sim, train, verify

    top = argparse.ArgumentParser(
        prog="zipsgd",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"zipsgd {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (train, predict, verify, sim, boards, build, report, program, serve, doctor, bench):
        module.add(commands)
    return top


def _unknown(command: "argparse.ArgumentParser", word: str) -> str:
    """What to say of a word that a command does not know."""
    from difflib import get_close_matches

    name = word.split("=")[0]
    near = get_close_matches(name, command._option_string_actions, 1)
    guess = f": did you mean {near[0]}?" if near else ";"
    kind = "option" if word.startswith("-") else "place for the word"
    return f"{command.prog.removeprefix('zipsgd ')} has no {kind} {name}{guess} '{command.prog} --help' lists all"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str or None
        Arguments; None for those of the process.

    Returns
    -------
    int
        Exit status: 0 success, 1 failure, 2 bad input, 130 interrupted.
    """
    try:
        with interruptible():
            return _run(argv)
    except KeyboardInterrupt:
        print("\ninterrupted; nothing is left running on this computer", file=sys.stderr)
        return 130


def _run(argv: Sequence[str] | None) -> int:
    """Run a command, see :func:`main`. It raises interrupts."""
    from zipsgd.driver import DeviceError
    from zipsgd.extras import explained

    top = parser()
    if not (sys.argv[1:] if argv is None else argv):
        top.print_help()
        return 0
    arguments, unknown = top.parse_known_args(argv)
    if unknown:
        print(f"zipsgd: {_unknown(arguments.command, unknown[0])}", file=sys.stderr)
        return 2
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # for instance with `zipsgd ... | head`
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # otherwise Python reports an error at exit
        return 1
    except ValueError as error:  # DataError, BuildError and LimitError are ValueErrors, too
        print(f"zipsgd: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"zipsgd: {explained(error)}", file=sys.stderr)
        return 1
    except (DeviceError, RuntimeError, OSError) as error:
        print(f"zipsgd: {error}", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"zipsgd: not enough memory: {error}", file=sys.stderr)
        return 1
