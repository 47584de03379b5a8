"""Arguments that several commands share."""

import argparse
from dataclasses import fields
from pathlib import Path

from zipsgd.backends import BACKENDS
from zipsgd.data import SETS, Table, load
from zipsgd.protocol.formats import Build
from zipsgd.training import SCHEDULES, Options

__all__ = ["add_backend", "add_build", "add_data", "add_training", "build_of", "options_of", "table_of"]


def add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "data",
        help="a CSV, NPY, NPZ or LIBSVM file, or a named set: " + ", ".join(SETS),
    )
    command.add_argument(
        "--label", metavar="COLUMN", help="name or index of the label's column (default: the last)"
    )
    command.add_argument("--drop-constant", action="store_true", help="leave out columns that never vary")


def table_of(arguments: argparse.Namespace) -> Table:
    table = load(arguments.data, label=arguments.label)
    return table.without_constant_columns() if arguments.drop_constant else table


def add_training(command: argparse.ArgumentParser) -> None:
    """Options of :class:`zipsgd.training.Options`."""
    group = command.add_argument_group("training")
    group.add_argument(
        "--base-bits",
        type=int,
        default=2,
        metavar="P",
        help="base planes p of a value, 1 to 8 (default %(default)s)",
    )
    group.add_argument(
        "--samples-per-value",
        type=int,
        default=2,
        metavar="M",
        help="independent quantisations m, one more plane each: 2 is double sampling, 1 the biased naive quantiser, 0 "
        "truncation (default %(default)s)",
    )
    group.add_argument(
        "--batch-size",
        type=int,
        default=16,
        metavar="B",
        help="samples of a mini-batch (default %(default)s)",
    )
    group.add_argument(
        "--step-size",
        type=float,
        metavar="GAMMA",
        help="of the first epoch (default: from the samples' mean length)",
    )
    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        default="linear",
        help="how the step shrinks by epoch (default %(default)s)",
    )
    group.add_argument("--epochs", type=int, default=20, help="passes over the data (default %(default)s)")
    group.add_argument(
        "--seed", type=int, default=0, help="decides order, up bits and rounding (default %(default)s)"
    )
    group.add_argument(
        "--one-sided",
        action="store_true",
        help="g = Q1 l'(z2), rather than the symmetric mean of both orders",
    )
    group.add_argument(
        "--fixed-up-bits", action="store_false", dest="fresh", help="quantise once, not afresh in each epoch"
    )


def options_of(arguments: argparse.Namespace) -> Options:
    return Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})


def add_build(command: argparse.ArgumentParser) -> None:
    """Parameters of the build that is emulated or simulated."""
    group = command.add_argument_group("build", "of the emulated or simulated gateware")
    group.add_argument("--lanes", type=int, default=8, help="features side by side (default %(default)s)")
    group.add_argument(
        "--max-features",
        type=int,
        help="most features, with the intercept (default: what the data need, at least 1024)",
    )


def build_of(arguments: argparse.Namespace, features: int = 1) -> Build:
    """The build that the arguments describe, with room for ``features``."""
    lanes: int = arguments.lanes
    needed = (
        max(1024, -(-features // lanes) * lanes) if arguments.max_features is None else arguments.max_features
    )
    words = needed // max(1, lanes) * 10  # eight base planes and two up planes
    return Build(
        lanes=lanes,
        update_lanes=lanes,
        max_features=needed,
        replay_words=max(2048, 1 << (words - 1).bit_length()),
    )


def add_backend(command: argparse.ArgumentParser, flag: str = "--backend", default: str = "emulator") -> None:
    names = "; ".join(f"{name}: {text}" for name, text in BACKENDS.items())
    command.add_argument(
        flag,
        default=default,
        metavar="BACKEND",
        help=f"{names}; or a serial port or URL, such as /dev/ttyUSB1 or socket://127.0.0.1:4000 (default %(default)s)",
    )
    command.add_argument(
        "--baud",
        type=int,
        default=0,
        help="of a serial port; the virtual board holds its link to it (default: 3,000,000; full speed)",
    )
    command.add_argument(
        "--trace", type=Path, metavar="FILE", help="the virtual board writes a waveform (VCD)"
    )
