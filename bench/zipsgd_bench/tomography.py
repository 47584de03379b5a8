"""Tomography as ZipML has it (Zhang et al., ICML 2017): an image from integrals along rays, with few bits a value.

A ray is a row, and a pixel a column. Nothing is centred, so that a pixel that a ray does not meet is an exact 0, and pixels are
not negative. The rays' rows are computed when they are read, so that no set is kept in memory. All runs have the automatic
step. Small scans are also reconstructed on the virtual board, from its link and from its store, bit for bit as on the emulator.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import zipsgd
from zipsgd.backends import BackendOptions, build_for
from zipsgd.protocol.formats import Build
from zipsgd.tomography import relative_error
from zipsgd_hw.boards.catalogue import BOARDS
from zipsgd_hw.boards.memories import Sdram

from .few_bits import quiet
from .progress import Steps
from .registry import Bench, Result
from .simulated import sdram_of, simulated
from .tomography_figure import plot
from .tomography_runs import NEAR, Configuration, Measured, Study, few_bits_of

__all__ = ["BENCH", "BOARD_STUDIES", "STUDIES", "on_boards", "rays_of", "run"]

_Row = dict[str, Any]

_ALL = (
    *few_bits_of("uniform", "one-draw", 2, 3, 4, 5, 6, 8),
    *few_bits_of("uniform", "double", 3, 4, 5, 6, 8),
    *few_bits_of("uniform", "naive", 2, 3, 4, 5, 6, 8),
    *few_bits_of("optimal", "one-draw", 1, 2, 3, 4),
    *few_bits_of("optimal", "double", 2, 3, 4),
    *few_bits_of("optimal", "naive", 1, 2, 3, 4),
    Configuration("optimal", "one-draw", 3, 4),
)
_SOME = (
    *few_bits_of("uniform", "one-draw", 2, 3, 4),
    *few_bits_of("uniform", "double", 3, 4),
    *few_bits_of("uniform", "naive", 2, 3, 4),
    *few_bits_of("optimal", "one-draw", 1, 2, 3, 4),
    *few_bits_of("optimal", "double", 3, 4),
    *few_bits_of("optimal", "naive", 2, 3, 4),
    Configuration("optimal", "one-draw", 3, 4),
)
_FEW = (*few_bits_of("uniform", "one-draw", 4), *few_bits_of("optimal", "one-draw", 3))
_WIDE = (*few_bits_of("uniform", "one-draw", 4), *few_bits_of("optimal", "one-draw", 2))
STUDIES = (
    Study("Shepp-Logan", 32, 60, 40, _ALL),
    Study("Shepp-Logan", 32, 60, 40, _SOME, photons=1e4),
    Study("foam", 32, 60, 40, _SOME),
    Study("Shepp-Logan", 64, 90, 20, _SOME),
    Study("Shepp-Logan", 64, 90, 20, _FEW, beam="fan"),
    Study("Shepp-Logan", 128, 60, 6, _FEW),
    Study("Shepp-Logan", 256, 32, 3, _WIDE),
)
"""What is reconstructed. The first study, and the figure's images, have all estimators."""
BOARD_STUDIES = (Study("Shepp-Logan", 32, 60, 5), Study("Shepp-Logan", 64, 30, 4))
"""What the virtual board reconstructs: over the link, and from the store of an ULX3S. Few angles, because cycles are
simulated."""
ULX3S = BOARDS["ulx3s-85f-store"]
FEW = (2, 3, 4)
"""Bits a value at which estimators are compared."""
FEWER = 8.0
"""Times fewer bits than float32 that one draw is to move."""
INDEX_BYTES = 2
"""Bytes of a pixel's number in a sparse row."""


