"""Checkpoints: runs that are saved after each epoch, so that they can be resumed with the same bits.

An epoch depends on the model that it begins with, on its number, and on the options, the data and the build of the run. A
checkpoint holds these, and the reports of the finished epochs.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zipsgd.data import DataError
from zipsgd.output import write_file
from zipsgd.protocol.formats import Build
from zipsgd.rows import iterate_blocks

from .epochs import EpochReport
from .loop import Best, Run
from .measuring import Validation
from .options import Options
from .state import State
from .task import Task

__all__ = ["Checkpoint", "data_of", "load_checkpoint", "resume"]

_FORMAT = "zipsgd checkpoint 4"
_RUN = '"run": '
_DECISIVE = ("lanes", "update_lanes", "p_max", "model_bits", "q3_bits", "delta_bits", "gradient_bits")
"""The build parameters that determine a run's bits. The others determine whether a build can do the run. With refetching, the
length of the device's list counts, too."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint.

    Parameters
    ----------
    options : dict
        Options of the run, see :meth:`zipsgd.training.options.Options.as_dict`.
    data : dict
        Size and fingerprint of the data, see :func:`data_of`.
    build : dict
        Parameters of the build; empty before the first epoch.
    state : dict
        The model, see :meth:`zipsgd.training.state.State.as_dict`; empty before the first epoch.
    best : dict
        Score, epoch and state of the best epoch; empty if models are not measured on validation rows.
    epochs : list of dict
        Reports of the finished epochs.
    """

    options: dict[str, Any]
    data: dict[str, Any]
    build: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    epochs: list[dict[str, Any]] = field(default_factory=list)

    def after(self, run: Run, build: Build) -> "Checkpoint":
        """The checkpoint of the run after its latest epoch.

        Parameters
        ----------
        run : Run
            The run.
        build : Build
            The build that it runs on.

        Returns
        -------
        Checkpoint
            The new checkpoint.
        """
        best = run.best
        kept = {"score": best.score, "epoch": best.epoch, "state": best.state.as_dict()} if best.state else {}
        reports = [report.as_dict() for report in run.reports]
        return replace(self, build=build.as_dict(), state=run.state.as_dict(), best=kept, epochs=reports)

    def save(self, path: Path) -> None:
        """Write the checkpoint to a JSON file, which contains only data.

        The file is replaced in one step: at any moment it holds either the old or the new checkpoint as a whole.

        Parameters
        ----------
        path : Path
            The file.

        Raises
        ------
        OutputError
            The file cannot be written.
        """
        text = json.dumps(vars(self), sort_keys=True)
        write_file(path, f'{{"format": "{_FORMAT}", "sha256": "{_digest(text)}",\n{_RUN}{text}}}\n')

    def check_build(self, build: Build) -> None:
        """Check that a build continues the run with the same bits.

        Parameters
        ----------
        build : Build
            The build to continue on.

        Raises
        ------
        ValueError
            The build has other widths or lanes than the one on which the run began.
        """
        if self.build:
            decisive = _DECISIVE + (("refetch",) if self.options["refetch"] != "never" else ())
            cure = "go on with a build that has the same ones"
            _compare("a build with", self.build, build.as_dict(), decisive, cure)

    def run(self, task: Task, validation: Validation | None) -> Run:
        """The run to continue.

        Parameters
        ----------
        task : Task
            The same data and options as before.
        validation : Validation or None
            Rows to measure the model on.

        Returns
        -------
        Run
            The run after its finished epochs.
        """
        if not self.state:
            return Run(task, task.new_state(), validation)
        unit = task.scale * 2.0 ** -Build(**self.build).model_frac
        best = Best()
        if self.best:
            state = State.from_dict(self.best["state"], task.scalings, unit)
            best = Best(self.best["score"], self.best["epoch"], state)
        reports = [EpochReport.from_dict(report) for report in self.epochs]
        state = State.from_dict(self.state, task.scalings, unit)
        return Run(task, state, validation, reports=reports, best=best)


def _digest(run: str) -> str:
    return hashlib.sha256(run.encode()).hexdigest()


def _compare(
    of: str, kept: Mapping[str, Any], now: Mapping[str, Any], names: tuple[str, ...], cure: str
) -> None:
    differing = [
        f"{name} {kept.get(name)} (now {now[name]})" for name in names if kept.get(name) != now[name]
    ]
    if differing:
        raise ValueError(f"the checkpoint is of a run on {of} {', '.join(differing)}: {cure}")


def data_of(task: Task) -> dict[str, Any]:
    """The size and a fingerprint of the data of a task, as a device receives them.

    Parameters
    ----------
    task : Task
        The task.

    Returns
    -------
    dict[str, Any]
        Numbers of rows and features, and a SHA-256 digest.
    """
    digest = hashlib.sha256()
    for _, block in iterate_blocks(task.values):
        digest.update(block.astype("<f4", copy=False).tobytes())
    digest.update(task.labels.astype("<i2", copy=False).tobytes())
    digest.update(repr([(step.mantissa, step.exponent) for step in task.steps]).encode())
    if task.config.levels is not None:
        digest.update(task.config.levels.values.astype("<i2", copy=False).tobytes())
    if task.shares is not None:
        digest.update(task.shares.astype("<f8", copy=False).tobytes())
    textual = bool(task.classes) and isinstance(task.classes[0], str)
    digest.update(np.array(task.classes, dtype="<U" if textual else "<f8").tobytes())
    rows, features = task.values.shape
    return {"rows": rows, "features": features, "sha256": digest.hexdigest()}


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a file that :meth:`Checkpoint.save` wrote.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    Checkpoint
        Its contents.

    Raises
    ------
    DataError
        The file cannot be read, is not a checkpoint, or is damaged.
    """
    try:
        text = path.read_text()
        content = json.loads(text)
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(f"it does not say that it is a {_FORMAT!r}")
        run = content["run"]
        # Of the text itself: some other digits of a float would be the same number
        if content["sha256"] != _digest(text.partition(_RUN)[2].rstrip().removesuffix("}")):
            raise ValueError("it was damaged or changed, as its checksum says")
        return Checkpoint(**run)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is no checkpoint of 'zipsgd train --checkpoint' ({error}): name another file, or begin anew without "
            f"--resume"
        ) from None


