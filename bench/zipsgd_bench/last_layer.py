"""The last layer of a network, trained on the device: ten heads on the features of a frozen network with few levels.

cifar10_quick with five optimal levels is trained as by the bench ``vision``, in the same folder, or found there. Its features
are the inputs of the last linear layer, and of the one before. A second network is trained on eight of the ten classes, and
heads for all ten on its features. Loss, mini-batch and scaling are chosen on training rows that are held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import zipsgd
from zipsgd.backends import BackendOptions
from zipsgd.data.sets import cifar10_images
from zipsgd.extras import need
from zipsgd.protocol.formats import Build
from zipsgd.training.options import Options
from zipsgd_hw.boards.catalogue import BOARDS
from zipsgd_hw.boards.memories import Sdram

from .few_bits import quiet
from .last_layer_figure import plot
from .last_layer_runs import CHOICES, LAYERS, Choice, Kept, Study, few_classes, float_head, study_of
from .progress import Steps
from .registry import Bench, Result
from .simulated import sdram_of, simulated
from .vision import FOLDER, METHODS

if TYPE_CHECKING:
    from .vision_images import Images
    from .vision_settings import Settings

__all__ = ["BENCH", "BOARD_RUNS", "BoardRun", "on_board", "run"]

_Row = dict[str, Any]

NETWORK = "5 optimal"
SEED = 0
BITS = (2, 3, 4)
KINDS = (("even", "each epoch"), ("even", "once"), ("optimal", "each epoch"), ("optimal", "once"))
"""Levels, and when values are rounded: in each epoch, or once as for a board's store."""
NEAR = 0.5
"""Largest distance of the accuracy from that of heads in floating point, in points."""
OLD = 8
"""Classes that the second network knows."""
PREDICTION_BITS = 8
ULX3S = BOARDS["ulx3s-85f-store"]
_UART_BITS = 10


@dataclass(frozen=True)
class BoardRun:
    """A run on the virtual board.

    Parameters
    ----------
    layer : str
        The layer whose inputs are the features.
    bits, epochs : int
        Bits of a value, and passes over the rows.
    rows : int
        Training rows to take, the first ones.
    """

    layer: str
    bits: int
    epochs: int
    rows: int = 50_000


BOARD_RUNS = (BoardRun("11", 3, 2), BoardRun("11", 4, 1), BoardRun("10", 3, 1, 10_000))


def _fitting(choices: Sequence[Choice], bits: int) -> list[Choice]:
    return [choice for choice in choices if choice.least_bits <= bits]


@dataclass(frozen=True, eq=False)
class _Course:
    """What is trained on each set of features, and what has been found before."""

    bits: Sequence[int]
    choices: Sequence[Choice]
    epochs: int
    steps: Steps
    kept: Kept

    def in_float(self, study: Study) -> _Row:
        """A head in floating point."""
        self.steps.next(f"{study.columns} features in floating point")

        def measure() -> _Row:
            predict, penalty = float_head(study)
            return {
                "features": study.columns,
                "head": "softmax regression",
                "penalty": penalty,
                **study.accuracies(predict, OLD),
            }

        row: _Row = self.kept(f"{study.mark} in floating point", measure)
        return row

    def chosen(self, study: Study, bits: int) -> tuple[Choice, float]:
        """The choice of the best accuracy on the rows held out, and that accuracy. Levels are even, and drawn in each epoch."""
        found: dict[Choice, float] = {}
        for choice in _fitting(self.choices, bits):
            self.steps.next(f"{study.columns} features, {bits} bits, held out: {choice}")

            def measure(choice: Choice = choice) -> float:
                result = choice.train(study, bits, part="chosen by", epochs=self.epochs)
                return study.accuracy(result.predict, "held out")

            told = f"{study.mark}, {bits} bits, {self.epochs} epochs, held out: {choice}"
            found[choice] = self.kept(told, measure)
        best = max(found, key=lambda choice: found[choice])
        return best, found[best]

    def trained(self, study: Study, choice: Choice, bits: int, levels: str, draws: str) -> _Row:
        """Heads at few bits."""
        told = f"{bits} bits, {levels} levels, drawn {draws}, {choice}"
        self.steps.next(f"{study.columns} features, {told}")

        def measure() -> _Row:
            kind = {"even": "uniform"}.get(levels, levels)
            result = choice.train(study, bits, epochs=self.epochs, levels=kind, resident=draws == "once")
            sent = 1 if draws == "once" else self.epochs
            size = result.sample_bytes / (result.rows * sent)
            device = zipsgd.predict(result, study.test, bits=PREDICTION_BITS).predictions
            return {
                "features": study.columns,
                "bits": bits,
                "levels": levels,
                "draws": draws,
                "loss": choice.loss,
                "mini-batch": choice.batch_size,
                "scaling": choice.scaling,
                "estimator": result.options["estimator"],
                **study.accuracies(result.predict, OLD),
                f"test on the device at {PREDICTION_BITS} bits, %": study.accuracy(lambda _: device),
                "bytes an image": size,
                "times fewer than float32": 4 * study.columns / size,
                "bytes of the run": result.sample_bytes,
                "warnings": ", ".join(each.kind for each in result.warnings) or None,
            }

        row: _Row = self.kept(f"{study.mark}, {self.epochs} epochs, {told}", measure)
        return row

    def heads(self, study: Study, best: float) -> tuple[list[_Row], dict[int, Choice]]:
        """Heads at few bits beside the accuracy of ``best``, by default and by the best choice; and the choices by bits."""
        rows, chosen = [], {}
        for bits in self.bits:
            chosen[bits], held = self.chosen(study, bits)
            for settings, choice, kinds in (
                ("default", Choice(), KINDS[:2]),
                ("chosen", chosen[bits], KINDS),
            ):
                for levels, draws in kinds:
                    row = self.trained(study, choice, bits, levels, draws)
                    told = {"below float": best - row["test, %"], "settings": settings}
                    rows.append({**row, **told, "held out, %": held if settings == "chosen" else None})
        return rows, chosen


