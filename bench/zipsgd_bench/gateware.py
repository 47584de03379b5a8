"""Build the bitstreams of all boards: cells, memories, clocks, and how long epochs take on each.

As in ``zipsgd build``, the placer's seeds are tried in turn until one meets the clock. The report contains all tried seeds. The
times of epochs are predicted for the clock that the build asks for.
"""

from pathlib import Path
from typing import Any

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build

from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

FOLDER = Path("build/gateware")
BOARDS, FAMILIES = 12, 3
"""Fewest boards and families. Two builds for one board are one board."""
SETS = {
    "housing": {"samples": 20_640, "features": 9, "bits": 4},
    "MNIST": {"samples": 60_000, "features": 785, "bits": 3},
    "MNIST, ten classes": {"samples": 60_000, "features": 785, "bits": 3, "heads": 10, "classes": True},
}
"""Sets whose epochs are predicted: at so many bits a value, by one draw where the build has a diagonal."""


def _share(figure: dict[str, Any]) -> str | None:
    if figure["used"] is None:
        return None
    return f"{figure['used']} of {figure['available']}"


def _row(report: dict[str, Any], folder: Path) -> dict[str, Any]:
    build = report["build"]
    written = report["bitstream"] is not None
    return {
        "board": report["board"],
        "device": report["device"],
        "lanes": build["lanes"],
        "features": build["max_features"],
        "heads": build["heads"],
        "MHz": ", ".join(f"{clock['fmax_mhz']:.1f}" for clock in report["clocks"]),
        "asked": ", ".join(f"{clock['target_mhz']:g}" for clock in report["clocks"]),
        "seed": report["seed"],
        **{name: _share(report["utilisation"][name]) for name in ("cells", "ff", "ram", "dsp")},
        "bitstream, bytes": (folder / report["bitstream"]).stat().st_size if written else None,
        "met": written and all(clock["met"] for clock in report["clocks"]),
    }


def _epochs(board: Any) -> dict[str, Any]:
    """Seconds of an epoch of each set: over the link, and from the store."""
    from zipsgd_hw.boards import predict_epoch

    build: Build = board.build
    row: dict[str, Any] = {"board": board.name}
    for name, said in SETS.items():
        sizes: dict[str, Any] = dict(said)
        up_planes = 1 if build.diagonal else 2
        sizes |= {"base_planes": sizes.pop("bits") - up_planes, "up_planes": up_planes}
        link = store = None
        if sizes["features"] <= build.max_features:
            epoch = predict_epoch(
                build,
                **sizes,
                fast_memory=board.family.fast_memory,
                link_baud=board.link.baud,
                store_pace=board.store_pace,
            )
            link, store = epoch["seconds"], epoch.get("store", {}).get("seconds")
        row |= {f"{name}, link s": link, f"{name}, store s": store}
    return row


def run() -> Result:
    """Build every board into ``build/gateware``. An iCE40 takes minutes, an ECP5 up to half an hour.

    Returns
    -------
    Result
        The result of the bench. A board whose build fails has no row in the table, and its error in ``failed``.
    """
    with extra("build", "this bench"):
        from zipsgd_hw.boards import BOARDS as CATALOGUE
        from zipsgd_hw.boards import BuildFailed, build_board

    rows, reports, failed = [], {}, {}
    with Steps(len(CATALOGUE)) as steps:
        for name in CATALOGUE:
            steps.next(name)
            folder = FOLDER / name
            try:
                report = build_board(name, out_dir=folder, progress=steps.note)
            except BuildFailed as error:
                failed[name] = str(error)
                steps.note(f"{name}: {error}")
                continue
            rows.append(_row(report, folder))
            reports[name] = report
    made = [CATALOGUE[row["board"]] for row in rows if row["met"]]
    boards = len({board.platform_class for board in made})
    families = len({board.family.name for board in made})
    return {
        "goal": f"at least {BOARDS} boards of {FAMILIES} families have a bitstream at their clock, and no build fails",
        "met": boards >= BOARDS and families >= FAMILIES and not failed,
        "boards": boards,
        "families": families,
        "failed": failed,
        "seeds": [report["seed"] for report in reports.values()],
        "rows": rows,
        "epochs": [_epochs(board) for board in CATALOGUE.values()],
        "reports": reports,
    }


BENCH = Bench("gateware", "cells, memories, clocks and epochs of the bitstreams of all boards", run)
