"""A run on disk, as it stands after an epoch: what it takes to go on with it, bit for bit.

An epoch depends on the model it begins with, on its number, and on what the run is of: options, data, and the widths of the
build. So these are what a file holds, beside what there is to report of the epochs before.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import EpochResult
from zipsgd.data import DataError
from zipsgd.golden.levels import LevelTable
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.rows import Rows, iterate_blocks

from .epochs import EpochReport

__all__ = ["Checkpoint", "data_of", "load_checkpoint", "take_up"]

_FORMAT = "zipsgd checkpoint 2"
_COUNTED = tuple(field.name for field in fields(EpochResult))
_DECISIVE = ("lanes", "update_lanes", "p_max", "model_bits", "q3_bits", "delta_bits", "gradient_bits")
"""What of a build decides a run's bits. The rest decides whether it can do the run."""


@dataclass(frozen=True)
class Checkpoint:
    """A run after some epochs.

    Parameters
    ----------
    options : of the run, by name.
    data : of :func:`data_of`.
    build : parameters of the one it ran on, by name; none before the first epoch.
    model_words : the master model.
    epochs : those that are over.
    """

    options: dict[str, Any]
    data: dict[str, Any]
    build: dict[str, Any] = field(default_factory=dict)
    model_words: list[int] = field(default_factory=list)
    epochs: list[EpochReport] = field(default_factory=list)

    @property
    def flags(self) -> int:
        """Sticky overflow flags of the run so far."""
        return self.epochs[-1].result.flags if self.epochs else 0

    def save(self, path: Path) -> None:
        """Write it as JSON, data only. At any moment ``path`` holds the whole of this or of what was there before."""
        results = [report.result for report in self.epochs]
        run = {
            "options": self.options,
            "data": self.data,
            "build": self.build,
            "model_words": self.model_words,
            "loss": [report.loss for report in self.epochs],
            "seconds": [report.seconds for report in self.epochs],
            "results": {name: [getattr(result, name) for result in results] for name in _COUNTED},
        }
        text = json.dumps(run, sort_keys=True)
        part = path.with_name(path.name + ".part")
        with part.open("w") as file:
            file.write(f'{{"format": "{_FORMAT}", "sha256": "{_digest(text)}",\n"run": {text}}}\n')
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)

    def check_build(self, build: Build) -> None:
        """Raises ValueError if ``build`` would go on with other bits than the one that the run was begun on."""
        if self.build:
            cure = "go on with a build that has the same ones"
            _compare("a build with", self.build, build.as_dict(), _DECISIVE, cure)


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


def data_of(
    values: Rows, labels: npt.NDArray[np.int16], steps: list[Step], levels: LevelTable | None
) -> dict[str, Any]:
    """The size of what a device is given to train on, and a fingerprint of it all.

    ``values``: scaled, shape (rows, features); ``labels``: shape (rows,); ``steps``: of each epoch.
    """
    digest = hashlib.sha256()
    for _, block in iterate_blocks(values):
        digest.update(block.astype("<f4", copy=False).tobytes())
    digest.update(labels.astype("<i2", copy=False).tobytes())
    digest.update(repr([(step.mantissa, step.exponent) for step in steps]).encode())
    if levels is not None:
        digest.update(levels.values.astype("<i2", copy=False).tobytes())
    rows, features = values.shape
    return {"rows": rows, "features": features, "sha256": digest.hexdigest()}


def load_checkpoint(path: Path) -> Checkpoint:
    """What :meth:`Checkpoint.save` wrote. Raises :class:`DataError` for anything else."""
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(f"it does not say that it is a {_FORMAT!r}")
        run = content["run"]
        if content["sha256"] != _digest(json.dumps(run, sort_keys=True)):
            raise ValueError("it was damaged or changed, as its checksum says")
        columns = zip(*(run["results"][name] for name in _COUNTED), strict=True)
        results = [EpochResult(*row) for row in columns]
        epochs = map(EpochReport, range(1, len(results) + 1), run["loss"], run["seconds"], results)
        return Checkpoint(run["options"], run["data"], run["build"], run["model_words"], list(epochs))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is no checkpoint of 'zipsgd train --checkpoint' ({error}): name another file, or begin anew without "
            f"--resume"
        ) from None


def take_up(
    path: Path,
    options: dict[str, Any],
    data: dict[str, Any],
    *,
    resume: bool,
    progress: Callable[[str], None],
) -> Checkpoint:
    """The run that ``path`` holds or, where there is no such file yet, one at its beginning.

    Parameters
    ----------
    options, data : of the run.
    resume : to go on with a run; else there must be no such file, so that none is lost.
    progress : is told where the run begins.

    Raises
    ------
    ValueError
        The file is there and is not to be resumed, or holds another run.
    DataError
        It is no checkpoint.
    """
    if not path.exists():
        if resume:
            progress(f"no checkpoint {path} yet: beginning with the first epoch")
        return Checkpoint(options, data)
    if not resume:
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
    progress(f"going on after epoch {len(kept.epochs)} of {options['epochs']}, from {path}")
    return kept