def on_board(
    study: Study, choice: Choice, plan: BoardRun, build: Build, chip: Sdram | None, steps: Steps
) -> _Row:
    """Train on the virtual board with samples in its store, and compare with the emulator.

    Parameters
    ----------
    study : Study
        The features.
    choice : Choice
        Settings of the run.
    plan : BoardRun
        What to train.
    build : Build
        The board's build, with a store.
    chip : Sdram or None
        Its chip of SDRAM; None for a store in block RAM.
    steps : Steps
        Progress.

    Returns
    -------
    dict
        Cycles and bytes, and words of the models that differ from the emulator's.
    """
    steps.next(f"{study.columns} features at {plan.bits} bits on the virtual board")
    part = study.first(plan.rows)
    options: _Row = {"epochs": plan.epochs, "resident": True}
    with simulated(build, sdram=chip, patience=60, note=steps.note) as (_, device):
        reports: list[Any] = []
        result = choice.train(part, plan.bits, backend=device, callbacks=[reports.append], **options)
    same = choice.train(part, plan.bits, backend=BackendOptions("emulator", build), **options)
    words, expected = np.array(result.model_words), np.array(same.model_words)
    cycles = reports[-1].result.cycles
    link = ULX3S.link
    return {
        "features": study.columns,
        "bits": plan.bits,
        "rows": len(part.classes),
        "epochs": plan.epochs,
        "heads": len(words),
        "mini-batch": choice.batch_size,
        "cycles of an epoch": cycles,
        "seconds of an epoch": cycles / build.clock_hz,
        "bytes of samples, sent once": result.sample_bytes,
        "seconds to load them": result.sample_bytes * _UART_BITS / link.baud,
        "bytes of float32": 4 * part.train.size,
        "bytes of the models": words.size * -(-build.model_bits // 8),
        "differing words": int(np.count_nonzero(words != expected)),
    }


def _new_classes(course: _Course, study: Study, chosen: dict[int, Choice]) -> list[_Row]:
    """Heads for all ten classes on the features of a network that knows eight."""
    exact = course.in_float(study)
    rows = [{**exact, "bits": 32, "below float": 0.0}]
    for bits, choice in chosen.items():
        row = course.trained(study, choice, bits, *KINDS[1])
        rows.append({**row, "head": "zipsgd", "below float": exact["test, %"] - row["test, %"]})
    names = ("features", "head", "bits", "test, %", "old classes, %", "new classes, %", "below float")
    return [{name: row[name] for name in names} for row in rows]


def _goals(rows: Sequence[_Row], boards: Sequence[_Row], new: Sequence[_Row], most: int) -> list[_Row]:
    goals = []
    for features in dict.fromkeys(row["features"] for row in rows):
        for levels, draws in KINDS:
            (row,) = (
                row
                for row in rows
                if row["settings"] == "chosen"
                and (row["features"], row["bits"], row["levels"], row["draws"])
                == (features, most, levels, draws)
            )
            goals.append(
                {
                    "goal": f"{features} features at {most} bits, {levels} levels, drawn {draws}: at most {NEAR} points below "
                    f"the best head in floating point",
                    "found": row["below float"],
                    "met": row["below float"] <= NEAR,
                }
            )
    for row in new:
        if row["bits"] == most:
            goals.append(
                {
                    "goal": f"{row['features']} features of a network of {OLD} classes at {most} bits: at most {NEAR} points "
                    f"below the best head in floating point on all classes",
                    "found": row["below float"],
                    "met": row["below float"] <= NEAR,
                }
            )
    different = sum(row["differing words"] for row in boards)
    goals.append(
        {"goal": "no differing word on the board", "found": different, "met": bool(boards) and not different}
    )
    return goals


def run(
    folder: Path | None = None,
    settings: "Settings | None" = None,
    images: "Images | None" = None,
    *,
    bits: Sequence[int] = BITS,
    choices: Sequence[Choice] = CHOICES,
    epochs: int = Options.epochs,
    board_runs: Sequence[BoardRun] = BOARD_RUNS,
    board: tuple[Build, Sdram | None] = (ULX3S.build, sdram_of(ULX3S)),
) -> Result:
    """Train last layers.

    Parameters
    ----------
    folder : Path, optional
        Folder for networks and features, by default that of the bench ``vision``. What is there already is not done again.
    settings : Settings, optional
        How networks are trained, by default as in the bench ``vision``.
    images : Images, optional
        Images in place of CIFAR-10, which is fetched once otherwise (139 MB).
    bits : sequence of int
        Bits of a value.
    choices : sequence of Choice
        What is tried on the rows held out.
    epochs : int
        Passes over the rows.
    board_runs : sequence of BoardRun
        What the virtual board trains.
    board : (Build, Sdram or None)
        Its build, and its chip of SDRAM.

    Returns
    -------
    Result
        The result of the bench.
    """
    need("torch", "the bench last-layer", "torch")
    import torch

    from .vision_settings import QuickSettings
    from .vision_training import Run

    settings, folder = settings or QuickSettings(), folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    each = 3 + sum(len(_fitting(choices, count)) + 3 + len(KINDS) for count in bits)
    exact: list[_Row] = []
    rows: list[_Row] = []
    new: list[_Row] = []
    boards: list[_Row] = []
    with Steps(2 + len(LAYERS) * (each + 1) + len(board_runs)) as steps, quiet():
        images = images or cifar10_images(steps.note)
        course = _Course(bits, choices, epochs, steps, Kept(folder / "last-layer-steps.json"))

        def trained(name: str, seen: "Images") -> Any:
            steps.next(f"the network {name}")
            told = Run(name, METHODS[NETWORK], SEED, seen, settings, folder)
            return told.network(lambda done, message, earlier=False: steps.note(message))

        eight = few_classes(images, OLD)
        whole, fewer = trained(NETWORK, images), trained(f"{NETWORK} {OLD} classes", eight)
        for layer in LAYERS:
            steps.next(f"inputs of layer {layer}")
            study = study_of(whole, images, images, layer, folder)
            own = {
                "features": study.columns,
                "head": "that of the network",
                "test, %": study.network_accuracy,
            }
            exact += [own, course.in_float(study)]
            found, chosen = course.heads(study, max(row["test, %"] for row in exact[-2:]))
            rows += found
            for plan in board_runs:
                if plan.layer == layer:
                    choice = chosen[plan.bits]
                    measure = partial(on_board, study, choice, plan, *board, steps)
                    boards.append(course.kept(f"{study.mark} on {board}: {plan}, {choice}", measure))
            steps.next(f"inputs of layer {layer} in the network of {OLD} classes")
            new += _new_classes(course, study_of(fewer, images, eight, layer, folder), chosen)
    goals = _goals(rows, boards, new, max(bits))
    return {
        "goal": f"heads at {max(bits)} bits on the features of a frozen network are at most {NEAR} points less accurate than "
        f"the best in floating point; the board gives the emulator's bits",
        "met": all(row["met"] for row in goals),
        "seeds": [SEED],
        "rows": rows,
        "heads in floating point": exact,
        "on the board": boards,
        "new classes": new,
        "goals": goals,
        "torch": torch.__version__,
    }


BENCH = Bench(
    "last-layer",
    "the last layer of a network, trained on the device (needs the extra torch, and the network of vision)",
    run,
    plot,
)
