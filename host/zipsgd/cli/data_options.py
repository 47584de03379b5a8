"""Arguments for the data."""

import argparse

from zipsgd.data import FORMATS, Table, load
from zipsgd.memory import default_memory, parse_memory_size

__all__ = ["add_data", "add_file", "memory_of", "table_of"]


def add_data(command: argparse.ArgumentParser) -> None:
    """Add arguments for the data to train on.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    """
    add_file(command)
    command.add_argument(
        "--label",
        action="append",
        metavar="COLUMN",
        help="name or index of the label's column (default: the last column); may be repeated for several outputs",
    )
    command.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="COLUMN",
        help="name or index of a column to leave out; may be repeated",
    )
    command.add_argument(
        "--one-hot",
        action="append",
        default=[],
        metavar="COLUMN",
        help="name or index of a column of categories, such as text, each value of which becomes a column of 0 and 1; may be "
        "repeated, and 'all' means every column of text",
    )
    command.add_argument(
        "--drop-constant",
        action="store_true",
        help="leave out constant columns (default: keep them, with the weight 0)",
    )


def add_file(command: argparse.ArgumentParser) -> None:
    """Add arguments for a file and the way to read it.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    """
    command.add_argument("data", help="a file, a named set, or - for standard input; see below")
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="format of the file (default: that of its suffix or, with any other suffix, what its first bytes look like)",
    )
    command.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether the first line of a text file is a header (default: it is if it has names where other lines have "
        "numbers, or plainly numbers the columns)",
    )
    command.add_argument(
        "--memory",
        metavar="SIZE",
        help="memory for the data, such as 2G or 500M; larger data stay in their file and are read in blocks, with the same "
        "results (default: a quarter of the free memory)",
    )


def memory_of(arguments: argparse.Namespace) -> int:
    """The memory limit.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    ValueError
        The argument is not a size.
    """
    return default_memory() if arguments.memory is None else parse_memory_size(arguments.memory)


def table_of(arguments: argparse.Namespace, memory: int) -> Table:
    """Load the data.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.
    memory : int
        Bytes that the data may take in memory.

    Returns
    -------
    Table
        Features and labels.

    Raises
    ------
    DataError
        The data cannot be read.
    """
    table = load(
        arguments.data,
        label=arguments.label,
        memory=memory,
        format=arguments.format,
        header=arguments.header,
        ignore=arguments.ignore,
        one_hot=arguments.one_hot,
    )
    return table.without_constant_columns() if arguments.drop_constant else table
