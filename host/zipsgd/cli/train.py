"""``zipsgd train``"""

import argparse
import json
from pathlib import Path

from zipsgd.driver import DeviceError
from zipsgd.report import compare, need_plots, save_report, summary
from zipsgd.training import train

from .options import (
    Commands,
    add_backend,
    add_build,
    add_command,
    add_data,
    add_training,
    build_of,
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
        description="Train a linear model by least squares on quantised samples. Every value streams p + m bits: a base of p "
        "planes, and one more plane for each of m independent roundings of it. With m = 2 the gradient has no bias.",
        examples=_EXAMPLES,
        data=True,
    )
    add_data(command)
    add_backend(command)
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
    check_output(arguments.save, arguments.json, arguments.trace, arguments.checkpoint)
    check_output(arguments.report, folder=True)
    if arguments.report is not None:
        need_plots()
    written: list[Path] = []
    with TrainingProgress(messages(arguments.quiet)) as progress:
        progress.doing(f"reading {arguments.data}")
        table = table_of(arguments, memory, progress.say)
        progress.begin(table.labels.size)
        try:
            result = train(
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
        if arguments.save is not None:
            result.save(arguments.save)
            written.append(arguments.save)
        if arguments.json is not None:
            content = {"data": arguments.data, **result.as_dict()}
            arguments.json.write_text(json.dumps(content, indent=1) + "\n")
            written.append(arguments.json)
        comparison = None
        if arguments.report is not None:
            comparison = compare(table, options, result, progress.say, memory=memory)
            title = f"{arguments.data} on {arguments.backend}"
            written += save_report(arguments.report, title, result, comparison)
    if not arguments.quiet:
        print("\n".join([*summary(result, comparison), *(f"wrote {path}" for path in written)]))
    return 0
