"""Training: from a table to a model in the data's own units."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.backends import Backend, EpochResult, EpochSamples, RunConfig, open_backend
from zipsgd.data import DataError, Scaling, Table
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import LABEL_FRAC, Flag

__all__ = ["SCHEDULES", "EpochReport", "Options", "Result", "float_sgd", "load_model", "train"]

_Float = npt.NDArray[np.float64]

SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "linear": lambda epoch, epochs: 1 - epoch / epochs,
    "constant": lambda epoch, epochs: 1.0,
    "sqrt": lambda epoch, epochs: (1 + epoch) ** -0.5,
    "inverse": lambda epoch, epochs: 1 / (1 + epoch),
}
"""Step size of an epoch over that of the first, by name."""


@dataclass(frozen=True)
class Options:
    """How to train. See ``zipsgd train --help`` for each."""

    base_bits: int = 2
    samples_per_value: int = 2
    batch_size: int = 16
    step_size: float | None = None
    schedule: str = "linear"
    epochs: int = 20
    seed: int = 0
    one_sided: bool = False
    fresh: bool = True

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, not {self.schedule!r}")
        if self.step_size is not None and not 0 < self.step_size < float("inf"):
            raise ValueError(f"step size must be positive, not {self.step_size}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, not {self.seed}")


@dataclass(frozen=True)
class EpochReport:
    """One epoch: number from 1, mean squared residual as the device saw it while training, and what it cost."""

    number: int
    loss: float
    seconds: float
    result: EpochResult


@dataclass
class Result:
    """A trained model.

    ``loss``: per epoch, mean squared residual while training, in the label's scaled units. ``final_loss``: the same of the
    final model on the unquantised set. ``coef`` and ``intercept``: in the data's units. ``model_words``: the device's integers,
    the intercept's last. ``bits_per_value``: streamed. ``cycles``, ``plane_cycles``, ``sample_bytes``, ``link_bytes``: of all
    epochs, None where there are none.
    """

    loss: list[float]
    final_loss: float
    coef: list[float]
    intercept: float
    model_words: list[int]
    bits_per_value: int
    flags: list[str]
    cycles: int | None
    plane_cycles: int | None
    sample_bytes: int | None
    link_bytes: int | None
    seconds: float
    step_sizes: list[float]
    columns: list[str]
    backend: str
    build: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)

    def predict(self, features: npt.NDArray[np.floating]) -> _Float:
        """Predictions in the data's units, shape (rows,), for features of shape (rows, columns)."""
        if features.ndim != 2 or features.shape[1] != len(self.coef):
            raise DataError(
                f"the model takes {len(self.coef)} columns, and the data have shape {features.shape}"
            )
        predicted: _Float = features @ np.array(self.coef) + self.intercept
        return predicted

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write the model as JSON: data only, nothing in it runs."""
        path.write_text(json.dumps({"format": "zipsgd model 1", **self.as_dict()}, indent=1) + "\n")


def load_model(path: Path) -> Result:
    """A model that :meth:`Result.save` wrote. Raises :class:`DataError` for anything else."""
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict) or content.pop("format", None) != "zipsgd model 1":
            raise ValueError("it does not say it is one")
        result = Result(**content)
        if not all(isinstance(value, float | int) for value in (*result.coef, result.intercept)):
            raise ValueError("its coefficients are not numbers")
    except FileNotFoundError:
        raise DataError(f"no model file {path}") from None
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no model of 'zipsgd train --save': {error}") from None
    return result


def _order(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The epoch's sample order."""
    return np.random.default_rng((seed, epoch)).permutation(rows)


def default_step_size(values: npt.NDArray[np.float32]) -> float:
    """A quarter of the inverse of a sample's mean squared length, at most 0.1.

    Least squares by SGD is stable up to about twice that inverse; up bits lengthen a sample, so there is room to spare.
    """
    return min(0.1, 0.25 / float(np.einsum("ij,ij->i", values, values, dtype=np.float64).mean()))


def step_sizes(options: Options, values: npt.NDArray[np.float32]) -> list[float]:
    """Step size of each epoch."""
    first = options.step_size if options.step_size is not None else default_step_size(values)
    return [first * SCHEDULES[options.schedule](epoch, options.epochs) for epoch in range(options.epochs)]


def _mean_squared(values: npt.NDArray[np.float32], labels: npt.NDArray[np.int16], model: _Float) -> float:
    return float(np.mean((values.astype(np.float64) @ model - labels * 2.0**-LABEL_FRAC) ** 2))


