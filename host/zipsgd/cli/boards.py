"""The command ``zipsgd boards``."""

import argparse

from .board_option import board_of, known_boards
from .command import Commands, add_command
from .text import aligned

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd boards
  zipsgd boards ./my_board.py                            also a board of your own
"""


def add(commands: Commands) -> None:
    """Add the command ``boards``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "boards",
        run,
        summary="list the boards",
        description="List the boards that 'zipsgd build' supports, and say who has tried their builds on hardware.",
        examples=_EXAMPLES,
    )
    command.add_argument("file", nargs="*", help="files with boards of your own, to list as well")


def run(arguments: argparse.Namespace) -> int:
    """Print the table of boards, see :func:`zipsgd.cli.main.main`."""
    rows = [
        {
            "name": board.name,
            "board": board.title,
            "device": board.device,
            "family": board.family.name,
            "lanes": board.build.lanes,
            "features": board.build.max_features,
            "MHz": board.build.clock_hz / 1e6,
            "tried on hardware": board.tried or "not yet",
        }
        for board in (*known_boards().values(), *map(board_of, arguments.file))
    ]
    print("\n".join(aligned(rows)))
    return 0
