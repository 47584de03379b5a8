"""Training on raw words that a device quantises itself, against training on values that the host quantised."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zipsgd.data import Converter, Table
from zipsgd.emulator import Emulator
from zipsgd.golden.device_quantiser import DeviceQuantiser, quantiser_seeds
from zipsgd.golden.diagonal import Diagonal
from zipsgd.golden.scale_table import ScaleTable
from zipsgd.protocol.numbers import LABEL_FRAC
from zipsgd.protocol.raw_words import value_frac
from zipsgd.training.api import train_task
from zipsgd.training.measuring import measure
from zipsgd.training.options import Options
from zipsgd.training.preparation import prepare
from zipsgd.training.rounding_noise import rounding_variance
from zipsgd.training.task import Task

from .few_bits import seeded

__all__ = ["compare", "device_loss"]

_Float = npt.NDArray[np.float64]
_Int = npt.NDArray[np.int64]


def converted(table: Table, raw_bits: int) -> tuple[Converter, _Int]:
    """Columns and labels as words of converters whose ranges are those of the columns.

    Parameters
    ----------
    table : Table
        The rows.
    raw_bits : int
        Bits of a word.

    Returns
    -------
    converter : Converter
        The converters.
    words : npt.NDArray[np.int64] of shape (rows, columns + 1)
        Raw words.
    """
    values = np.column_stack([np.asarray(table.features[:], dtype=np.float64), table.labels])
    converter = Converter.of_ranges(values.min(axis=0), values.max(axis=0), raw_bits)
    return converter, converter.words(values)


def with_diagonal(task: Task, scales: ScaleTable, words: _Int) -> Task:
    """The task with the diagonal of the values as the device scales them, where it has one."""
    if task.config.diagonal is None:
        return task
    values = scales.scaled(words)[0][:, :-1] / (1 << value_frac(scales.raw_bits))
    whole = np.column_stack([values, np.ones(len(values))])
    diagonal = Diagonal.nearest(rounding_variance(whole, task.config.p))
    return replace(task, config=replace(task.config, diagonal=diagonal))


def device_loss(task: Task, converter: Converter, words: _Int) -> tuple[float, int]:
    """Train on words that come to the device in the order of the task's rows.

    Parameters
    ----------
    task : Task
        Data and options, from :func:`zipsgd.prepare`; steps and order are taken from it.
    converter : Converter
        What the words stand for.
    words : npt.NDArray[np.int64] of shape (rows, columns + 1)
        Raw words of the rows.

    Returns
    -------
    loss : float
        Loss of the final model on the rows as they are, in the scaled units of the task.
    saturated : int
        Values and labels that the device saturated.
    """
    scales = converter.table(task.scalings[0])
    task = with_diagonal(task, scales, words)
    config, seed, build = task.config, task.options.seed, task.build()
    quantiser = DeviceQuantiser(scales, config.p, config.m, seeds=quantiser_seeds(seed))
    emulator = Emulator(build, np.zeros(config.features, dtype=np.int64), config, seed=seed)
    for epoch in range(task.options.epochs):
        emulator.start_epoch(epoch)
        emulator.epoch_codes(quantiser.quantise(words[task.order(epoch)]), task.step(epoch, build, epoch))
    model = np.ldexp(emulator.master.astype(np.float64), -build.model_frac)
    coef, intercept = converter.scaling(scales).coefficients(model)
    scaled = task.scalings[0].model(coef, intercept)
    return measure(task, task.exact_values(), scaled[None], task.labels).loss, quantiser.saturated


def _optimum(task: Task) -> float:
    """The loss of least squares in float64."""
    values = np.asarray(task.exact_values()[:], dtype=np.float64)
    model = np.linalg.lstsq(values, task.labels[:, 0] * 2.0**-LABEL_FRAC)[0]
    return measure(task, task.exact_values(), model[None], task.labels).loss


def compare(
    table: Table,
    options: Options,
    runs: Sequence[tuple[str, int]],
    raw_bits: Sequence[int],
    seeds: Sequence[int],
    begin: Callable[[str], None] = lambda what: None,
) -> list[dict[str, Any]]:
    """Compare final losses.

    Parameters
    ----------
    table : Table
        Features and labels.
    options : Options
        Options of every run; seed, estimator and bits are replaced.
    runs : sequence of (str, int)
        Estimators and bits a value.
    raw_bits : sequence of int
        Bits of the raw words.
    seeds : sequence of int
        Seeds of the runs.
    begin : Callable[[str], None]
        Called before each estimator.

    Returns
    -------
    list of dict of str to Any
        A row for each estimator and width of the words, with medians over the seeds.
    """
    rows = []
    for estimator, bits in runs:
        begin(f"{table.source}: {estimator}, {bits} bits")
        task = prepare(table, options=replace(options, estimator=estimator, bits=bits))
        tasks = seeded(task, seeds)
        host = [train_task(each).exact_losses[-1] for each in tasks]
        optimum = _optimum(task)
        for width in raw_bits:
            converter, words = converted(task.table, width)
            found = [device_loss(each, converter, words) for each in tasks]
            losses = [loss for loss, _ in found]
            ratios = [device / other for device, other in zip(losses, host, strict=True)]
            rows.append(
                {
                    "set": table.source,
                    "estimator": estimator,
                    "bits a value": bits,
                    "bits of a raw word": width,
                    "host over least squares": statistics.median(host) / optimum,
                    "device over least squares": statistics.median(losses) / optimum,
                    "device over host": statistics.median(ratios),
                    "lowest": min(ratios),
                    "highest": max(ratios),
                    "saturated": max(saturated for _, saturated in found),
                }
            )
    return rows