def rays_of(study: Study) -> _Row:
    """Bytes of a ray as a sparse row, and as dense planes.

    Parameters
    ----------
    study : Study
        The rays.

    Returns
    -------
    dict
        Means over the rays. A sparse row has a number and a value for each pixel that the ray meets.
    """
    scan = study.scan
    pixels, met = scan.rows.shape[1], float(scan.crossings().mean())
    return {
        "side": study.side,
        "unknowns": pixels,
        "pixels met": met,
        "sparse, float32": met * (INDEX_BYTES + 4),
        "sparse, 8 bits": met * (INDEX_BYTES + 1),
        "dense, float32": 4 * pixels,
        **{f"dense, {bits} bits": bits * -(-pixels // 8) for bits in (4, 3, 2, 1)},
    }


def on_boards(
    studies: Sequence[Study], boards: Sequence[tuple[str, Build, Sdram | None]], steps: Steps
) -> list[_Row]:
    """Reconstruct on virtual boards, and compare with the emulator.

    Parameters
    ----------
    studies : sequence of Study
        What to reconstruct on each board.
    boards : sequence of (str, Build, Sdram or None)
        Name, build and chip of SDRAM of each board. A build with a store keeps the rays there.
    steps : Steps
        Progress.

    Returns
    -------
    list of dict
        Cycles, error, and words of the model that differ from the emulator's.
    """
    rows = []
    for study, (name, build, chip) in zip(studies, boards, strict=True):
        table, stays = study.table(), build.has("store_words")
        with simulated(build, sdram=chip, patience=60, note=steps.note) as (_, backend):
            for estimator in ("one-draw", "double"):
                steps.next(f"{study.name} on {name}, {estimator}")
                options = replace(
                    study.options, bits=4, estimator=estimator, resident=stays, nonnegative=build.has("prox")
                )
                result = zipsgd.train(table, options=options, backend=backend)
                same = zipsgd.train(table, options=options, backend=BackendOptions("emulator", build))
                words = np.array(result.model_words) != np.array(same.model_words)
                rows.append(
                    {
                        "board": name,
                        "samples": "in the store" if stays else "over the link",
                        "study": study.name,
                        "views": study.views,
                        "epochs": study.epochs,
                        "estimator": estimator,
                        "bits": 4,
                        "cycles": result.cycles,
                        "seconds at its clock": (result.cycles or 0) / build.clock_hz,
                        "error": relative_error(study.scan.image(result.coef), study.exact),
                        "differing words": int(np.count_nonzero(words)),
                    }
                )
    return rows


def _goals(rows: list[_Row], boards: list[_Row]) -> list[_Row]:
    """Each goal with what was found."""
    found = {
        (row["study"], Configuration(row["levels"], row["estimator"], row["bits"], row["then"] or 0)): row
        for row in rows
        if row["levels"]
    }
    goals = []
    for bits in FEW:
        for estimator in ("one-draw", "double"):
            pairs = [
                (row["error"], found[study, Configuration(how.levels, "naive", bits)]["error"])
                for (study, how), row in found.items()
                if (how.estimator, how.bits, how.then) == (estimator, bits, 0)
                and (study, Configuration(how.levels, "naive", bits)) in found
            ]
            if pairs:
                lower = sum(one < naive for one, naive in pairs)
                goals.append(
                    {
                        "goal": f"{estimator} has a smaller error than naive quantisation at {bits} bits, in all runs",
                        "found": f"{lower} of {len(pairs)}",
                        "met": lower == len(pairs),
                    }
                )
    for study in dict.fromkeys(row["study"] for row in rows):
        gains = [
            row["times fewer than float32, whole runs"]
            for (of, how), row in found.items()
            if of == study and how.estimator == "one-draw" and row["over float"] <= NEAR
        ]
        goals.append(
            {
                "goal": f"{study}: one draw ends within {NEAR} of float64's error with {FEWER:g} times fewer bits than float32",
                "found": max(gains, default=0.0),
                "met": max(gains, default=0.0) >= FEWER,
            }
        )
    different = sum(row["differing words"] for row in boards)
    goals.append({"goal": "no differing word on a board", "found": different, "met": different == 0})
    return goals


def _pictured(measured: Measured) -> dict[str, str]:
    """Images of 8 bits a pixel, as base64: 0 and below is 0, the largest value of the exact image is 255."""
    exact = measured.study.exact
    images = {"exact": exact, **measured.images}
    return {
        name: base64.b64encode(np.clip(np.rint(image / exact.max() * 255), 0, 255).astype(np.uint8)).decode()
        for name, image in images.items()
    }


def run(
    studies: Sequence[Study] = STUDIES,
    board_studies: Sequence[Study] = BOARD_STUDIES,
    boards: Sequence[tuple[str, Build, Sdram | None]] | None = None,
) -> Result:
    """Measure all studies.

    Parameters
    ----------
    studies : sequence of Study
        What is reconstructed on the emulator.
    board_studies : sequence of Study
        What is reconstructed on each of the boards.
    boards : sequence of (str, Build, Sdram or None), or None
        Boards to simulate, see :func:`on_boards`; None for one without a store and that of an ULX3S.

    Returns
    -------
    Result
        The result of the bench.
    """
    if boards is None:
        size = board_studies[0].scan.rows.shape[1] + 1
        small = build_for(size, prox=True, diagonal=True)
        boards = (
            ("a build of 8 lanes", small, None),
            (f"{ULX3S.name} with prox=1", replace(ULX3S.build, prox=1), sdram_of(ULX3S)),
        )
    done = []
    with Steps(sum(1 + len(study.runs) for study in studies) + 2 * len(board_studies)) as steps, quiet():
        for study in studies:
            measured = Measured(study)
            steps.next(f"{study.name}: float64")
            measured.run_float()
            for how in study.runs:
                steps.next(f"{study.name}: {how.levels} levels, {how.estimator}, {how.bits} bits")
                measured.run(how)
            done.append(measured)
        on_board = on_boards(board_studies, boards, steps)
    rows = [row for measured in done for row in measured.rows]
    goals = _goals(rows, on_board)
    return {
        "goal": "one draw and double sampling have smaller errors than naive quantisation at 2, 3 and 4 bits a value; one "
        f"draw comes to {NEAR} times the error of float64 SGD with {FEWER:g} times fewer bits moved than float32; boards give "
        "the emulator's bits",
        "met": all(row["met"] for row in goals),
        "seeds": [studies[0].options.seed],
        "rows": rows,
        "boards": on_board,
        "a ray": [rays_of(study) for study in {study.side: study for study in studies}.values()],
        "goals": goals,
        "errors by epoch": {measured.study.name: measured.errors for measured in done},
        "images": {done[0].study.name: {"side": done[0].study.side, **_pictured(done[0])}},
    }


BENCH = Bench("tomography", "images from integrals along rays: error against bits moved", run, plot)
