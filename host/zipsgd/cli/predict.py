"""The command ``zipsgd predict``."""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy.typing as npt

from zipsgd.data import load_rows
from zipsgd.output import STANDARD, is_standard, write_file
from zipsgd.training.result import ClassifierResult, Result, load_model

from .command import Commands, add_command, check_output
from .data_options import add_file, memory_of
from .progress import TrainingProgress, messages

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd train cadata --save model.json
  zipsgd predict cadata --model model.json > predictions.txt
  zipsgd predict new.csv --model model.json --out predictions.txt
  generate | zipsgd predict - --model model.json
  zipsgd predict digits --model digits.json          after zipsgd train digits --classify --save digits.json
"""


def add(commands: Commands) -> None:
    """Add the command ``predict``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "predict",
        run,
        summary="predict with a saved model",
        description="Print a prediction for each row: a number in the label's units, or a class. Columns are found by their "
        "names, and others are not read; without a header, they must be those that the model was trained on, with or without "
        "the label's column. If there are labels in all rows, R2 or accuracy is printed to standard error.",
        examples=_EXAMPLES,
        data=True,
    )
    add_file(command)
    command.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="a model from 'zipsgd train --save'"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=STANDARD,
        metavar="FILE",
        help="write to FILE instead of standard output, which is -",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print or write the predictions, see :func:`zipsgd.cli.main.main`."""
    check_output(arguments.out, inputs=(arguments.data, arguments.model))
    model = load_model(arguments.model)
    with TrainingProgress(messages(), arguments.verbose) as progress:
        progress.doing(f"reading {arguments.data}")
        features, labels = load_rows(
            arguments.data,
            model.columns,
            model.label,
            memory=memory_of(arguments),
            format=arguments.format,
            header=arguments.header,
            categories=model.categories,
        )
    texts = list(model.texts(model.predict(features)))
    write_file(arguments.out, "\n".join(texts) + "\n")
    if not is_standard(arguments.out):
        print(f"wrote {len(texts):,} predictions to {arguments.out}")
    if labels is not None:
        _print_score(model, features, labels)
    return 0


def _print_score(model: Result, features: Any, labels: npt.NDArray[Any]) -> None:
    """Print the score to standard error, or why there is none."""
    textual = isinstance(model, ClassifierResult) and model.textual
    if (labels.dtype.kind == "U") != textual:
        wanted = "text" if textual else "numbers"
        print(
            f"no {model.scoring.title}: the labels of the model are {wanted}, and those of the data are not",
            file=sys.stderr,
        )
        return
    print(
        f"{model.scoring.title} {model.score(features, labels):.4f} over {len(labels)} rows", file=sys.stderr
    )
