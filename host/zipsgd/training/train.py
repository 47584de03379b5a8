"""Training: from a table to a model in the data's own units."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import BACKENDS, Backend, EpochSamples, RunConfig, build_for, open_backend
from zipsgd.data import Scaling, Table
from zipsgd.golden.loss import Step
from zipsgd.memory import default_memory
from zipsgd.model import Result
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC, MOST_DEGREE
from zipsgd.protocol.run import Flag
from zipsgd.rows import Rows, in_memory, walk
from zipsgd.training.checkpoint import Checkpoint, data_of, take_up
from zipsgd.training.epochs import EpochReport
from zipsgd.training.regulariser import Regulariser
from zipsgd.training.steps import check_schedule, default_step_size, factor

__all__ = ["LEVELS", "EpochReport", "Options", "Result", "Task", "about_run", "float_sgd", "prepare", "train"]

_Float = npt.NDArray[np.float64]

LEVELS = ("uniform", "optimal")


@dataclass(frozen=True)
class Options:
    """How to train.

    Parameters
    ----------
    base_bits : base planes p of a value.
    samples_per_value : independent quantisations m of a value, a plane each: 2 is double sampling, 1 the biased naive
        quantiser, 0 truncation; d + 1 for a loss whose derivative is a polynomial of degree d.
    batch_size : samples of a mini-batch.
    step_size : of the first epoch, for features in [-1, 1]; None for one that follows from the data, see
        :func:`zipsgd.training.steps.default_step_size`.
    schedule : how the step shrinks by epoch: of :data:`zipsgd.training.steps.SCHEDULES`, or a factor for each epoch, of which the last
        one goes on.
    epochs : passes over the data.
    seed : decides order, up bits and all rounding.
    one_sided : g = Q1 l'(z2) rather than the symmetric mean of both orders.
    fresh : draw the up bits afresh in each epoch, rather than once.
    levels : "uniform", or "optimal" for those of least variance (ZipML, section 3), which a device with a transcoder looks up;
        base_bits may then be 0, for two levels.
    level_bits : of an optimal level.
    shared_levels : the same optimal levels for all columns, rather than each its own.
    l2, l1, bound, radius : of :class:`zipsgd.training.regulariser.Regulariser`, for a device with a proximal step.

    Raises
    ------
    ValueError
        For what no build could do; what a build cannot do, :func:`train` finds.
    """

    base_bits: int = 2
    samples_per_value: int = 2
    batch_size: int = 16
    step_size: float | None = None
    schedule: str | Sequence[float] = "linear"
    epochs: int = 20
    seed: int = 0
    one_sided: bool = False
    fresh: bool = True
    levels: str = "uniform"
    level_bits: int = 8
    shared_levels: bool = False
    l2: float = 0.0
    l1: float = 0.0
    bound: float = 0.0
    radius: float = 0.0

    @property
    def regulariser(self) -> Regulariser:
        return Regulariser(self.l2, self.l1, self.bound, self.radius)

    @property
    def level_steps(self) -> int | None:
        """What :meth:`zipsgd.data.Scaling.fit` is told of the levels' grid."""
        return (1 << (self.level_bits - 1)) - 1 if self.levels == "optimal" else None

    def __post_init__(self) -> None:
        if self.levels not in LEVELS:
            raise ValueError(f"levels must be one of {', '.join(LEVELS)}, not {self.levels!r}")
        ranges = {
            "base_bits": (1, 8) if self.levels == "uniform" else (0, 4),
            "level_bits": (2, 8),
            "samples_per_value": (0 if self.base_bits else 1, MOST_DEGREE + 1),
            "batch_size": (1, 1 << 12),
            "epochs": (1, 1 << 32),
            "seed": (0, (1 << 64) - 1),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} must be in {low}..{high}, not {value}")
        _ = self.regulariser  # raises for what cannot be
        if not isinstance(self.schedule, str):
            object.__setattr__(self, "schedule", tuple(map(float, self.schedule)))
        check_schedule(self.schedule)
        if self.step_size is not None and not 0 < self.step_size < float("inf"):
            raise ValueError(f"step_size must be positive, not {self.step_size}")


