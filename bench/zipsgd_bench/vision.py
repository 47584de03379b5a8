"""ZipML's claim on deep networks: a few levels placed where the weights are lose less accuracy than evenly spaced ones.

cifar10_quick is trained on CIFAR-10 with weights rounded to the nearest level, as in ZipML's last section. The bench takes
hours, and keeps checkpoints and results of single runs in the folder ``build/vision``: started again, it goes on from there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zipsgd.data.sets import cifar10_images
from zipsgd.extras import need

from .progress import Steps
from .registry import Bench, Result
from .vision_results import Clock, curves_of, plot_curves, row_of

if TYPE_CHECKING:
    from .vision_images import Images
    from .vision_settings import Settings

__all__ = ["BENCH", "METHODS", "run"]

FOLDER = Path("build/vision")
SEEDS = (0, 1, 2)
ABOVE = 5
"""Points of accuracy that 5 optimal levels have more than 5 even ones, as in the paper."""
BELOW = 4
"""Points that they have less than full precision, at most."""
METHODS: dict[str, dict[str, Any] | None] = {
    "full precision": None,
    "5 optimal": {"levels": 5, "method": "optimal"},
    "5 heuristic": {"levels": 5, "method": "heuristic"},
    "5 even": {"levels": 5, "method": "uniform"},
    "3 optimal": {"levels": 3, "method": "optimal"},
    "2 optimal": {"levels": 2, "method": "optimal"},
    "binary": {"method": "binary"},
}
"""Arguments of :func:`zipsgd.torch.quantize_` by the name of the method."""


def run(
    folder: Path | None = None,
    seeds: Sequence[int] = SEEDS,
    settings: "Settings | None" = None,
    images: "Images | None" = None,
) -> Result:
    """Train all methods with all seeds, one after the other.

    Parameters
    ----------
    folder : Path, optional
        Folder for checkpoints and results of single runs, by default ``build/vision``. What is there already is not done again.
    seeds : Sequence[int]
        Seeds of the initial weights and of the order of the images.
    settings : Settings, optional
        How networks are trained, by default 5,000 steps.
    images : Images, optional
        Images in place of CIFAR-10, which is fetched once otherwise (139 MB).

    Returns
    -------
    Result
        The result of the bench.
    """
    need("torch", "the bench vision", "torch")
    import torch

    from .vision_settings import QuickSettings
    from .vision_training import Run

    settings = settings or QuickSettings()
    folder = folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # two processes are faster than two threads
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in METHODS}
    with Steps(len(seeds) * len(METHODS)) as steps:
        images = images or cifar10_images(steps.note)
        clock = Clock(steps, len(seeds) * len(METHODS) * settings.steps)
        for seed in seeds:
            for method, quantized in METHODS.items():
                steps.next(f"{method}, seed {seed}")
                runs[method].append(Run(method, quantized, seed, images, settings, folder).train(clock))
    rows = [row_of(method, found) for method, found in runs.items()]
    accuracy = {row["method"]: row["accuracy, %"] for row in rows}
    above, below = (
        accuracy["5 optimal"] - accuracy["5 even"],
        accuracy["full precision"] - accuracy["5 optimal"],
    )
    return {
        "goal": f"after {settings.steps} steps, in the mean of {len(seeds)} seeds, 5 optimal levels are more than {ABOVE} "
        f"points above 5 even ones, and at most {BELOW} points below full precision",
        "met": above > ABOVE and below <= BELOW,
        "above even levels, points": above,
        "below full precision, points": below,
        "seeds": list(seeds),
        "rows": rows,
        "curves": curves_of(runs),
        "runs": [
            {key: each[key] for key in ("method", "seed", "accuracy")}
            for found in runs.values()
            for each in found
        ],
        "settings": runs["5 optimal"][0]["run"]["settings"],
        "torch": torch.__version__,
    }


BENCH = Bench(
    "vision",
    "accuracy of a network on CIFAR-10 with a few levels (hours; needs the extra torch)",
    run,
    plot_curves,
)
