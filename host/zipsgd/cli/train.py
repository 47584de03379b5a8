"""``zipsgd train``"""

import argparse
import json
from importlib import import_module
from pathlib import Path

from zipsgd.data import SETS, DataError, Table
from zipsgd.driver import DeviceError
from zipsgd.model import ClassifierResult, Result
from zipsgd.protocol.run import Refetch
from zipsgd.training import Options, train
from zipsgd.training.objective import CLASS_LOSSES
from zipsgd.training.report import compare, need_plots, save_report, summary

from .options import (
    Commands,
    add_backend,
    add_build,
    add_command,
    add_data,
    add_training,
    build_of,
    build_of_heads,
    check_output,
    memory_of,
    options_of,
    table_of,
)
from .progress import TrainingProgress, messages

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd train cadata                                on the emulator
  zipsgd train cadata --backend sim --report out     through the simulated gateware, and compare
  zipsgd train my.csv --label price --save m.json    then: zipsgd predict new.csv --model m.json
  zipsgd train my.csv --validation 0.2               and R2 on a fifth of the rows, held out
  zipsgd train digits --classify                     classes rather than numbers: the accuracy
  zipsgd train my.csv --label species --classify --validation 0.2 --save m.json
  zipsgd train digits --classify --loss hinge        by another loss
  zipsgd train my.libsvm --base-bits 1 --epochs 40   3 bits a value
  zipsgd train my.npz --samples-per-value 1          naive quantisation: biased, for comparison
  zipsgd train big.npy --memory 2G                   a set that need not fit into memory
  zipsgd train my.csv --backend /dev/ttyUSB1         on a board
  zipsgd train my.csv --checkpoint r.json            may be stopped or killed, or lose its board; then
  zipsgd train my.csv --checkpoint r.json --resume   goes on, to the same bits