def _order(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The epoch's sample order."""
    return np.random.default_rng((seed, epoch)).permutation(rows)


def step_sizes(
    options: Options, values: Rows, curvature: float = 1.0, loss_scale: float = 1.0
) -> list[float]:
    """Step size of each epoch. ``curvature``, ``loss_scale``: as of :func:`prepare`."""
    first = options.step_size
    if first is None:
        penalty = options.regulariser.scaled(loss_scale)
        first = default_step_size(
            values,
            options.batch_size,
            options.base_bits,
            options.samples_per_value,
            curvature,
            penalty.l2,
            penalty.l1,
        )
    return [first * factor(options.schedule, epoch, options.epochs) for epoch in range(options.epochs)]


def _mean_squared(values: Rows, labels: npt.NDArray[np.int16], model: _Float) -> float:
    total = sum(
        float(np.sum((block.astype(np.float64) @ model - labels[part] * 2.0**-LABEL_FRAC) ** 2))
        for part, block in walk(values)
    )
    return total / labels.size


def _fitting(rows: Rows, memory: int) -> Rows:
    """``rows`` as a float32 array if that takes ``memory`` bytes at most, else as they are."""
    return in_memory(rows) if 4 * rows.shape[0] * rows.shape[1] <= memory else rows


def float_sgd(table: Table, options: Options, *, memory: int | None = None) -> tuple[list[float], _Float]:
    """Full-precision SGD in float64 with the same order and steps, the yardstick of every comparison.

    ``memory``: as of :func:`train`. Returns the full-precision loss after each epoch and the model in scaled units.
    """
    from zipsgd.packing import shuffled  # numba takes a second to import

    memory = default_memory() if memory is None else memory
    scaling = Scaling.fit(table)
    values, labels = _fitting(scaling.rows(table.features), memory), scaling.labels(table.labels)
    target = labels * 2.0**-LABEL_FRAC
    model = np.zeros(values.shape[1])
    losses = []
    for epoch, size in enumerate(step_sizes(options, values)):
        order = _order(labels.size, options.seed, epoch)
        done = 0
        for samples in shuffled(values, order, memory=memory, size=options.batch_size):
            exact = samples.astype(np.float64)
            rows = order[done : done + options.batch_size]
            model -= size / options.batch_size * (exact.T @ (exact @ model - target[rows]))
            model = options.regulariser.apply(model, size)
            done += rows.size
        losses.append(_mean_squared(values, labels, model))
    return losses, model


@dataclass(frozen=True)
class Task:
    """A table made ready for a device.

    ``values``: float32, shape (rows, features), the table's columns and the intercept's, scaled to [-1, 1] times ``scale``: an
    array or, where that would take more than ``memory`` bytes, rows that are scaled when they are asked for. ``labels``: int16,
    shape (rows,) or (rows, heads). A model in scaled units is the device's times ``scale``. ``steps``: of each epoch, for the
    device's model.
    """

    options: Options
    scaling: Scaling
    scale: float
    values: Rows
    labels: npt.NDArray[np.int16]
    steps: list[Step]
    config: RunConfig
    memory: int

    def samples(self, epoch: int, order: npt.NDArray[np.int64] | None = None) -> EpochSamples:
        """What an epoch trains on, by its number from 0, in the order that seed and number decide, or in another one."""
        options = self.options
        return EpochSamples(
            self.values,
            self.labels,
            _order(len(self.labels), options.seed, epoch) if order is None else order,
            options.seed,
            epoch if options.fresh else 0,
            self.config.p,
            self.config.m,
            self.config.levels,
            self.memory,
        )

    def step_size(self, step: Step) -> float:
        """Of one of the steps, for features in [-1, 1], as the device rounded it."""
        return step.value * self.options.batch_size * self.scale**2

    def report_streaming(self, source: str, progress: Callable[[str], None]) -> None:
        """Say so if the values, which came from ``source``, are not held in memory."""
        if not isinstance(self.values, np.ndarray):
            progress(
                f"{source}: more than {self.memory / 1e6:,.0f} MB in memory, so that every epoch reads, scales and packs it "
                f"anew"
            )

    @property
    def parts(self) -> dict[str, Any]:
        """What a build must have for it, by the parameters of :func:`zipsgd.backends.build_for`."""
        config = self.config
        return {
            "batch": config.batch,
            "level_planes": None if config.levels is None else config.p,
            "hinge": config.loss.hinge,
            "polynomial": config.degree,
            "refetch": bool(config.refetch),
            "prox": config.prox,
            "ball": config.ball,
        }

    def build(self) -> Build:
        """A build to emulate or simulate that can do it."""
        return build_for(self.config.features, **self.parts)


def prepare(
    table: Table,
    options: Options,
    *,
    memory: int | None = None,
    scaling: Scaling | None = None,
    curvature: float = 1.0,
    loss_scale: float = 1.0,
) -> Task:
    """Scale the table and place its levels.

    ``memory``: as of :func:`train`. ``scaling``: one that encloses the table, by default its own. ``curvature``,
    ``loss_scale``: of :class:`zipsgd.training.objective.Objective`. Raises DataError, ValueError.
    """
    memory = default_memory() if memory is None else memory
    optimal = options.levels == "optimal"
    scaling = scaling or Scaling.fit(table, options.level_steps)
    sizes = step_sizes(options, scaling.rows(table.features), curvature, loss_scale)
    scale, levels = 1.0, None
    if optimal:
        from zipsgd.levels.placement import level_scale, level_table  # numba takes a second to import

        scale = level_scale(options.level_bits)
    values = _fitting(scaling.rows(table.features, scale), memory)
    if optimal:
        levels = level_table(values, options.base_bits, options.level_bits, shared=options.shared_levels)
    config = RunConfig(
        values.shape[1],
        options.base_bits,
        options.samples_per_value,
        options.batch_size,
        options.one_sided,
        levels,
        prox=options.regulariser.any,
        ball=options.radius > 0,
    )
    # On a model in scaled units, a step of the device counts scale^2 times: once in its gradient, once in its model
    steps = [Step.nearest(size / options.batch_size / scale**2) for size in sizes]
    return Task(options, scaling, scale, values, scaling.labels(table.labels), steps, config, memory)


def about_run(
    table: Table, options: Options, config: RunConfig, backend: Backend, reports: Sequence[EpochReport]
) -> dict[str, Any]:
    """Fields of :class:`zipsgd.model.Model` that do not depend on what was trained: what the run was, and what it cost.

    ``reports``: of all epochs.
    """
    cost = reduce(add, (report.result for report in reports))
    return {
        "loss": [report.loss for report in reports],
        "bits_per_value": config.p + config.m,
        "flags": [name for bit, name in Flag.NAMES.items() if reports[-1].result.flags & bit],
        "cycles": cost.cycles,
        "plane_cycles": cost.plane_cycles,
        "starved_cycles": cost.starved_cycles,
        "sample_bytes": cost.sample_bytes,
        "link_bytes": cost.link_bytes,
        "rows": table.labels.size,
        "columns": list(table.names),
        "label": table.label_name,
        "backend": backend.name,
        "build": backend.build.as_dict(),
        "options": asdict(options),
    }


def train(
    table: Table,
    options: Options | None = None,
    *,
    backend: str | Backend = "emulator",
    build: Build | None = None,
    baud: int = 0,
    trace: Path | None = None,
    memory: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    progress: Callable[[str], None] = lambda message: None,
    on_samples: Callable[[int, int], None] = lambda epoch, samples: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> Result:
    """Train a linear model by quantised SGD on least squares, with what regularisers the options name.

    Parameters
    ----------
    table : features and labels in their own units.
    options : default ``Options()``.
    backend : "emulator", "golden", "sim", a serial port or URL; or an open backend, which stays open.
    build, baud, trace, progress : of :func:`zipsgd.backends.open_backend`, for a backend by name; the default build has
        room for the data, and of a device is whatever is there. ``progress`` is also told of a set that is not held in memory.
    memory : bytes. A set that takes more, scaled, stays where it is, and each epoch reads, scales and packs it within so much
        memory. The bits do not depend on it. Default: :func:`zipsgd.memory.default_memory`.
    checkpoint : a file that keeps the run as it stands after each epoch. It must not be there yet, except to be resumed.
    resume : go on with the run in ``checkpoint``, on any backend, with the bits of a run that was never interrupted; from the
        beginning where there is no such file yet. The default build is then the run's.
    on_samples : told the epoch's number and how many of its samples have gone in.
    on_epoch : told of each epoch as it ends.

    Raises
    ------
    DataError, LimitError, ValueError
        Before anything is built or streamed: data, build or options that do not fit, or not the checkpoint; no checkpoint.
    DeviceError
        No device, a wrong one, or one that was lost.
    """
    if resume and checkpoint is None:
        raise ValueError("to resume a run, name its checkpoint (on the command line: --checkpoint FILE)")
    task = prepare(table, options or Options(), memory=memory)
    task.report_streaming(table.source, progress)
    path = None if checkpoint is None else Path(checkpoint)
    begun = Checkpoint(asdict(task.options), {})
    if path is not None:
        data = data_of(task.values, task.labels, task.steps, task.config.levels)
        begun = take_up(path, begun.options, data, resume=resume, progress=progress)
    with ExitStack() as opened:
        if isinstance(backend, str):
            if build is None and backend in BACKENDS:
                build = Build(**begun.build) if begun.build else task.build()
            if build is not None:  # before a virtual board is compiled
                task.config.check(build, table.labels.size)
                begun.check_build(build)
            backend = open_backend(backend, build, baud=baud, trace=trace, progress=progress)
            opened.callback(backend.close)
        return _train(table, task, backend, begun, path, on_samples, on_epoch)


def _train(
    table: Table,
    task: Task,
    backend: Backend,
    run: Checkpoint,
    path: Path | None,
    on_samples: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None],
) -> Result:
    """Train from where ``run`` stands, and keep it in ``path``."""
    options, config, values, labels = task.options, task.config, task.values, task.labels
    build = backend.build
    config.check(build, labels.size)
    run.check_build(build)
    model_words = np.array(run.model_words or [0] * config.features, dtype=np.int64)
    backend.begin(config, model_words, options.seed, len(run.epochs))
    unit = config.loss_unit(build) / labels.size
    reports = list(run.epochs)
    before = sum(report.seconds for report in reports)
    begun = time.perf_counter()
    for epoch in range(len(reports), options.epochs):
        start = time.perf_counter()
        step = task.steps[epoch]
        step = replace(step, prox=options.regulariser.prox(task.step_size(step), task.scale, build))
        result = backend.epoch(task.samples(epoch), step, partial(on_samples, epoch + 1))
        result = replace(result, flags=result.flags | run.flags)  # a backend knows of what it did itself
        report = EpochReport(epoch + 1, result.loss_sum * unit, time.perf_counter() - start, result)
        reports.append(report)
        if path is not None:
            done = replace(run, build=build.as_dict(), model_words=backend.model().tolist(), epochs=reports)
            done.save(path)
        on_epoch(report)
    seconds = before + time.perf_counter() - begun
    words = backend.model()
    model: _Float = words * np.float64(2.0**-build.model_frac)
    coef, intercept = task.scaling.coefficients(model * task.scale)
    return Result(
        **about_run(table, options, config, backend, reports),
        final_loss=_mean_squared(values, labels, model),
        coef=coef.tolist(),
        intercept=intercept,
        model_words=words.tolist(),
        seconds=seconds,
        step_sizes=[task.step_size(step) for step in task.steps],
    )
