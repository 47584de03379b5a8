"""The command ``zipsgd verify``."""

import argparse
import warnings

import numpy as np

from .build_options import add_backend, add_build, backends_of
from .command import Commands, add_command, check_output
from .data_options import add_data, memory_of, table_of
from .progress import TrainingProgress, messages
from .training_options import add_training, options_of

__all__ = ["add"]

_EXAMPLES = """\
  zipsgd verify cadata                                     emulator against golden model
  zipsgd verify cadata --backend sim                       simulated gateware against golden model
  zipsgd verify cadata --backend sim --against emulator --base-bits 5 --one-sided
  zipsgd verify digits --classify --loss hinge             a classifier
  zipsgd verify cadata --backend /dev/ttyUSB1              a board against golden model, with the board's build
"""


def add(commands: Commands) -> None:
    """Add the command ``verify``, see :mod:`zipsgd.cli.command`."""
    command = add_command(
        commands,
        "verify",
        run,
        summary="train on two backends and compare bit for bit",
        description="Train on two backends with the same data and options, and compare every loss, every word of the model and "
        "the flags. The exit status is 1 if a bit differs. With a board on a port, the other backend uses the board's build.",
        examples=_EXAMPLES,
        data=True,
    )
    add_data(command)
    add_backend(command)
    command.add_argument(
        "--against", default="golden", metavar="BACKEND", help="the other backend (default %(default)s)"
    )
    add_training(command, epochs=2)
    add_build(command)


def run(arguments: argparse.Namespace) -> int:
    """Train on both backends, and print what differs, see :func:`zipsgd.cli.main.main`."""
    # Imported only now, so that the help appears fast
    from zipsgd.training.guard import ConvergenceWarning, describe
    from zipsgd.training.verification import verify

    options, memory = options_of(arguments), memory_of(arguments)
    names = (arguments.backend, arguments.against)
    wanted = backends_of(arguments, *names)
    check_output(never_standard=(arguments.trace,))
    with TrainingProgress(messages(), arguments.verbose) as progress:
        progress.doing(f"reading {arguments.data}")
        table = table_of(arguments, memory)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # printed below
            found = verify(table, None, options, wanted, memory=memory, callbacks=[progress])
    print(
        f"{names[0]} against {names[1]}: {found.losses} of {len(found.first.loss)} losses, {found.words} of "
        f"{np.size(found.first.model_words)} model words differ{', and the flags' * found.flags}"
    )
    if found.first.warnings:
        print(f"warning: {describe(found.first.warnings)}")
    print("identical" if found.identical else "NOT identical")
    return 0 if found.identical else 1
