"""A backend that stays open between the parts of a stream."""

import weakref
from contextlib import ExitStack
from typing import Any

from zipsgd.backends import Backend, LimitError

from .heads import Heads
from .opening import check_build, opened
from .parts import Parts, connected, parts_of
from .task import Task

__all__ = ["Session"]


class Session:
    """A backend that is opened when it is first needed, and stays open.

    It is closed by :meth:`close`, when nothing refers to the session any more, or when the interpreter ends.
    """

    def __init__(self) -> None:
        self._heads: Heads | None = None
        self._task: Task | None = None
        self._most_rows = 0
        self._parts: tuple[Any, Parts] | None = None

    def use(self, wanted: Any, task: Task) -> tuple[Backend, Heads]:
        """The open backend, and the heads of a task on it. What does not fit the task any more is opened anew.

        Parameters
        ----------
        wanted : str, BackendOptions or Backend
            As in :func:`.opening.opened`.
        task : Task
            The next rows.

        Returns
        -------
        Backend
            The backend.
        Heads
            The heads, which go on from the rows before if the configuration is the same.

        Raises
        ------
        LimitError
            No build supports the task, or the build of the device does not.
        """
        if self._task is not None and not self._fits(wanted, task):
            self.close()
        if self._task is None:
            self._open(wanted, task)
        elif self._heads is not None and task.config is self._task.config and task.heads == self._task.heads:
            self._heads.go_on(task)
        else:
            self._heads = Heads(task, self._backend)
        self._task, self._most_rows = task, max(self._most_rows, task.rows)
        assert self._heads is not None
        return self._backend, self._heads

    def parts(self, wanted: Any) -> Parts:
        """The parts of the device.

        Parameters
        ----------
        wanted : str, BackendOptions or Backend
            As in :func:`.opening.opened`. A board on a port is opened for this, if it is not open yet.

        Returns
        -------
        Parts
            The parts.
        """
        if self._parts is None or self._parts[0] != wanted:
            with connected(wanted) as found:
                self._parts = wanted, parts_of(found)
        return self._parts[1]

    def _open(self, wanted: Any, task: Task) -> None:
        stack = ExitStack()
        self._backend = stack.enter_context(opened(wanted, task))
        self._wanted = wanted
        self._closing = weakref.finalize(self, stack.close)
        self._heads = Heads(task, self._backend)

    def _fits(self, wanted: Any, task: Task) -> bool:
        """Whether the open backend is the wanted one, and supports the task."""
        if wanted is not self._wanted and wanted != self._wanted:
            return False
        known = self._task
        if (
            known is not None
            and task.config is known.config
            and task.heads == known.heads
            and task.rows <= self._most_rows
        ):
            return True
        try:
            check_build(task, self._backend.build)
        except LimitError:
            return False
        return True

    @property
    def task(self) -> Task | None:
        """Task or None: The last rows; None if no backend is open."""
        return self._task

    def close(self) -> None:
        """Close the backend. The next use opens it again."""
        if self._task is not None:
            self._task = self._heads = None
            self._most_rows = 0
            self._closing()
            del self._backend
