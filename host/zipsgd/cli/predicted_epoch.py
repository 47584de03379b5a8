"""The arguments of a predicted epoch, for ``zipsgd build`` and ``zipsgd report``."""

import argparse
from typing import Any

from zipsgd.data import SETS, Table, load
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import MOST_HEADS
from zipsgd.training.options import Options

from .progress import messages
from .training_options import add_bits

__all__ = ["add_epoch", "epoch_of", "task_of"]


def add_epoch(command: argparse.ArgumentParser) -> Any:
    """Add the arguments of the predicted epoch.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.

    Returns
    -------
    argparse group
        The group of the arguments, to which others may be added.
    """
    group = command.add_argument_group(
        "predicted epoch", "an epoch of California housing, unless --data is given"
    )
    group.add_argument("--data", help="a file or a named set, as for 'zipsgd train'")
    group.add_argument(
        "--classify",
        action="store_true",
        help="each distinct label is a class, with a model of its own if there are more than two (default: for a named set of "
        "classes)",
    )
    add_bits(group)
    group.add_argument(
        "--batch-size", type=int, default=16, metavar="B", help="samples per mini-batch (default %(default)s)"
    )
    return group


def task_of(arguments: argparse.Namespace, build: Build) -> tuple[Table, Options]:
    """The data of ``--data``, and the options with which they are trained on.

    Parameters
    ----------
    arguments : argparse.Namespace
        Arguments of the command.
    build : Build
        The build.

    Returns
    -------
    (Table, Options)
        Data and options.

    Raises
    ------
    ValueError
        The data cannot be read, or there are several numbers of bits.
    """
    table = load(arguments.data)
    classify = arguments.classify or (arguments.data in SETS and SETS[arguments.data].classes)
    asked = Options(
        classify=classify,
        bits=arguments.bits,
        base_bits=arguments.base_bits,
        estimator=arguments.estimator,
        batch_size=arguments.batch_size,
    )
    if asked.scheduled:
        raise ValueError("an epoch is predicted for one number of bits: give --bits one number, such as 3")
    return table, asked.resolved(diagonal=bool(build.diagonal))


def epoch_of(table: Table, options: Options, build: Build) -> dict[str, Any]:
    """The arguments of ``predict_epoch`` for a set.

    Parameters
    ----------
    table : Table
        The data.
    options : Options
        The options of the training.
    build : Build
        The build.

    Returns
    -------
    dict of str to Any
        The arguments, by name.

    Raises
    ------
    ValueError
        The build cannot train on the data in this way.
    """
    heads = 1 if table.labels.ndim == 1 else table.labels.shape[1]
    found = len(set(table.labels.ravel().tolist()))
    if options.classify:
        heads = 1 if found == 2 else found
    config = RunConfig(
        table.features.shape[1] + 1,
        options.planes,
        options.quantisations,
        options.batch_size,
        loss=options.objective.loss,
    )
    config.check(build, len(table.labels))
    if not options.classify and 1 < found <= MOST_HEADS and not (table.labels % 1).any():
        messages().print(f"predicted for one model: if the {found} labels are classes, say --classify")
    return {
        "samples": len(table.labels),
        "features": config.features,
        "base_planes": config.p,
        "up_planes": config.m,
        "batch": config.batch,
        "heads": heads,
        "classes": options.classify,
    }
