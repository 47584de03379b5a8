"""Arguments that say which data to take."""

import argparse

from zipsgd.data import Table, load
from zipsgd.memory import default_memory, parse_memory_size

__all__ = ["add_data", "add_memory", "memory_of", "table_of"]


def add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", help="a file or a named set; see below")
    command.add_argument(
        "--label",
        action="append",
        metavar="COLUMN",
        help="name or index of the label's column (default: the last); more than once for several outputs",
    )
    command.add_argument("--drop-constant", action="store_true", help="leave out columns that never vary")
    add_memory(command)


def add_memory(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--memory",
        metavar="SIZE",
        help="such as 2G or 500M: a set that takes more is left in its file and worked on in parts, with the same results "
        "(default: a quarter of what is free)",
    )


def memory_of(arguments: argparse.Namespace) -> int:
    """Bytes. Raises ValueError."""
    return default_memory() if arguments.memory is None else parse_memory_size(arguments.memory)


def table_of(arguments: argparse.Namespace, memory: int) -> Table:
    """The table that the arguments name. Raises DataError."""
    table = load(arguments.data, label=arguments.label, memory=memory)
    return table.without_constant_columns() if arguments.drop_constant else table