def settled(options: Options, path: Path | None, *, go_on: bool) -> Options:
    """Fill in what the options leave open with the choice of a saved run, which another device might not make again.

    Parameters
    ----------
    options : Options
        Options that the user gave.
    path : Path or None
        File of the saved run; None for a run that is not saved.
    go_on : bool
        Whether the saved run is continued.

    Returns
    -------
    Options
        The options.

    Raises
    ------
    DataError
        The file is not a checkpoint.
    """
    if path is None or not go_on or not path.exists():
        return options
    kept = load_checkpoint(path).options
    if options.shards == "auto":
        rounds = kept["rounds"] if options.rounds is None else options.rounds
        options = replace(options, shards=kept["shards"], rounds=rounds)
    if options.estimator != "auto":
        return options
    if kept.get("bits") != options.as_dict()["bits"] or options.base_bits not in (None, kept["base_bits"]):
        return options  # of another run, which resume() tells
    return replace(options, estimator=kept["estimator"], base_bits=kept["base_bits"])


def resume(path: Path | None, task: Task, *, go_on: bool) -> Checkpoint:
    """Load the checkpoint of a run, or begin a new one if there is no such file yet.

    Parameters
    ----------
    path : Path or None
        The file; None for a run that is not saved.
    task : Task
        Data and options of the run.
    go_on : bool
        Continue the saved run. If it is not set, the file must not exist, so that no run is overwritten.

    Returns
    -------
    Checkpoint
        The saved run, or a run before its first epoch.

    Raises
    ------
    ValueError
        The file exists but ``go_on`` is not set, or it holds a run with other data or options.
    DataError
        The file is not a checkpoint.
    """
    options = task.options.as_dict()
    if path is None:
        if go_on:
            raise ValueError("to resume a run, name its checkpoint (on the command line: --checkpoint FILE)")
        return Checkpoint(options, {})
    data = data_of(task)
    if not path.exists():
        if go_on:
            _log.info("no checkpoint %s yet: beginning with the first epoch", path)
        return Checkpoint(options, data)
    if not go_on:
        raise ValueError(
            f"{path} is there already: go on with the run in it with --resume (in Python: resume=True), or remove it to begin "
            f"anew"
        )
    kept = load_checkpoint(path)
    try:
        _compare("other options:", kept.options, options, tuple(options), "give the same ones")
        _compare("other data:", kept.data, data, ("rows", "features"), "give the same file, columns and rows")
        _compare("other data:", kept.data, data, ("sha256",), "values, labels or their order have changed")
    except ValueError as error:
        raise ValueError(f"{path}: {error}, or name another file to begin anew") from None
    _log.info("going on after epoch %d of %d, from %s", len(kept.epochs), options["epochs"], path)
    return kept
