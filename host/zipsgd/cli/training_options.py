"""Arguments that say how to train: the fields of :class:`zipsgd.training.options.Options`."""

import argparse
from dataclasses import fields

from zipsgd.training.objective import CLASS_LOSSES, REGRESSION_LOSSES
from zipsgd.training.options import LEVELS, REFETCH, Options
from zipsgd.training.steps import SCHEDULES

__all__ = ["add_training", "options_of"]


def add_training(command: argparse.ArgumentParser, epochs: int) -> None:
    """Arguments for all fields of the options but those that only ``train`` has a use for."""
    _add_objective(command)
    _add_steps(command, epochs)
    _add_regularisers(command)
    _add_levels(command)


def options_of(arguments: argparse.Namespace) -> Options:
    """The options that the arguments ask for; those that a command does not have are the usual ones."""
    given = vars(arguments)
    return Options(**{field.name: given[field.name] for field in fields(Options) if field.name in given})


def _add_objective(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("loss")
    group.add_argument(
        "--classify",
        action="store_true",
        help="take each different label, a number such as 0, 1 or 2, for a class; of more than two, each has a model against "
        "all others",
    )
    group.add_argument(
        "--loss",
        choices=dict.fromkeys([*REGRESSION_LOSSES, *CLASS_LOSSES]),
        help=f"what is minimised; of numbers {' or '.join(REGRESSION_LOSSES)} (default {next(iter(REGRESSION_LOSSES))}), of "
        f"classes {', '.join(CLASS_LOSSES)} (default {next(iter(CLASS_LOSSES))}). A device needs hinge=1 for hinges, "
        "polynomial=5 for huber and the logistic loss",
    )
    group.add_argument(
        "--refetch",
        choices=REFETCH,
        default="never",
        help="of hinges: leave out samples whose side of the margin quantisation leaves in doubt, and send them again at 8 "
        "base bits; certain: no sample is on the wrong side; likely: one in 1,490 at most, and fewer come twice. A device "
        "needs refetch=16384 (default %(default)s)",
    )


def _add_steps(command: argparse.ArgumentParser, epochs: int) -> None:
    group = command.add_argument_group("training")
    group.add_argument(
        "--base-bits",
        type=int,
        default=2,
        metavar="P",
        help="base planes p of a value, 1 to 8; on optimal levels 0 to 4 (default %(default)s)",
    )
    group.add_argument(
        "--samples-per-value",
        type=int,
        metavar="M",
        help="independent quantisations m of a value, one more plane each: 2 is double sampling, 1 the biased naive quantiser, "
        "0 truncation (default: as many as make the gradient unbiased: 2, and 6 of the logistic loss)",
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
        help="of the first epoch (default: one that follows from the data)",
    )
    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        default="linear",
        help="how the step shrinks by epoch (default %(default)s)",
    )
    group.add_argument(
        "--epochs", type=int, default=epochs, metavar="N", help="passes over the data (default %(default)s)"
    )
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        help="decides order, up bits and rounding: the same seed gives the same bits on every backend (default %(default)s)",
    )
    group.add_argument(
        "--one-sided",
        action="store_true",
        help="g = Q1 l'(z2), rather than the symmetric mean of both orders",
    )
    group.add_argument(
        "--average",
        type=int,
        default=0,
        metavar="EPOCH",
        help="use the mean of the models after each epoch, from this one on (default: the last model)",
    )
    group.add_argument(
        "--sort-rows",
        action="store_true",
        help="begin from an order of the rows that depends on their content alone, as the estimators do",
    )
    group.add_argument(
        "--fixed-up-bits", action="store_false", dest="fresh", help="quantise once, not afresh in each epoch"
    )


def _add_regularisers(command: argparse.ArgumentParser) -> None:
    penalties = command.add_argument_group(
        "regularisers",
        "of the model of scaled features, the intercept spared; a device needs prox=1 for them",
    )
    penalties.add_argument(
        "--l2", type=float, default=0.0, metavar="LAMBDA", help="add LAMBDA / 2 of the squared length"
    )
    penalties.add_argument(
        "--l1",
        type=float,
        default=0.0,
        metavar="LAMBDA",
        help="add LAMBDA of the sum of sizes: sparse models",
    )
    penalties.add_argument(
        "--bound", type=float, default=0.0, metavar="C", help="keep every entry within C of 0 (default: none)"
    )
    penalties.add_argument(
        "--radius",
        type=float,
        default=0.0,
        metavar="R",
        help="keep the model's length within R; a device needs ball=1, too (default: none)",
    )


def _add_levels(command: argparse.ArgumentParser) -> None:
    levels = command.add_argument_group("levels", "where values are rounded to")
    levels.add_argument(
        "--levels",
        choices=LEVELS,
        default="uniform",
        help="uniform: evenly spaced; optimal: where the data are, for the least variance, looked up on the device by its "
        "transcoder. --base-bits may then be 0, for two levels a column (default %(default)s)",
    )
    levels.add_argument(
        "--level-bits",
        type=int,
        default=8,
        metavar="V",
        help="bits of an optimal level (default %(default)s)",
    )
    levels.add_argument(
        "--shared-levels", action="store_true", help="the same optimal levels for all columns"
    )
