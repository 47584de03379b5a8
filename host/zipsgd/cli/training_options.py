"""Arguments for the options of training, the fields of :class:`zipsgd.training.options.Options`."""

import argparse
import math
from dataclasses import fields

from zipsgd.data import class_name
from zipsgd.data.scaling_kinds import KINDS
from zipsgd.training.class_weights import BALANCED
from zipsgd.training.objective import CLASS_LOSSES, REGRESSION_LOSSES
from zipsgd.training.options import LEVELS, REFETCH, SCALINGS, Options
from zipsgd.training.precision import ESTIMATORS
from zipsgd.training.steps import SCHEDULES

__all__ = ["add_bits", "add_training", "options_of"]


def add_training(command: argparse.ArgumentParser, epochs: int) -> None:
    """Add arguments for all options except those that only ``train`` has.

    Parameters
    ----------
    command : argparse.ArgumentParser
        Parser of the command.
    epochs : int
        Default number of epochs.
    """
    _add_objective(command)
    _add_steps(command, epochs)
    _add_regularisers(command)
    _add_levels(command)
    _add_scaling(command)


def options_of(arguments: argparse.Namespace) -> Options:
    """The options for the arguments; those that the command does not have get their defaults.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    Options
        The options.

    Raises
    ------
    ValueError
        An option is out of range, or options contradict each other.
    """
    given = vars(arguments)
    if given.get("class_weight") is not None:
        given = {**given, "class_weight": _class_weight(given["class_weight"])}
    if given.get("shards", 1) is None:
        shared = given.get("workers") is not None or given.get("cluster") is not None
        given = {**given, "shards": "auto" if shared else Options.shards}
    return Options(**{field.name: given[field.name] for field in fields(Options) if field.name in given})


def _number_of_shards(text: str) -> int | str:
    if text != "auto" and not text.lstrip("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of shards: give one such as 8, or auto")
    return text if text == "auto" else int(text)


def _class_weight(given: list[str]) -> str | dict[str, float]:
    """The value of ``Options.class_weight`` for what the arguments say."""
    if given == [BALANCED]:
        return BALANCED
    weights = {}
    for text in given:
        name, _, weight = text.rpartition("=")
        try:
            number = float(weight)
        except ValueError:
            number = math.nan
        if not name or math.isnan(number):
            raise ValueError(
                f"--class-weight takes '{BALANCED}', or a class and its weight such as 1=2.5 (may be repeated), not {text!r}"
            )
        try:
            weights[class_name(float(name))] = number
        except ValueError:  # text
            weights[name] = number
    return weights


