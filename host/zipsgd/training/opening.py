"""The backend of a run, from what a user says of it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zipsgd.backends import BACKENDS, Backend, BackendOptions, open_backend
from zipsgd.protocol.formats import Build

from .refetching import samples_at_once
from .task import Task

_log = logging.getLogger(__name__)

__all__ = ["build_of_backend", "check_build", "opened"]


def build_of_backend(wanted: BackendOptions, task: Task) -> Build | None:
    """The build to emulate or simulate for a task, or that a board must hold; None for whatever is on a board."""
    if isinstance(wanted.build, Build):
        return wanted.build
    if wanted.name in BACKENDS:
        return task.build(wanted.build)
    return None


def check_build(task: Task, build: Build) -> None:
    """Raises LimitError if ``build`` cannot train a head of the task."""
    task.config.check(build, samples_at_once(task.config, build, task.rows))


@contextmanager
def opened(
    backend: str | BackendOptions | Backend,
    task: Task,
    check: Callable[[Build], None] = lambda build: None,
    build: Build | None = None,
) -> Iterator[Backend]:
    """An open backend for a task, closed in the end unless it was given open.

    Parameters
    ----------
    backend : str, BackendOptions or Backend
        A name, a name with more to say of it, or an open backend.
    check : callable
        Raises what else is wrong with a build, before a virtual board is compiled.
    build : Build or None
        In place of the build that the task needs, where the user says nothing of it.

    Raises
    ------
    LimitError
        The build cannot do the task.
    """
    if isinstance(backend, str):
        backend = BackendOptions(backend)
    if not isinstance(backend, BackendOptions):
        check_build(task, backend.build)
        check(backend.build)
        yield backend
        return
    if build is not None and backend.build is None and backend.name in BACKENDS:
        backend = backend.with_build(build)
    found = build_of_backend(backend, task)
    if found is not None:
        check_build(task, found)
        check(found)
    device = open_backend(backend.with_build(found))
    _log.debug("%s: %s", device.name, device.build)
    try:
        check_build(task, device.build)
        check(device.build)
        yield device
    finally:
        device.close()
