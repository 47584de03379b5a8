"""``zipsgd predict``"""

import argparse
import sys
from pathlib import Path

import numpy as np

from zipsgd.training import load_model

from .options import add_data, table_of

__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "predict",
        help="predict with a saved model",
        description="Print a prediction for each row, in the data's units. The data have the columns that the model was "
        "trained on, with the label's; its R2 goes to standard error.",
    )
    add_data(command)
    command.add_argument("--model", type=Path, required=True, metavar="FILE", help="of 'zipsgd train --save'")
    command.add_argument(
        "--out", type=Path, metavar="FILE", help="write there rather than to standard output"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    model = load_model(arguments.model)
    table = table_of(arguments)
    predicted = model.predict(table.features)
    text = "\n".join(f"{value:.9g}" for value in predicted) + "\n"
    if arguments.out is not None:
        arguments.out.write_text(text)
    else:
        sys.stdout.write(text)
    spread = float(np.var(table.labels))
    if spread:
        r2 = 1 - float(np.mean((predicted - table.labels) ** 2)) / spread
        print(f"R2 {r2:.4f} over {table.labels.size} rows", file=sys.stderr)
    return 0
