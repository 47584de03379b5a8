"""A step of a build: a tool that runs in a folder of its own, or files of the cache in its place."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .build_cache import BuildCache, key_of
from .toolchain import POLL_SECONDS, BuildFailed, ToolProcess

__all__ = ["WORK_PREFIX", "Step", "StepRun", "run_step"]

WORK_PREFIX = ".zipsgd-work-"
"""What the names of steps' folders begin with."""
_LOG = "log"
"""Name of the log in the cache."""


@dataclass(frozen=True)
class Step:
    """What a tool reads and writes.

    Parameters
    ----------
    command : sequence of str
        The tool's name and its arguments. Files are named without a folder.
    inputs : mapping of str to Path
        The files that the tool reads, by the names under which it reads them.
    outputs : mapping of str to Path
        Where the files that the tool writes are put, by the names under which it writes them.
    log : Path
        File for all that the tool prints.
    version : str or None
        The tool's version; None if it does not tell, or if nothing is kept: then the cache is not used.
    """

    command: Sequence[str]
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    log: Path
    version: str | None = None

    def places(self) -> dict[str, Path]:
        """All files that the step leaves, by their names in the cache."""
        return {**self.outputs, _LOG: self.log}

    def key(self) -> str | None:
        """The step's key in the cache; None without a version."""
        if self.version is None:
            return None
        contents = {name: path.read_bytes() for name, path in self.inputs.items()}
        return key_of(self.command, self.version, contents)


class StepRun:
    """A step under way. The cache is looked at first; else the tool runs, and its files are put in place when it has ended.

    Parameters
    ----------
    step : Step
        The step.
    folder : Path
        The build's folder. The tool runs in a new folder in it.
    cache : BuildCache or None
        The cache; None for none.

    Attributes
    ----------
    cached : bool
        Whether the cache had it.

    Raises
    ------
    BuildFailed
        The tool is missing, or cannot be run.
    """

    def __init__(self, step: Step, folder: Path, cache: BuildCache | None) -> None:
        self._step, self._cache = step, cache
        self._key = None if cache is None else step.key()
        self._process: ToolProcess | None = None
        self.cached = self._from_cache()
        if self.cached:
            return
        self._work = Path(tempfile.mkdtemp(prefix=WORK_PREFIX, dir=folder))
        try:
            for name, path in step.inputs.items():
                (self._work / name).parent.mkdir(
                    parents=True, exist_ok=True
                )  # a board's own file may be in a folder
                shutil.copyfile(path, self._work / name)
            self._process = ToolProcess(list(step.command), self._work, step.log)
        except BaseException:
            self.end()
            raise

    def _from_cache(self) -> bool:
        """Put the files of the cache in their places; whether it has them."""
        if self._cache is None or self._key is None:
            return False
        places = self._step.places()
        found = self._cache.get(self._key, places)
        for name, content in (found or {}).items():
            places[name].write_bytes(content)
        return found is not None

    @property
    def stage(self) -> str | None:
        """As of :class:`.ToolProcess`."""
        return None if self._process is None else self._process.stage

    def done(self) -> bool:
        """Look whether the step is done, and if so, put the files in their places and into the cache.

        Returns
        -------
        bool
            Whether it is done.

        Raises
        ------
        BuildFailed
            The tool's exit status is not zero, or it has not written a file.
        """
        if self._process is None:
            return True
        if not self._process.done():
            return False
        self._process = None
        missing = [name for name in self._step.outputs if not (self._work / name).is_file()]
        if missing:
            raise BuildFailed(
                f"{self._step.command[0]} has not written {', '.join(missing)}, though it did not fail: see {self._step.log}"
            )
        if self._cache is not None and self._key is not None:
            files = {name: (self._work / name).read_bytes() for name in self._step.outputs}
            self._cache.put(self._key, {**files, _LOG: self._step.log.read_bytes()})
        for name, place in self._step.outputs.items():
            os.replace(self._work / name, place)
        shutil.rmtree(self._work, ignore_errors=True)
        return True

    def end(self) -> None:
        """End the tool if it runs, and remove what it has written."""
        if self._process is not None:
            self._process.end()
            self._process = None
        if not self.cached:
            shutil.rmtree(self._work, ignore_errors=True)


def run_step(step: Step, folder: Path, cache: BuildCache | None, watch: Callable[[str | None], None]) -> bool:
    """Run a step to its end. If this is interrupted, the tool is ended as well.

    Parameters
    ----------
    step : Step
        The step.
    folder : Path
        The build's folder.
    cache : BuildCache or None
        The cache; None for none.
    watch : callable
        Called often with :attr:`.ToolProcess.stage`.

    Returns
    -------
    bool
        Whether the cache had it.

    Raises
    ------
    BuildFailed
        The tool is missing, failed, or has not written a file.
    """
    run = StepRun(step, folder, cache)
    try:
        while not run.done():
            watch(run.stage)
            time.sleep(POLL_SECONDS)
    finally:
        run.end()
    return run.cached