"""


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "train",
        run,
        summary="train a model",
        description="Train a linear model by least squares, or a classifier, on quantised samples. Every value streams p + m "
        "bits: a base of p planes, and one more plane for each of m independent roundings of it. With m = 2 the gradient of "
        "least squares has no bias.",
        examples=_EXAMPLES,
        data=True,
    )
    add_data(command)
    command.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="hold out so many of the rows, such as 0.2, and report R2 or accuracy on them",
    )
    add_backend(command)
    classes = command.add_argument_group(
        "classes", "as zipsgd.estimators.ZipClassifier, with the same bits; this needs scikit-learn"
    )
    classes.add_argument(
        "--classify",
        action="store_true",
        help="take each different label, a number such as 0, 1 or 2, for a class; of more than two, each has a model against "
        "all others",
    )
    classes.add_argument(
        "--loss",
        choices=CLASS_LOSSES,
        help="what is minimised on labels of +-1; a device needs hinge=1 for hinges, polynomial=5 for the logistic loss "
        f"(default {next(iter(CLASS_LOSSES))})",
    )
    classes.add_argument(
        "--refetch",
        choices=[kind.name.lower() for kind in Refetch],
        default="never",
        help="of hinges: leave out samples whose side of the margin quantisation leaves in doubt, and send them again at 8 "
        "base bits; certain: no sample is on the wrong side; likely: one in 1,490 at most, and fewer come twice. A device "
        "needs refetch=16384 (default %(default)s)",
    )
    add_training(command, epochs=20)
    add_build(command)
    kept = command.add_argument_group(
        "checkpoints", "so that a run that is stopped, killed or loses its board can go on, to the same bits"
    )
    kept.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="keep the run as it stands after each epoch (JSON). FILE must not be there yet, unless to --resume",
    )
    kept.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in FILE, or begin it where there is none: the same data and options, on any backend whose "
        "build has the same lanes and widths (default: the run's own build)",
    )
    output = command.add_argument_group("output")
    output.add_argument("--save", type=Path, metavar="FILE", help="write the model, for 'zipsgd predict'")
    output.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write all there is to know of the run: loss of each epoch, coef and intercept in the data's units, the device's "
        "model_words, bits_per_value, cycles, flags, ...",
    )
    output.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="compare with float64 SGD and with naive quantisation; write report.json and loss.png there",
    )
    output.add_argument("--quiet", action="store_true", help="no progress, no summary")


def run(arguments: argparse.Namespace) -> int:
    options, memory = options_of(arguments), memory_of(arguments)
    _check_together(arguments)
    check_output(
        arguments.save, arguments.json, arguments.trace, arguments.checkpoint, inputs=(arguments.data,)
    )
    check_output(arguments.report, folder=True)
    if arguments.report is not None:
        need_plots()
    train_it = _classify if arguments.classify else _regress
    written: list[Path] = []
    with TrainingProgress(messages(arguments.quiet)) as progress:
        if arguments.classify:
            progress.doing("loading scikit-learn")
            import_module("zipsgd.estimators")  # before any work: it may not be installed
        progress.doing(f"reading {arguments.data}")
        table, held = table_of(arguments, memory, progress.say), None
        if arguments.validation is not None:
            table, held = _split(arguments, table, options.seed)
        progress.begin(table.labels.size)
        result = train_it(arguments, table, options, memory, progress)
        if held is not None:
            result.evaluate(held.features, held.labels)
        if arguments.save is not None:
            result.save(arguments.save)
            written.append(arguments.save)
        if arguments.json is not None:
            content = {"data": arguments.data, **result.as_dict()}
            arguments.json.write_text(json.dumps(content, indent=1) + "\n")
            written.append(arguments.json)
        comparison = None
        if arguments.report is not None and isinstance(result, Result):
            comparison = compare(table, options, result, progress.say, memory=memory)
            title = f"{arguments.data} on {arguments.backend}"
            written += save_report(arguments.report, title, result, comparison)
    if not arguments.quiet:
        lines = summary(result, comparison)
        if not arguments.classify and arguments.data in SETS and SETS[arguments.data].classes:
            lines.append(
                f"the labels of {arguments.data} are classes: --classify trains a classifier on them"
            )
        print("\n".join([*lines, *(f"wrote {path}" for path in written)]))
    return 0


def _check_together(arguments: argparse.Namespace) -> None:
    """Raises ValueError for options that do not go together."""
    if not arguments.classify:
        if arguments.loss is not None:
            raise ValueError(
                f"--loss {arguments.loss} is for classes, and without --classify least squares is all there is: add "
                f"--classify, or leave out --loss"
            )
        if arguments.refetch != "never":
            raise ValueError("--refetch is for hinges, on classes: add --classify, or leave out --refetch")
        return
    for name, why in {
        "checkpoint": "a run on classes cannot be kept and resumed yet",
        "resume": "a run on classes cannot be kept and resumed yet",
        "report": "its yardsticks are of least squares",
    }.items():
        if getattr(arguments, name):
            raise ValueError(f"--classify and --{name} do not go together, as {why}: leave out --{name}")
    if arguments.data in SETS and not SETS[arguments.data].classes:
        raise DataError(f"the labels of {arguments.data} are amounts, no classes: leave out --classify")


def _split(arguments: argparse.Namespace, table: Table, seed: int) -> tuple[Table, Table]:
    """Rows to train on and rows held out, of the same columns."""
    table, held = table.split(arguments.validation, seed)
    if not arguments.drop_constant:
        return table, held
    varying = table.without_constant_columns()  # fewer, where a column varies in the rows held out alone
    return varying, held.pick([table.names.index(name) for name in varying.names])


def _regress(
    arguments: argparse.Namespace, table: Table, options: Options, memory: int, progress: TrainingProgress
) -> Result:
    try:
        return train(
            table,
            options,
            backend=arguments.backend,
            build=build_of(arguments, table.features.shape[1] + 1, arguments.backend),
            baud=arguments.baud,
            trace=arguments.trace,
            memory=memory,
            checkpoint=arguments.checkpoint,
            resume=arguments.resume,
            progress=progress.say,
            on_samples=progress.on_samples,
            on_epoch=progress.on_epoch,
        )
    except (KeyboardInterrupt, DeviceError):
        if arguments.checkpoint is not None and arguments.checkpoint.exists():
            progress.say(
                f"{arguments.checkpoint} keeps the run up to its last whole epoch: the same command with --resume goes on"
            )
        raise


def _classify(
    arguments: argparse.Namespace, table: Table, options: Options, memory: int, progress: TrainingProgress
) -> ClassifierResult:
    from zipsgd.estimators.table import train_classifier  # takes a second to import

    return train_classifier(
        table,
        options,
        loss=arguments.loss or next(iter(CLASS_LOSSES)),
        refetch=arguments.refetch,
        backend=arguments.backend,
        build=build_of_heads(arguments, arguments.backend),
        baud=arguments.baud,
        trace=arguments.trace,
        memory=memory,
        progress=progress.say,
        on_samples=progress.on_samples,
        on_epoch=progress.on_epoch,
    )
