"""The project's promise, checked: two backends give the same bits."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from zipsgd.backends import BACKENDS, Backend, open_backend
from zipsgd.data import Table
from zipsgd.model import Result
from zipsgd.protocol.formats import Build
from zipsgd.training import EpochReport, Options, prepare, train

__all__ = ["Verification", "compare_results", "verify"]


@dataclass(frozen=True)
class Verification:
    """Two runs of the same training. ``losses``, ``words``: how many differ; ``flags``: whether they do."""

    first: Result
    second: Result
    losses: int
    words: int
    flags: bool

    @property
    def identical(self) -> bool:
        return not (self.losses or self.words or self.flags)


def compare_results(first: Result, second: Result) -> Verification:
    """Compare every loss, every word of the model, and the flags."""
    return Verification(
        first,
        second,
        losses=sum(a != b for a, b in zip(first.loss, second.loss, strict=True)),
        words=sum(a != b for a, b in zip(first.model_words, second.model_words, strict=True)),
        flags=first.flags != second.flags,
    )


def verify(
    table: Table,
    options: Options,
    backends: tuple[str, str],
    *,
    build: Build | None = None,
    baud: int = 0,
    trace: Path | None = None,
    memory: int | None = None,
    progress: Callable[[str], None] = lambda message: None,
    on_samples: Callable[[int, int], None] = lambda epoch, samples: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> Verification:
    """Train the same thing on two backends and compare the results bit for bit.

    A device on a port comes with its build, and the other backend then takes that one.

    Parameters
    ----------
    table, options : what to train.
    backends : two names, as of :func:`zipsgd.backends.open_backend`.
    build, baud, trace, progress : of the same. ``baud`` and ``trace`` go to the backends that have a use for them.
    memory, on_samples, on_epoch : as of :func:`zipsgd.training.train`, for both runs.

    Raises
    ------
    WrongBuild
        Both are devices, and their builds differ.
    DataError, LimitError, ValueError, DeviceError
        As of :func:`zipsgd.training.train`.
    """
    task = prepare(table, options, memory=memory)
    used: dict[int, Backend] = {}
    with ExitStack() as opened:
        for place in sorted(
            (0, 1), key=lambda place: backends[place] in BACKENDS
        ):  # devices first: they bring a build
            name = backends[place]
            if build is None and name in BACKENDS:
                build = task.build()
            if build is not None:  # before a virtual board is compiled
                task.config.check(build, table.labels.size)
            used[place] = open_backend(
                name,
                build,
                baud=0 if name in ("emulator", "golden") else baud,
                trace=trace if name == "sim" else None,
                progress=progress,
            )
            opened.callback(used[place].close)
            build = used[place].build
        results = []
        for place, name in enumerate(backends):
            progress(f"training on {name}")
            results.append(
                train(
                    table,
                    options,
                    backend=used[place],
                    memory=memory,
                    on_samples=on_samples,
                    on_epoch=on_epoch,
                )
            )
    return compare_results(*results)
