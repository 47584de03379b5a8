"""Make runs go wrong on every interface, and count those that nobody is warned of; and false alarms of healthy runs.

A run has gone wrong if its model's exact loss on the training rows is more than twice that of the defaults. It must give a
warning: in Python, on the command line and in the estimators. Runs with the defaults must give none.
"""

import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from zipsgd import ConvergenceWarning
from zipsgd.backends import BackendOptions
from zipsgd.cli.main import main
from zipsgd.data import SETS, Table, load_set
from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd.training.api import train
from zipsgd.training.measuring import measure
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare
from zipsgd.training.task import Task

from .hard_sets import departures
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "false_alarms", "provoked", "run"]

PROVOKED = ("synthetic100", "cadata", "cpusmall", "departures", "digits")
"""Sets whose runs are made to go wrong."""
DEPARTURES = 50_000
"""Rows of the set of that name."""
HEALTHY = (
    "cadata",
    "cpusmall",
    "synthetic10",
    "synthetic100",
    "diabetes",
    "breast_cancer",
    "digits",
    "mnist49",
    "mnist5k",
)
"""Sets that are trained on with the defaults."""
SEEDS = (0, 1, 2, 3, 4)
BASE_BITS = (1, 2)
WRONG = 2.0
"""Ratio of the losses from which on a run has gone wrong."""
RECIPES: dict[str, dict[str, Any]] = {
    "step x 10": {"factor": 10},
    "step x 100": {"factor": 100},
    "step x 10, constant": {"factor": 10, "schedule": "constant"},
    "step x 100, constant": {"factor": 100, "schedule": "constant"},
    "step x 100, constant, last model": {"factor": 100, "schedule": "constant", "keep": "last"},
    "step x 30, 3 bits": {"factor": 30, "schedule": "constant", "base_bits": 1},
    "single samples": {"factor": 1e9, "batch_size": 1, "schedule": "constant"},
    "naive, 2 bits": {"base_bits": 1, "estimator": "naive"},
    "L1 of 10": {"l1": 10.0},
    "narrow build": {"factor": 10, "schedule": "constant", "narrow": True},
}
"""How runs are made to go wrong: options, and the factor of the automatic step, as far as the device can take it."""
NARROW = {"q3_bits": 6, "delta_bits": 8, "gradient_bits": 8}
"""The narrowest widths of a build."""
_MOST = 0.99
"""Largest step that a device can take, divided by the mini-batch."""


def _table(name: str) -> tuple[Table, bool]:
    """A set, and whether its labels are classes."""
    return (departures(DEPARTURES), False) if name == "departures" else (load_set(name), SETS[name].classes)


def _loss(task: Task, coef: Any, intercept: Any) -> float:
    """Exact loss of models in the data's units, on the training rows of a task."""
    pairs = zip(np.atleast_2d(coef), np.atleast_1d(intercept), task.scalings, strict=True)
    models = np.stack([scaling.model(head, float(constant)) for head, constant, scaling in pairs])
    return measure(task, task.exact_values(), models, task.labels, task.numbers).loss


def _by_train(task: Task, build: Build) -> tuple[float, bool]:
    """Loss, and whether there is a warning, of :func:`zipsgd.train`."""
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        result = train(task.table, options=task.options, backend=BackendOptions("emulator", build))
    return result.final_loss, any(issubclass(each.category, ConvergenceWarning) for each in raised)


def _by_command(task: Task, build: Build) -> tuple[float, bool]:
    """Loss, and whether there is a warning, of ``zipsgd train``."""
    given = {
        name: value for name, value in task.options.as_dict().items() if value != getattr(Options(), name)
    }
    words = ["--classify"] if given.pop("classify", False) else []
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as printed:
        paths = [Path(folder) / name for name in ("rows.npz", "build.json", "run.json")]
        np.savez(paths[0], X=task.table.features[slice(None)], y=task.table.labels)
        paths[1].write_text(json.dumps({"build": build.as_dict()}))
        with contextlib.redirect_stderr(io.StringIO()):
            status = main(["train", str(paths[0]), *words, "--build", str(paths[1]), "--json", str(paths[2])])
        if status:
            raise RuntimeError(f"zipsgd train {' '.join(words)} ended with status {status}")
        loss = json.loads(paths[2].read_text())["final_loss"]
    return loss, "\nwarning: " in printed.getvalue()