def _add_objective(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("loss")
    group.add_argument(
        "--classify",
        action="store_true",
        help="train a classifier: each distinct label, a number such as 0, 1 or 2, is a class. With more than two classes, "
        "each has a model that separates it from all others",
    )
    group.add_argument(
        "--loss",
        choices=dict.fromkeys([*REGRESSION_LOSSES, *CLASS_LOSSES]),
        help=f"the loss to minimise; for regression {' or '.join(REGRESSION_LOSSES)} (default "
        f"{next(iter(REGRESSION_LOSSES))}), for classes {', '.join(CLASS_LOSSES)} (default {next(iter(CLASS_LOSSES))}). A "
        "board needs a build with hinge=1 for hinges, and with polynomial=5 for huber and logistic",
    )
    group.add_argument(
        "--epsilon",
        type=float,
        metavar="E",
        help="width of the huber loss: beyond a residual of E it grows about linearly, for labels scaled to [-1, 1] (default "
        "0.5)",
    )
    group.add_argument(
        "--class-weight",
        action="append",
        metavar="CLASS=WEIGHT",
        help=f"how much the rows of a class count, such as 1=2.5; may be repeated, and other classes have the weight 1. "
        f"'{BALANCED}': inversely proportional to the number of rows",
    )
    group.add_argument(
        "--calibrate",
        action=argparse.BooleanOptionalAction,
        help="with 3 to 32 classes: fit the models against each other after training (default: yes, except with --l1, --bound "
        "or --radius)",
    )
    group.add_argument(
        "--refetch",
        choices=REFETCH,
        default="never",
        help="for hinge losses: leave out samples whose side of the margin is in doubt after quantisation, and send them again "
        "with 8 base bits. certain: no sample is on the wrong side; likely: at most one in 1,490 is, and fewer are sent again. "
        "A board needs a build with refetch=16384 (default %(default)s)",
    )


def _add_steps(command: argparse.ArgumentParser, epochs: int) -> None:
    group = command.add_argument_group("training")
    add_bits(group)
    group.add_argument(
        "--batch-size",
        type=int,
        default=16,
        metavar="B",
        help="samples per mini-batch (default %(default)s)",
    )
    group.add_argument(
        "--step-size",
        type=float,
        metavar="GAMMA",
        help="step size of the first epoch, for columns scaled to [-1, 1] (default: computed from the data)",
    )
    group.add_argument(
        "--schedule",
        choices=SCHEDULES,
        default="linear",
        help="how the step size shrinks from epoch to epoch (default %(default)s)",
    )
    group.add_argument(
        "--epochs", type=int, default=epochs, metavar="N", help="passes over the data (default %(default)s)"
    )
    group.add_argument(
        "--seed",
        type=int,
        default=0,
        help="determines the order of the rows, the up bits and all rounding: the same seed gives the same bits on every "
        "backend (default %(default)s)",
    )
    group.add_argument(
        "--one-sided",
        action="store_true",
        help="use the gradient Q1 l'(z2) instead of the mean of both orders",
    )
    group.add_argument(
        "--average",
        type=int,
        default=0,
        metavar="EPOCH",
        help="use the mean of the models after each epoch, from epoch EPOCH on (default: use the last model)",
    )
    group.add_argument(
        "--sort-rows",
        action="store_true",
        help="first sort the rows by a hash of their contents, as the scikit-learn estimators do: the same rows in any order "
        "then give the same bits",
    )
    group.add_argument(
        "--fixed-up-bits",
        action="store_false",
        dest="fresh",
        help="quantise only once, instead of again in each epoch",
    )
    group.add_argument(
        "--unattended",
        type=int,
        default=1,
        metavar="N",
        help="with --resident: epochs that the board runs on its own before it says how it goes, up to 64. The computer may "
        "leave meanwhile; the same command, given again, fetches the results (default %(default)s)",
    )
    group.add_argument(
        "--shards",
        type=_number_of_shards,
        metavar="S",
        help="train S parts of the rows from the same model, and average their models, so that several workers or boards share "
        "the work. The bits depend on S alone, not on who does it (default 1; with --workers and --cluster 'auto', a "
        "number that suits them)",
    )
    group.add_argument(
        "--rounds",
        type=int,
        metavar="R",
        help="with --shards: how often the models are averaged in an epoch (default 4 from 8 shards on; fewer for fewer "
        "shards, for few rows and with --resident)",
    )
    group.add_argument(
        "--resident",
        action="store_true",
        help="keep the samples in the board's store, so that they come over the link only once; they are then quantised only "
        "once. A set that does not fit is streamed in each epoch, with the same result",
    )


def add_bits(group: argparse._ArgumentGroup) -> None:
    """Add the options that determine the bits of a value.

    Parameters
    ----------
    group : argparse._ArgumentGroup
        The group of options to add them to.
    """
    group.add_argument(
        "--bits",
        type=_bits,
        metavar="N",
        help="bits of a value on the link; several such as 3,3,4: those of each epoch, and the last one of all further ones; "
        "auto: begin with few, and take one more whenever the loss no longer falls (default: 4, or 8 for huber and logistic)",
    )
    group.add_argument(
        "--base-bits",
        type=int,
        metavar="P",
        help="base bits p of a value, in place of --bits: 1 to 8; with optimal levels 0 to 4",
    )
    group.add_argument(
        "--estimator",
        choices=ESTIMATORS,
        default="auto",
        help="how the gradient is estimated from quantised values. double: by two independent quantisations of a value, "
        "without bias (6 for huber and logistic); one-draw: by one, whose known bias the device takes away, for squared losses "
        "and boards with diagonal=1; naive: by one, with its bias; truncated: by the base bits alone. auto: one-draw with "
        "--bits, where it is possible, and double otherwise (default %(default)s)",
    )


def _bits(text: str) -> int | str | tuple[int, ...]:
    """The value of ``Options.bits`` for what the argument says."""
    if text == "auto":
        return text
    try:
        numbers = tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"it takes a number of bits such as 4, one for each epoch such as 3,3,4, or auto, not {text!r}"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _add_regularisers(command: argparse.ArgumentParser) -> None:
    penalties = command.add_argument_group(
        "regularisers",
        "for weights of columns scaled to [-1, 1], without the intercept; a board needs a build with prox=1",
    )
    penalties.add_argument(
        "--l2",
        type=float,
        default=0.0,
        metavar="LAMBDA",
        help="add LAMBDA / 2 times the sum of the squared weights to the loss",
    )
    penalties.add_argument(
        "--l1",
        type=float,
        default=0.0,
        metavar="LAMBDA",
        help="add LAMBDA times the sum of the absolute weights to the loss, which makes the model sparse",
    )
    penalties.add_argument(
        "--bound",
        type=float,
        default=0.0,
        metavar="C",
        help="keep each weight between -C and C (default: no bound)",
    )
    penalties.add_argument(
        "--nonnegative",
        action="store_true",
        help="keep each weight from being negative",
    )
    penalties.add_argument(
        "--radius",
        type=float,
        default=0.0,
        metavar="R",
        help="keep the Euclidean length of the weights at most R; a board needs a build with ball=1, too (default: no limit)",
    )


def _add_levels(command: argparse.ArgumentParser) -> None:
    levels = command.add_argument_group("levels", "the numbers to which values are rounded")
    levels.add_argument(
        "--levels",
        choices=LEVELS,
        default="uniform",
        help="uniform: evenly spaced; optimal: placed by the distribution of the data for the least variance, which needs a "
        "build with a transcoder; auto: optimal where rounding to uniform ones would drown the gradients in noise. --bits 1 "
        "stands for two levels per column (default %(default)s)",
    )
    levels.add_argument(
        "--level-bits",
        type=int,
        default=8,
        metavar="V",
        help="bits of an optimal level, 2 to 8 (default %(default)s)",
    )
    levels.add_argument(
        "--shared-levels", action="store_true", help="use the same optimal levels for all columns"
    )


def _add_scaling(command: argparse.ArgumentParser) -> None:
    scaling = command.add_argument_group(
        "scaling",
        "the part of a column's range that becomes [-1, 1]; values beyond are clipped, in predictions, too",
    )
    kinds = "; ".join(f"{name}: {kind.summary}" for name, kind in KINDS.items())
    scaling.add_argument(
        "--scaling",
        choices=SCALINGS,
        default="auto",
        help=f"{kinds}; auto: standard or quantile where a linear model then explains clearly more of the labels, "
        "otherwise range (default %(default)s)",
    )
    scaling.add_argument(
        "--clip",
        type=float,
        default=Options.clip,
        metavar="SHARE",
        help="share of the values that quantile clips, and that standard would clip of normal values (default %(default)s)",
    )
    scaling.add_argument(
        "--no-intercept",
        action="store_false",
        dest="intercept",
        help="no intercept: the outputs are the columns times their weights. Nothing is centred, labels neither, and "
        "--scaling none is implied",
    )
