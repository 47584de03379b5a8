"""Checks that two backends give the same bits."""

import logging
import warnings
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from zipsgd.backends import BACKENDS, Backend, BackendOptions, open_backend
from zipsgd.protocol.formats import Build

from .api import train_task
from .guard import ConvergenceWarning, describe
from .opening import opened
from .options import Options
from .parts import parts_of
from .preparation import prepare
from .result import Result

_log = logging.getLogger(__name__)

__all__ = ["Verification", "compare_results", "verify"]


@dataclass(frozen=True)
class Verification:
    """The comparison of two runs of the same training.

    Parameters
    ----------
    first, second : Result
        Results of the two backends.
    losses, words : int
        Number of epochs whose losses differ, and number of model words that differ.
    flags : bool
        Whether the flags differ.
    """

    first: Result
    second: Result
    losses: int
    words: int
    flags: bool

    @property
    def identical(self) -> bool:
        """bool: Whether both results are the same, bit for bit."""
        return not (self.losses or self.words or self.flags)


def compare_results(first: Result, second: Result) -> Verification:
    """Compare every loss, every word of the model, and the flags.

    Parameters
    ----------
    first, second : Result
        Results of two runs with the same data and options.

    Returns
    -------
    Verification
        What differs.
    """
    words = np.array(first.model_words) != np.array(second.model_words)
    return Verification(
        first,
        second,
        losses=sum(a != b for a, b in zip(first.loss, second.loss, strict=True)),
        words=int(words.sum()),
        flags=(first.flags, first.last_flags) != (second.flags, second.last_flags),
    )


def verify(
    X: Any,
    y: Any = None,
    options: Options | None = None,
    backends: Iterable[str | BackendOptions] = ("emulator", "golden"),
    *,
    callbacks: Iterable[Any] = (),
    **prepared: Any,
) -> Verification:
    """Train on two backends with the same data and options, and compare the results bit for bit.

    If one backend is a device on a port, the other one uses the device's build.

    Parameters
    ----------
    X, y, options
        Data and options, see :func:`zipsgd.train`.
    backends : two of str or BackendOptions
        The backends, see :func:`zipsgd.train`. A build that is given for one of them applies to both.
    callbacks : iterable of Callback or callable
        Callbacks of both runs.
    prepared
        ``weights`` and ``memory``, see :func:`zipsgd.train`.

    Returns
    -------
    Verification
        Both results, and what differs.

    Raises
    ------
    WrongBuild
        Both backends are devices, and their builds differ.
    DataError, LimitError, ValueError, DeviceError
        See :func:`zipsgd.train`.
    """
    wanted = [BackendOptions(each) if isinstance(each, str) else each for each in backends]
    if len(wanted) != 2:
        raise ValueError(f"two backends are compared, not {len(wanted)}")
    options = options or Options()
    build = next((each.build for each in wanted if each.build is not None), None)
    used: dict[int, Backend] = {}
    with ExitStack() as stack:
        for place, choice in enumerate(wanted):
            if choice.name not in BACKENDS:  # a board brings a build
                known = build if isinstance(build, Build) else None
                used[place] = stack.enter_context(closing(open_backend(choice.with_build(known))))
                build = used[place].build
        parts = parts_of(wanted[0].with_build(build))
        task = prepare(X, y, options, **prepared, parts=parts)
        chosen = build if isinstance(build, Build) else task.build(build)
        for place, choice in enumerate(wanted):
            backend = used.get(place, choice.with_build(chosen))
            used[place] = stack.enter_context(opened(backend, task))
        told = list(chain(callbacks))
        results = []
        for place in (0, 1):
            _log.info("training on %s", wanted[place].name)
            results.append(train_task(task, backend=used[place], callbacks=told))
    if results[0].warnings:
        warnings.warn(describe(results[0].warnings), ConvergenceWarning, stacklevel=2)
    return compare_results(*results)
