"""The command ``zipsgd predict``."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from zipsgd.data import load_rows
from zipsgd.output import STANDARD, is_standard, write_file
from zipsgd.training.model_file import load_model
from zipsgd.training.result import ClassifierResult, Result

from .build_options import add_backend, add_build, backends_of, build_words
from .command import Commands, add_command, check_output
from .data_options import add_file, memory_of
from .progress import TrainingProgress, messages

if TYPE_CHECKING:
    from zipsgd.training.prediction import Prediction

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd train cadata --save model.json
  zipsgd predict cadata --model model.json > predictions.txt
  zipsgd predict new.csv --model model.json --out predictions.txt
  generate | zipsgd predict - --model model.json
  zipsgd predict new.csv --model model.json --backend /dev/ttyUSB1                          a board computes the scores
  zipsgd predict my.csv --model model.json --backend /dev/ttyUSB1 --resident --as-trained   of the rows in its store
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
        "the label's column. If there are labels in all rows, R2 or accuracy is printed to standard error. With --backend, the "
        "datapath of a device computes the scores of quantised rows, with the same bits on every backend.",
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
    _add_device(command)


def _add_device(command: argparse.ArgumentParser) -> None:
    """Arguments for predictions on a device."""
    add_backend(command, default=None)
    group = command.add_argument_group("rows", "with --backend: how a device takes them")
    group.add_argument(
        "--bits",
        type=int,
        metavar="N",
        help="bits of a value, 1 to 8 (default: as many as the build has base planes)",
    )
    group.add_argument(
        "--as-trained",
        action="store_true",
        help="quantise rows as in training: at its bits and levels, rounded stochastically with its seed",
    )
    group.add_argument(
        "--resident",
        action="store_true",
        help="take the rows from the board's store, and load them if they are not there; with --as-trained, all rows of "
        "'zipsgd train --resident' are",
    )
    add_build(command)


def run(arguments: argparse.Namespace) -> int:
    """Print or write the predictions, see :func:`zipsgd.cli.main.main`."""
    check_output(arguments.out, inputs=(arguments.data, arguments.model), never_standard=(arguments.trace,))
    _check_alone(arguments)
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
        if arguments.backend is None:
            outputs = model.outputs(features)
        else:
            outputs = _on_device(arguments, model, features, labels, progress)
    texts = list(model.texts(model.predicted(outputs)))
    write_file(arguments.out, "\n".join(texts) + "\n")
    if not is_standard(arguments.out):
        print(f"wrote {len(texts):,} predictions to {arguments.out}")
    if labels is not None:
        _print_score(model, outputs, labels)
    return 0


def _check_alone(arguments: argparse.Namespace) -> None:
    """Raise ValueError if there are arguments for a device, and none is named."""
    if arguments.backend is not None:
        return
    of_rows = {
        "--bits": arguments.bits is not None,
        "--as-trained": arguments.as_trained,
        "--resident": arguments.resident,
    }
    for name in (*(name for name, given in of_rows.items() if given), *build_words(arguments)):
        raise ValueError(f"{name} is for predictions on a device: name one with --backend, or leave it out")


def _on_device(
    arguments: argparse.Namespace,
    model: Result,
    features: Any,
    labels: npt.NDArray[Any] | None,
    progress: TrainingProgress,
) -> npt.NDArray[Any]:
    """The outputs that a device computes; prints what they took."""
    # Imported only now, so that predictions of the host need no compiled code
    from zipsgd.training.prediction import predict

    (wanted,) = backends_of(arguments, arguments.backend)
    progress.counting("predicting", len(labels) if labels is not None else features.shape[0])
    begun = time.perf_counter()
    found = predict(
        model,
        features,
        labels,
        backend=wanted,
        bits=arguments.bits,
        as_trained=arguments.as_trained,
        resident=arguments.resident,
        memory=memory_of(arguments),
        progress=progress.count,
    )
    progress.say(_summary(found, time.perf_counter() - begun))
    return found.outputs


def _summary(found: "Prediction", seconds: float) -> str:
    """What predictions took, as a line of text."""
    result, rows = found.result, len(found.outputs)
    line = (
        f"{found.backend}: {rows:,} rows in {found.epochs} epochs, {found.bits} bits a value, {seconds:.2f} s"
    )
    if result.cycles is not None:
        line += f"; {result.cycles:,} cycles, {result.link_bytes or 0:,} bytes over the link"
    return line


def _print_score(model: Result, outputs: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
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
        f"{model.scoring.title} {model.score_of(outputs, labels):.4f} over {len(labels)} rows",
        file=sys.stderr,
    )
