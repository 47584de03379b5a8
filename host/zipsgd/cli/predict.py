"""The command ``zipsgd predict``."""

import argparse
import sys
from pathlib import Path

from zipsgd.data import load_rows
from zipsgd.training.result import load_model

from .command import Commands, add_command, check_output
from .data_options import add_memory, memory_of

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd train cadata --save model.json
  zipsgd predict cadata --model model.json > predictions.txt
  zipsgd predict new.csv --model model.json --out predictions.txt
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
        "names; without a header, they must be those that the model was trained on, with or without the label's column. If "
        "there are labels, R2 or accuracy is printed to standard error.",
        examples=_EXAMPLES,
        data=True,
    )
    command.add_argument("data", help="a file or a named set; see below")
    add_memory(command)
    command.add_argument(
        "--model", type=Path, required=True, metavar="FILE", help="a model from 'zipsgd train --save'"
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="write to FILE instead of standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print or write the predictions, see :func:`zipsgd.cli.main.main`."""
    check_output(arguments.out, inputs=(arguments.data, arguments.model))
    model = load_model(arguments.model)
    features, labels = load_rows(arguments.data, model.columns, model.label, memory=memory_of(arguments))
    text = "\n".join(model.texts(model.predict(features))) + "\n"
    if arguments.out is not None:
        arguments.out.write_text(text)
    else:
        sys.stdout.write(text)
    if labels is not None:
        print(
            f"{model.scoring.title} {model.score(features, labels):.4f} over {labels.size} rows",
            file=sys.stderr,
        )
    return 0