def _by_estimator(task: Task, build: Build) -> tuple[float, bool]:
    """Loss, and whether there is a warning, of an estimator."""
    with extra("sklearn", "this bench"):
        from sklearn.exceptions import ConvergenceWarning as SklearnWarning

    from zipsgd.estimators import ZipClassifier, ZipRegressor

    options = task.options
    chosen: dict[str, Any] = {
        "base_bits": options.base_bits,
        "estimator": options.estimator,
        "batch_size": options.batch_size,
        "step_size": "auto" if options.step_size is None else options.step_size,
        "schedule": options.schedule,
        "keep": options.keep,
        "penalty": "l1" if options.l1 else None,
        "alpha": options.l1,
        "backend": BackendOptions("emulator", build),
        "random_state": options.seed,
    }
    # Without calibration, coef_ holds the models whose loss is compared
    estimator = ZipClassifier(**chosen, calibrate=False) if options.classify else ZipRegressor(**chosen)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        estimator.fit(task.table.features[slice(None)], task.table.labels)
    warned = any(issubclass(each.category, SklearnWarning) for each in raised)
    return _loss(task, estimator.coef_, estimator.intercept_), warned


INTERFACES = {"train": _by_train, "command": _by_command, "estimator": _by_estimator}


def _task(table: Table, classes: bool, recipe: dict[str, Any]) -> tuple[Task, Build]:
    """A task that is made to go wrong, and the build for it."""
    words = {name: value for name, value in recipe.items() if name not in ("factor", "narrow")}
    options = Options(classify=classes, **words)
    task = prepare(table, options=options)
    if "factor" in recipe:
        size = min(recipe["factor"] * task.step_sizes[0], _MOST * options.batch_size)
        task = prepare(table, options=replace(options, step_size=size))
    build = task.build()
    return task, replace(build, **NARROW) if recipe.get("narrow") else build


def provoked(name: str) -> Iterator[dict[str, Any]]:
    """Make the runs on one set go wrong in every way, on every interface.

    Parameters
    ----------
    name : str
        Name of the set.

    Yields
    ------
    dict[str, Any]
        A row for each recipe: for each interface the ratio of the losses, and whether the run was warned of.
    """
    table, classes = _table(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = train(table, classify=classes).final_loss
    for recipe, words in RECIPES.items():
        task, build = _task(table, classes, words)
        row: dict[str, Any] = {"set": name, "recipe": recipe}
        for interface, call in INTERFACES.items():
            loss, warned = call(task, build)
            row |= {f"{interface}: loss": loss / reference, f"{interface}: warned": warned}
        silent = [each for each in INTERFACES if row[f"{each}: loss"] > WRONG and not row[f"{each}: warned"]]
        yield {**row, "met": not silent}


def false_alarms(name: str) -> dict[str, Any]:
    """Train on one set with the defaults.

    Parameters
    ----------
    name : str
        Name of the set.

    Returns
    -------
    dict[str, Any]
        A row: the number of runs and of warnings, and what they say.
    """
    table, classes = _table(name)
    said: set[str] = set()
    alarms = 0
    for base_bits in BASE_BITS:
        for seed in SEEDS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                result = train(table, classify=classes, base_bits=base_bits, seed=seed)
            alarms += bool(result.warnings)
            said.update(finding.kind for finding in result.warnings)
    return {
        "set": name,
        "runs": len(BASE_BITS) * len(SEEDS),
        "false alarms": alarms,
        "kinds": " ".join(sorted(said)),
        "met": not alarms,
    }


def run() -> Result:
    """Provoke what goes wrong, and count false alarms.

    Returns
    -------
    Result
        The result of the bench.
    """
    rows: list[dict[str, Any]] = []
    with Steps(len(PROVOKED) + len(HEALTHY)) as steps:
        for name in PROVOKED:
            steps.next(f"{name}: runs that go wrong")
            rows += provoked(name)
        healthy = []
        for name in HEALTHY:
            steps.next(f"{name}: the defaults")
            healthy.append(false_alarms(name))
    wrong = [
        (row[f"{each}: loss"], row[f"{each}: warned"])
        for row in rows
        for each in INTERFACES
        if row[f"{each}: loss"] > WRONG
    ]
    return {
        "goal": f"every run whose loss is more than {WRONG:g} times that of the defaults is warned of, on every interface; no "
        f"run with the defaults is, over {len(SEEDS)} seeds",
        "met": all(row["met"] for row in rows + healthy),
        "seeds": list(SEEDS),
        "runs": len(rows) * len(INTERFACES),
        "gone wrong": len(wrong),
        "of these warned of": sum(warned for _, warned in wrong),
        "rows": rows,
        "healthy": healthy,
    }


BENCH = Bench("guard", "warnings of runs that go wrong, and false alarms of healthy ones", run)
