"""A stronger network on few levels: ResNet-20 on CIFAR-10, beside the published figures of LQ-Nets and TTQ.

The network is trained in full precision. Each method then starts from its weights, and trains for some more epochs on rounded
ones; full precision does so, too. Like the published networks, the first and the last layer are left alone. The epochs are
far fewer than the published networks had, so what is compared is the accuracy that rounding costs.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zipsgd.data.sets import cifar10_images
from zipsgd.extras import need

from .progress import Steps
from .registry import Bench, Result
from .vision_results import Clock, curves_of, plot_curves, row_of

if TYPE_CHECKING:
    from .vision_images import Images
    from .vision_settings import ResNetSettings

__all__ = ["BENCH", "METHODS", "run"]

FOLDER = Path("build/resnet")
SEED = 0
NEAR = 1.0
"""Points that 5 optimal levels lose, at most."""
_LAYERS = {"skip": ["first", "last"]}
METHODS: dict[str, dict[str, Any] | None] = {
    "full precision": None,
    "5 optimal": {"levels": 5, "method": "optimal", **_LAYERS},
    "4 optimal": {"levels": 4, "method": "optimal", **_LAYERS},
    "3 optimal": {"levels": 3, "method": "optimal", **_LAYERS},
    "5 even": {"levels": 5, "method": "uniform", **_LAYERS},
    "binary": {"method": "binary", **_LAYERS},
}
"""Arguments of :func:`zipsgd.torch.quantize_` by the name of the method."""

PUBLISHED = (
    ("LQ-Nets, 3 bits", 92.0, 92.1, "Zhang et al., LQ-Nets, ECCV 2018"),
    ("LQ-Nets, 2 bits", 91.8, 92.1, "Zhang et al., LQ-Nets, ECCV 2018"),
    ("LQ-Nets, 1 bit", 90.1, 92.1, "Zhang et al., LQ-Nets, ECCV 2018"),
    ("TTQ, 3 levels", 91.13, 91.77, "Zhu et al., Trained Ternary Quantization, ICLR 2017"),
)
"""Method, accuracy, that in full precision, and source: ResNet-20 on CIFAR-10 with rounded weights, after some 200 epochs."""


def run(
    folder: Path | None = None,
    settings: "ResNetSettings | None" = None,
    more: "ResNetSettings | None" = None,
    images: "Images | None" = None,
) -> Result:
    """Train the network in full precision, and from there with each method.

    Parameters
    ----------
    folder : Path, optional
        Folder for checkpoints and results of single runs, by default ``build/resnet``. What is there already is not done again.
    settings, more : ResNetSettings, optional
        How the network is trained in full precision, by default for 16 epochs, and from there on, by default for 6.
    images : Images, optional
        Images in place of CIFAR-10, which is fetched once otherwise (139 MB).

    Returns
    -------
    Result
        The result of the bench.
    """
    need("torch", "the bench resnet", "torch")
    import torch

    from .vision_settings import ResNetSettings
    from .vision_training import Run

    settings = settings or ResNetSettings()
    more = more or replace(settings, steps=2340, every=780, peak=0.05)
    folder = folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # two processes are faster than two threads
    runs: dict[str, list[dict[str, Any]]] = {}
    with Steps(1 + len(METHODS)) as steps:
        images = images or cifar10_images(steps.note)
        clock = Clock(steps, settings.steps + len(METHODS) * more.steps)
        first = Run("first", None, SEED, images, settings, folder)
        steps.next("full precision, from random weights")
        begun = first.train(clock)
        for method, quantized in METHODS.items():
            steps.next(method)
            runs[method] = [Run(method, quantized, SEED, images, more, folder, first).train(clock)]
    rows = [row_of(method, found) for method, found in runs.items()]
    exact = rows[0]["accuracy, %"]
    for row in rows:
        del row["s.d."]
        row["below full precision, points"] = exact - row["accuracy, %"]
    below = {row["method"]: row["below full precision, points"] for row in rows}
    published = [
        {
            "published": method,
            "accuracy, %": found,
            "below full precision, points": full - found,
            "source": source,
        }
        for method, found, full, source in PUBLISHED
    ]
    return {
        "goal": f"5 optimal levels are at most {NEAR} points below full precision after as many steps",
        "met": below["5 optimal"] <= NEAR,
        "seeds": [SEED],
        "rows": rows,
        "published": published,
        "curves": curves_of(runs),
        "first run": {"accuracy, %": 100 * begun["accuracy"], "curve": begun["curve"]},
        "settings": {"first": begun["run"]["settings"], "then": runs["binary"][0]["run"]["settings"]},
        "torch": torch.__version__,
    }


BENCH = Bench(
    "resnet",
    "accuracy of ResNet-20 on CIFAR-10 with a few levels (two hours; needs the extra torch)",
    run,
    plot_curves,
)
