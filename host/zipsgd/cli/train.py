"""``zipsgd train``"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from zipsgd.data import SETS, DataError, Table, class_name
from zipsgd.driver import DeviceError
from zipsgd.output import OutputError, is_standard
from zipsgd.training.callbacks import Callback, CsvLog, TensorBoardLog
from zipsgd.training.options import KEEP, Options
from zipsgd.training.plots import need_plots
from zipsgd.training.scores import CLASS_SCORES, REGRESSION_SCORES

from .build_options import add_backend, add_build, backends_of
from .command import Commands, add_command, check_output
from .data_options import add_data, memory_of, table_of
from .outputs import Outputs
from .progress import TrainingProgress, messages
from .training_options import add_training, options_of
from .worker_options import add_workers, workers_of

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd train cadata                                on the emulator
  zipsgd train cadata --backend sim --report out     through the simulated gateware, and compare
  zipsgd train my.csv --label price --save m.json    then: zipsgd predict new.csv --model m.json
  zipsgd train my.csv --validation 0.2               and R2 on a fifth of the rows, held out
  zipsgd train digits --classify                     a classifier, with its accuracy
  zipsgd train my.csv --label species --classify --validation 0.2 --save m.json
  zipsgd train my.csv --classify --class-weight balanced --score balanced-accuracy
  zipsgd train digits --classify --loss hinge        with another loss
  zipsgd train iris.csv --classify --ignore id       classes may be text
  zipsgd train my.csv --one-hot city                 text as columns of 0 and 1
  zipsgd train my.csv --label x --label y            two outputs, trained side by side
  zipsgd train my.csv --validation 0.2 --measure     and the exact loss and R2 after each epoch
  zipsgd train my.libsvm --bits 3 --epochs 40        3 bits a value
  zipsgd train my.libsvm --bits 2,3,4                more bits from epoch to epoch; or --bits auto
  zipsgd train my.npz --estimator naive              one quantisation with its bias, for comparison
  zipsgd train big.npy --memory 2G                   data larger than memory
  zipsgd train my.csv --backend /dev/ttyUSB1         on a board
  zipsgd train my.csv --shards 4 --workers 2         shared by two processes of this computer
  zipsgd train /data/my.npy --shards 8 --cluster tcp://lab:8786 --spool /data/spool
  zipsgd train my.csv --checkpoint r.json            saves the run after each epoch; after an interruption
  zipsgd train my.csv --checkpoint r.json --resume   continues it, with the same bits
"""


