"""The last layer of a network, trained on the device: ten heads on the features of a frozen network with few levels.

cifar10_quick with five optimal levels is trained as by the bench ``vision``, in the same folder, or found there. Its features
are the inputs of the last linear layer, and of the one before. A second network is trained on eight of the ten classes, and
heads for all ten on its features. Loss, mini-batch and scaling are chosen on training rows that are held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import zipsgd
from zipsgd.backends import BackendOptions
from zipsgd.data.sets import cifar10_images
from zipsgd.extras import need
from zipsgd.protocol.formats import Build
from zipsgd.training.options import Options
from zipsgd.training.result import Result as Trained
from zipsgd_hw.boards.catalogue import BOARDS

from .few_bits import quiet
from .last_layer_figure import plot
from .last_layer_runs import CHOICES, LAYERS, Choice, Study, few_classes, float_heads, study_of
from .progress import Steps
from .registry import Bench, Result
from .simulated import simulated
from .vision import FOLDER, METHODS

if TYPE_CHECKING:
    from .vision_training import Images, Settings

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
ULX3S, CHIP = BOARDS["ulx3s-85f-store"], "16Mx16"
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


def _options(levels: str, draws: str) -> dict[str, Any]:
    return {"levels": {"even": "uniform"}.get(levels, levels), "resident": draws == "once"}


def _chosen(
    study: Study, bits: int, choices: Sequence[Choice], epochs: int, steps: Steps
) -> tuple[Choice, float]:
    """The choice with the best accuracy on the rows held out, and that accuracy. Levels are even, and drawn in each epoch."""
    found: dict[Choice, float] = {}
    for choice in choices:
        steps.next(
            f"{study.columns} features, {bits} bits: {choice.loss}, batches of {choice.batch_size}, {choice.scaling}"
        )
        result = choice.train(study, bits, part="chosen by", epochs=epochs)
        if result is not None:
            found[choice] = study.accuracy(result.predict, "held out")
    best = max(found, key=lambda choice: found[choice])
    return best, found[best]


def _row(study: Study, result: Trained, choice: Choice, bits: int, levels: str, draws: str) -> _Row:
    sent = 1 if draws == "once" else result.options["epochs"]
    size = result.sample_bytes / (result.rows * sent)
    return {
        "features": study.columns,
        "bits": bits,
        "levels": levels,
        "draws": draws,
        "loss": choice.loss,
        "mini-batch": choice.batch_size,
        "scaling": choice.scaling,
        "estimator": result.options["estimator"],
        "test, %": study.accuracy(result.predict),
        "bytes an image": size,
        "times fewer than float32": 4 * study.columns / size,
        "bytes of the run": result.sample_bytes,
        "warnings": ", ".join(each.kind for each in result.warnings) or None,
    }


def _heads(
    study: Study, bits: Sequence[int], choices: Sequence[Choice], epochs: int, steps: Steps
) -> tuple[list[_Row], list[_Row], dict[int, Choice]]:
    """Heads in floating point; heads at few bits, the default ones and those of the best choice; and the choices by bits."""
    steps.next(f"{study.columns} features: heads in floating point")
    exact: list[_Row] = [
        {"head": "that of the network", "penalty": None, "test, %": 100 * study.network_accuracy}
    ]
    for name, (predict, penalty) in float_heads(study).items():
        exact.append({"head": name, "penalty": penalty, "test, %": study.accuracy(predict)})
    best, rows, chosen = max(row["test, %"] for row in exact), [], {}
    for each in bits:
        chosen[each], held = _chosen(study, each, choices, epochs, steps)
        runs = [(Choice(), *KINDS[0]), (Choice(), *KINDS[1]), *((chosen[each], *kind) for kind in KINDS)]
        for number, (choice, levels, draws) in enumerate(runs):
            steps.next(f"{study.columns} features, {each} bits, {levels} levels, drawn {draws}")
            result = choice.train(study, each, epochs=epochs, **_options(levels, draws))
            assert result is not None, "the choice works at these bits"
            row = _row(study, result, choice, each, levels, draws)
            settings = "chosen" if number > 1 else "default"
            device = zipsgd.predict(result, study.test, bits=PREDICTION_BITS)
            rows.append(
                {
                    "settings": settings,
                    **row,
                    "below float": best - row["test, %"],
                    "held out, %": held if settings == "chosen" else None,
                    f"test on the device at {PREDICTION_BITS} bits, %": 100
                    * float(np.mean(device.predictions == study.test_classes)),
                }
            )
    return [{"features": study.columns, **row} for row in exact], rows, chosen


def on_board(
    study: Study, choice: Choice, plan: BoardRun, build: Build, chip: str | None, steps: Steps
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
    chip : str or None
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
    assert result is not None, "the choice works at these bits"
    assert same is not None, "the choice works at these bits"
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


def _new_classes(
    study: Study, whole: Study, chosen: dict[int, Choice], epochs: int, steps: Steps
) -> list[_Row]:
    """Heads for all ten classes on the features of a network that knows eight, beside the network that knows all."""
    count = 1 + int(study.classes.max())
    parts = {"all": range(count), "new": range(OLD, count), "old": range(OLD)}

    def measured(head: str, of: Study, predict: Any, **told: Any) -> _Row:
        accuracies = {
            f"{name}, %": of.accuracy_among(predict, list(classes)) for name, classes in parts.items()
        }
        return {"features": study.columns, "head": head, **told, **accuracies}

    steps.next(f"{study.columns} features of {OLD} classes: heads in floating point")
    knows = f"trained on {OLD} classes"
    rows = [
        measured(name, study, predict, network=knows, bits=32)
        for name, (predict, _) in float_heads(study).items()
    ]
    for name, (predict, _) in float_heads(whole).items():
        rows.append(measured(name, whole, predict, network="trained on all", bits=32))
    best = max(row["all, %"] for row in rows if row["network"] == knows)
    for bits, choice in chosen.items():
        steps.next(f"{study.columns} features of {OLD} classes, {bits} bits")
        result = choice.train(study, bits, epochs=epochs, resident=True)
        assert result is not None, "the choice works at these bits"
        row = measured("zipsgd, even levels, drawn once", study, result.predict, network=knows, bits=bits)
        rows.append({**row, "below float": best - row["all, %"]})
    return rows


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
    goals.append({"goal": "no differing word on the board", "found": different, "met": different == 0})
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
    board: tuple[Build, str | None] = (ULX3S.build, CHIP),
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
    board : (Build, str or None)
        Its build, and its chip of SDRAM.

    Returns
    -------
    Result
        The result of the bench.
    """
    need("torch", "the bench last-layer", "torch")
    import torch

    from .vision_training import Settings, network

    settings, folder = settings or Settings(), folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    count = 2 + len(LAYERS) * (3 + 2 + len(bits) * (len(choices) + 2 + len(KINDS) + 1)) + len(board_runs)
    exact: list[_Row] = []
    rows: list[_Row] = []
    new: list[_Row] = []
    boards: list[_Row] = []
    with Steps(count) as steps, quiet():
        images = images or cifar10_images(steps.note)

        def trained(name: str, seen: "Images") -> Any:
            steps.next(f"the network {name}")
            told = (name, METHODS[NETWORK], SEED, seen, settings, folder)
            return network(*told, lambda done, message, earlier=False: steps.note(message))

        eight = few_classes(images, OLD)
        whole, partial = trained(NETWORK, images), trained(f"{NETWORK} {OLD} classes", eight)
        for layer in LAYERS:
            steps.next(f"inputs of layer {layer}")
            study = study_of(whole, images, images, layer, folder)
            found, more, chosen = _heads(study, bits, choices, epochs, steps)
            exact += found
            rows += more
            for plan in board_runs:
                if plan.layer == layer:
                    boards.append(on_board(study, chosen[plan.bits], plan, *board, steps))
            steps.next(f"inputs of layer {layer} in the network of {OLD} classes")
            other = study_of(partial, images, eight, layer, folder)
            new += _new_classes(other, study, chosen, epochs, steps)
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
