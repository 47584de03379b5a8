"""``zipsgd verify``"""

import argparse

from rich.console import Console

from zipsgd.training import train

from .options import add_backend, add_build, add_data, add_training, options_of, table_of
from .train import choose_backend

__all__ = ["add"]


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser(
        "verify",
        help="train on two backends and compare bit for bit",
        description="Train the same thing on two backends, and compare every loss and every word of the model. Exit status 1 "
        "if a bit differs. With a real board, the other backend takes the board's own build.",
    )
    add_data(command)
    add_backend(command)
    command.add_argument(
        "--against", default="golden", metavar="BACKEND", help="the other backend (default %(default)s)"
    )
    add_training(command)
    add_build(command)
    command.set_defaults(run=run, epochs=2)


def run(arguments: argparse.Namespace) -> int:
    console = Console(stderr=True)
    table = table_of(arguments)
    options = options_of(arguments)
    results = []
    for name in (arguments.backend, arguments.against):
        backend = choose_backend(name, arguments, table, console)
        try:
            console.print(f"training on {name} ...")
            results.append(train(table, options, backend=backend))
        finally:
            backend.close()
    first, second = results
    if first.build != second.build:
        raise ValueError("the two backends are different builds; give the board's --lanes and --max-features")
    losses = sum(a != b for a, b in zip(first.loss, second.loss, strict=True))
    words = sum(a != b for a, b in zip(first.model_words, second.model_words, strict=True))
    flags = first.flags != second.flags
    print(
        f"{arguments.backend} against {arguments.against}: {losses} of {len(first.loss)} losses, {words} of "
        f"{len(first.model_words)} model words differ{', and the flags' * flags}"
    )
    print("identical" if not (losses or words or flags) else "NOT identical")
    return 1 if losses or words or flags else 0