def add(commands: Commands) -> None:
    """Add the command ``train``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "train",
        run,
        summary="train a model",
        description="Train a linear regression or a linear classifier on quantised samples. Each value is sent as p + m bits: "
        "p bits of its base, and one more bit for each of m independent roundings. With m = 2 (double sampling) the gradient "
        "of least squares is unbiased.",
        examples=_EXAMPLES,
        data=True,
    )
    add_data(command)
    command.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="hold out this share of the rows, such as 0.2, and report the score on them; of classes, each keeps its share",
    )
    command.add_argument(
        "--score",
        type=lambda name: name.replace("-", "_"),
        choices=[*CLASS_SCORES, *REGRESSION_SCORES],
        help=f"the score to report, and to watch for --patience; for regression {' or '.join(REGRESSION_SCORES)} (default "
        f"{next(iter(REGRESSION_SCORES))}), for classes {', '.join(CLASS_SCORES)} (default {next(iter(CLASS_SCORES))})",
    )
    command.add_argument(
        "--measure",
        action="store_true",
        help="also compute the exact loss and score after each epoch, on the training rows and on the rows held out",
    )
    command.add_argument(
        "--patience",
        type=int,
        default=0,
        metavar="N",
        help="with --validation: stop after N epochs without a better score, and keep the best model (default: never stop "
        "early)",
    )
    command.add_argument(
        "--tolerance",
        type=float,
        default=Options.tolerance,
        metavar="T",
        help="smallest improvement of the score that counts for --patience (default %(default)s)",
    )
    command.add_argument(
        "--keep",
        choices=KEEP,
        default=Options.keep,
        help="which epoch's model is the result: last; best, by the score on the rows held out, or without them on some of the "
        "training rows; auto, the last one unless it is clearly worse than the best one (default %(default)s)",
    )
    add_backend(command)
    add_training(command, epochs=20)
    add_build(command)
    add_workers(command)
    _add_checkpoints(command)
    _add_output(command)


def _add_checkpoints(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "checkpoints",
        "saved runs, which can be resumed after an interruption with the same bits as without it",
    )
    group.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="save the run after each epoch (JSON). FILE must not exist yet, except with --resume",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in FILE, or begin it if there is no such file. Data and options must be the same; any backend "
        "will do whose build has the same lanes and widths (default: the build of the saved run)",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("output")
    group.add_argument(
        "--save",
        type=Path,
        metavar="FILE",
        help="write the model, for 'zipsgd predict'; - is standard output",
    )
    group.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="write a full record of the run: loss of each epoch, coef and intercept in the data's units, model_words of the "
        "device, train_score, bits_per_value, cycles, flags, ...; with - to standard output, and the summary to standard error",
    )
    group.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="compare with float64 SGD and with naive quantisation; write report.json and loss.png into FOLDER",
    )
    group.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="write a line into a CSV file after each epoch",
    )
    group.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write a log for TensorBoard into FOLDER"
    )
    group.add_argument("--quiet", action="store_true", help="print no progress and no summary, only warnings")


def run(arguments: argparse.Namespace) -> int:
    """Train, print a summary, and write the files that the arguments name, see :func:`zipsgd.cli.main.main`."""
    # Imported only now, so that the help appears fast
    from zipsgd.training.api import train_task
    from zipsgd.training.checkpoint import settled
    from zipsgd.training.comparison import compare_task, save_report, summary
    from zipsgd.training.guard import describe
    from zipsgd.training.holdout import hold_out
    from zipsgd.training.parts import connected, parts_of
    from zipsgd.training.preparation import prepare
    from zipsgd.training.two_values import one_bit_hint

    memory = memory_of(arguments)
    options = settled(options_of(arguments), arguments.checkpoint, go_on=arguments.resume)
    (backend,) = backends_of(arguments, arguments.backend)
    _check(arguments)
    outputs = Outputs()
    with TrainingProgress(messages(arguments.quiet), arguments.verbose) as progress:
        logs: list[Callback] = [progress]
        if arguments.log is not None:
            logs.append(log := CsvLog(arguments.log))
        if arguments.tensorboard is not None:
            logs.append(TensorBoardLog(arguments.tensorboard))
        progress.doing(f"reading {arguments.data}")
        table, held = table_of(arguments, memory), None
        if arguments.validation is not None:
            table, held = hold_out(table, arguments.validation, options.seed, classify=options.classify)
        try:
            with (
                workers_of(arguments, backend) as chosen,
                connected(chosen) as found,
            ):
                task = prepare(table, None, options, memory=memory, parts=parts_of(found))
                result = train_task(
                    task,
                    held,
                    backend=found,
                    checkpoint=arguments.checkpoint,
                    resume=arguments.resume,
                    callbacks=logs,
                )
        except (KeyboardInterrupt, DeviceError, OutputError):
            if arguments.checkpoint is not None and arguments.checkpoint.exists():
                progress.say(
                    f"{arguments.checkpoint} keeps the run up to its last whole epoch: the same command with --resume goes on"
                )
            raise
        # The model first: it is what took long to make
        if arguments.save is not None:
            outputs.save(result, arguments.save)
        if arguments.log is not None:
            outputs.add(log.path, log.error)
        if arguments.json is not None:
            content = {"data": arguments.data, **result.as_dict()}
            outputs.write(arguments.json, json.dumps(content, indent=1) + "\n")
        comparison = None
        if arguments.report is not None:
            comparison = compare_task(task, result)
            title = f"{arguments.data} on {arguments.backend}"
            outputs.attempt(lambda: save_report(arguments.report, title, result, comparison))
    if not arguments.quiet:
        lines = summary(result, comparison)
        if not arguments.classify:
            lines += _hint_of_classes(arguments.data, table)
        hint = one_bit_hint(task)
        lines += [] if hint is None else [hint]
        own_text = any(map(is_standard, (arguments.save, arguments.json)))
        print("\n".join([*lines, *outputs.wrote]), file=sys.stderr if own_text else sys.stdout)
    elif result.warnings:
        print(f"warning: {describe(result.warnings)}", file=sys.stderr)
    return outputs.status()


def _hint_of_classes(data: str, table: Table) -> list[str]:
    """A line for labels that look like classes."""
    if data in SETS and SETS[data].classes:
        return [f"the labels of {data} are classes: --classify trains a classifier on them"]
    if table.labels.ndim == 1 and np.unique(table.labels).size == 2 < table.labels.size:
        low, high = map(class_name, (table.labels.min(), table.labels.max()))
        return [
            f"the label {table.label_name!r} is {low} or {high}: if these are classes, --classify trains a classifier on them"
        ]
    return []


def _check(arguments: argparse.Namespace) -> None:
    """Raise an error for arguments that contradict each other, and for places that cannot be written, before any work."""
    if arguments.classify and arguments.data in SETS and not SETS[arguments.data].classes:
        raise DataError(f"the labels of {arguments.data} are amounts, no classes: leave out --classify")
    if arguments.patience and arguments.validation is None:
        raise ValueError("--patience needs rows to measure models on: say --validation 0.2, for one")
    check_output(
        arguments.save,
        arguments.json,
        inputs=(arguments.data,),
        never_standard=(arguments.trace, arguments.checkpoint, arguments.log),
    )
    check_output(arguments.report, arguments.tensorboard, folder=True)
    if arguments.report is not None:
        need_plots()