def float_sgd(table: Table, options: Options) -> tuple[list[float], _Float]:
    """Full-precision SGD in float64 with the same scaling, order and steps, the yardstick of every comparison.

    Returns the full-precision loss after each epoch and the model in scaled units.
    """
    scaling = Scaling.fit(table)
    values, labels = scaling.features(table.features), scaling.labels(table.labels)
    exact, target = values.astype(np.float64), labels * 2.0**-LABEL_FRAC
    model = np.zeros(values.shape[1])
    losses = []
    for epoch, size in enumerate(step_sizes(options, values)):
        order = _order(labels.size, options.seed, epoch)
        for start in range(0, order.size, options.batch_size):
            rows = order[start : start + options.batch_size]
            model -= size / options.batch_size * (exact[rows].T @ (exact[rows] @ model - target[rows]))
        losses.append(_mean_squared(values, labels, model))
    return losses, model


def train(
    table: Table,
    options: Options | None = None,
    *,
    backend: str | Backend = "emulator",
    on_samples: Callable[[int, int], None] = lambda epoch, samples: None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> Result:
    """Train a linear model by quantised SGD on least squares.

    Parameters
    ----------
    table : features and labels in their own units.
    options : default ``Options()``.
    backend : "emulator", "golden", "sim", a serial port or URL; or an open backend, which stays open.
    on_samples : told the epoch's number and how many of its samples have gone in.
    on_epoch : told of each epoch as it ends.

    Raises
    ------
    DataError, LimitError, ValueError
        Before anything is streamed: data, build or options that do not fit.
    DeviceError
        The device was lost.
    """
    options = options or Options()
    scaling = Scaling.fit(table)
    values, labels = scaling.features(table.features), scaling.labels(table.labels)
    sizes = step_sizes(options, values)
    steps = [Step.nearest(size / options.batch_size) for size in sizes]
    used = open_backend(backend) if isinstance(backend, str) else backend
    try:
        return _train(table, options, used, scaling, values, labels, sizes, steps, on_samples, on_epoch)
    finally:
        if used is not backend:
            used.close()


def _train(
    table: Table,
    options: Options,
    backend: Backend,
    scaling: Scaling,
    values: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int16],
    sizes: list[float],
    steps: list[Step],
    on_samples: Callable[[int, int], None],
    on_epoch: Callable[[EpochReport], None],
) -> Result:
    build = backend.build
    config = RunConfig(
        values.shape[1], options.base_bits, options.samples_per_value, options.batch_size, options.one_sided
    )
    backend.begin(config, np.zeros(values.shape[1], dtype=np.int64), options.seed)
    unit = 2.0 ** (-2 * build.residual_frac) / labels.size
    reports = []
    begun = time.perf_counter()
    for epoch, step in enumerate(steps):
        samples = EpochSamples(
            values,
            labels,
            _order(labels.size, options.seed, epoch),
            options.seed,
            epoch if options.fresh else 0,
            config.p,
            config.m,
        )
        start = time.perf_counter()
        result = backend.epoch(samples, step, partial(on_samples, epoch + 1))
        report = EpochReport(epoch + 1, result.loss_sum * unit, time.perf_counter() - start, result)
        reports.append(report)
        on_epoch(report)
    words = backend.model()
    model: _Float = words * np.float64(2.0**-build.model_frac)
    coef, intercept = scaling.coefficients(model)

    def total(name: str) -> int | None:
        counts = [getattr(report.result, name) for report in reports]
        return None if None in counts else sum(counts)

    flags = reports[-1].result.flags
    return Result(
        loss=[report.loss for report in reports],
        final_loss=_mean_squared(values, labels, model),
        coef=coef.tolist(),
        intercept=intercept,
        model_words=words.tolist(),
        bits_per_value=config.p + config.m,
        flags=[name for bit, name in Flag.NAMES.items() if flags & bit],
        cycles=total("cycles"),
        plane_cycles=total("plane_cycles"),
        sample_bytes=total("sample_bytes"),
        link_bytes=total("link_bytes"),
        seconds=time.perf_counter() - begun,
        step_sizes=[step.value * options.batch_size for step in steps],
        columns=list(table.names),
        backend=type(backend).__name__.removesuffix("Backend").lower(),
        build=build.as_dict(),
        options=asdict(options),
    )
