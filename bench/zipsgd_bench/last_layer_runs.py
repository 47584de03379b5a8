"""Features of a frozen network, and ten heads trained on them: by zipsgd at few bits a value, and in floating point."""

import json
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import zipsgd
from zipsgd.backends import BackendOptions
from zipsgd.extras import extra
from zipsgd.output import write_file
from zipsgd.training.result import Result

if TYPE_CHECKING:
    from torch import nn

    from .vision_images import Images

__all__ = ["CHOICES", "LAYERS", "Choice", "Kept", "Study", "few_classes", "float_head", "study_of"]

_Row = dict[str, Any]
_Rows = npt.NDArray[np.float32]
_Classes = npt.NDArray[np.int64]

LAYERS = ("11", "10")
"""Layers of cifar10_quick whose inputs are the features: the last one, with 64 inputs, and the one before, with 1,024."""
LANES = 64
"""Lanes of the emulated build, those of an ULX3S: its table of levels has room for all heads."""
PENALTIES = (0.02, 0.005, 0.001, 2e-4)
"""Strengths of the L2 penalty of heads in floating point, for features of variance 1, over the number of rows."""
_CHUNK = 500
"""Images that are made features at a time."""
_HELD = 5
"""One row of so many is held out of the training rows to choose by."""


@dataclass(frozen=True)
class Choice:
    """Settings of a run that are chosen on rows held out.

    Parameters
    ----------
    loss : str
        Loss of a head.
    batch_size : int
        Samples of a mini-batch.
    scaling : str
        Kind of scaling.
    """

    loss: str = "squared_hinge"
    batch_size: int = 16
    scaling: str = "auto"

    @property
    def least_bits(self) -> int:
        """int: Fewest bits of a value on even levels. A hinge needs double sampling."""
        return 3 if self.loss == "hinge" else 1

    def train(self, study: "Study", bits: int, *, part: str = "train", **options: Any) -> Result:
        """Train ten heads on the emulator.

        Parameters
        ----------
        study : Study
            The features.
        bits : int
            Bits of a value.
        part : str
            "train", or "chosen by" for the training rows that are not held out.
        options
            Further options.

        Returns
        -------
        Result
            The result.
        """
        settings: _Row = {
            "classify": True,
            "bits": bits,
            "loss": self.loss,
            "batch_size": self.batch_size,
            "scaling": self.scaling,
            "backend": BackendOptions("emulator", {"lanes": LANES}),
        }
        features, classes = study.of(part)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", zipsgd.ConvergenceWarning)  # they are in the row
            return zipsgd.train(features, classes, **settings | options)


CHOICES = (
    Choice(),  # the default
    *(Choice("squared_hinge", batch) for batch in (64, 256)),
    *(Choice("squared_hinge", batch, "standard") for batch in (16, 64, 256)),
    Choice("hinge", 64),
    Choice("squared_error", 64),
)
"""What is tried on the rows held out."""


class Kept:
    """What has been measured, in a file, so that a bench which was stopped goes on.

    Parameters
    ----------
    path : Path
        JSON file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def __call__(self, name: str, measure: Callable[[], Any]) -> Any:
        """What was found under a name that says all that it depends on, or else what ``measure`` finds now."""
        if name not in self._found:
            self._found[name] = measure()
            write_file(self._path, json.dumps(self._found, indent=1) + "\n")
        return self._found[name]


@dataclass(frozen=True, eq=False)
class Study:
    """Features of a network's images.

    Parameters
    ----------
    train, test : array of float32, shape (images, features)
        Features of the training and of the test images.
    classes, test_classes : array of int64, shape (images,)
        Their classes.
    network_accuracy : float
        Percentage of the test images that the network itself classifies correctly.
    mark : str
        A word that tells the features from others.
    """

    train: _Rows = field(repr=False)
    classes: _Classes = field(repr=False)
    test: _Rows = field(repr=False)
    test_classes: _Classes = field(repr=False)
    network_accuracy: float
    mark: str

    @property
    def columns(self) -> int:
        """int: Number of features."""
        return int(self.train.shape[1])

    def first(self, rows: int) -> "Study":
        """The same with the first training rows alone."""
        return replace(self, train=self.train[:rows], classes=self.classes[:rows])

    def of(self, part: str) -> tuple[_Rows, _Classes]:
        """Rows and classes: "train", "test", "held out", or "chosen by" for the training rows that are not held out."""
        if part == "test":
            return self.test, self.test_classes
        if part == "train":
            return self.train, self.classes
        order = np.random.default_rng(0).permutation(len(self.classes))
        held = len(order) // _HELD
        rows = np.sort(order[:held] if part == "held out" else order[held:])
        return self.train[rows], self.classes[rows]

    def accuracy(self, predict: Callable[[_Rows], npt.NDArray[Any]], part: str = "test") -> float:
        """Percentage of the rows of a part whose class is predicted correctly."""
        features, classes = self.of(part)
        return 100 * float(np.mean(predict(features) == classes))

    def accuracies(self, predict: Callable[[_Rows], npt.NDArray[Any]], old: int) -> dict[str, float]:
        """Percentage of the test rows that are predicted correctly: of all, of the first ``old`` classes, and of the others."""
        right = predict(self.test) == self.test_classes
        first = self.test_classes < old
        parts = {"test, %": right, "old classes, %": right[first], "new classes, %": right[~first]}
        return {name: 100 * float(np.mean(part)) for name, part in parts.items()}


def few_classes(images: "Images", count: int) -> dict[str, npt.NDArray[np.uint8]]:
    """The images of the first classes.

    Parameters
    ----------
    images : Images
        All images.
    count : int
        Number of classes to keep.

    Returns
    -------
    dict
        Their images.
    """
    kept = {}
    for part in ("train", "test"):
        rows = images[f"{part}_classes"] < count
        kept[part], kept[f"{part}_classes"] = images[part][rows], images[f"{part}_classes"][rows]
    return kept


def _mark(model: "nn.Module") -> str:
    """A word that depends on all weights of a network."""
    mark = 0
    for tensor in model.state_dict().values():
        mark = zlib.crc32(np.ascontiguousarray(tensor.cpu().numpy()).tobytes(), mark)
    return f"{mark:08x}"


def _features(
    model: "nn.Module", images: "Images", trained_on: "Images", layer: str, folder: Path
) -> dict[str, _Rows]:
    """Features of the training and test images, from the folder where they are there already."""
    from zipsgd.torch import features

    from .vision_images import mean_image, pixels_of

    mean = mean_image(trained_on)

    def batches(part: str) -> Iterator[Any]:
        for start in range(0, len(images[part]), _CHUNK):
            yield pixels_of(images[part][start : start + _CHUNK], mean)

    found = {}
    for part in ("train", "test"):
        file = folder / f"features-{_mark(model)}-{layer}-{part}.npy"
        if not file.exists():
            features(model, batches(part), layer, file=file)
        found[part] = np.load(file)
    return found


def study_of(model: "nn.Module", images: "Images", trained_on: "Images", layer: str, folder: Path) -> Study:
    """The features of a network's layer.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    images : Images
        Images to make features of.
    trained_on : Images
        The images that the network was trained on, whose mean it takes away.
    layer : str
        Name of a linear layer.
    folder : Path
        Folder in which features are kept, by the network's weights.

    Returns
    -------
    Study
        The features.
    """
    import torch

    found = _features(model, images, trained_on, LAYERS[0], folder)
    last: Any = model.get_submodule(LAYERS[0])
    with torch.no_grad():
        named = last(torch.from_numpy(found["test"])).argmax(dim=1).numpy()
    classes = {part: images[f"{part}_classes"].astype(np.int64) for part in ("train", "test")}
    if layer != LAYERS[0]:
        found = _features(model, images, trained_on, layer, folder)
    accuracy = 100 * float(np.mean(named == classes["test"]))
    mark = f"{_mark(model)}-{layer}"
    return Study(found["train"], classes["train"], found["test"], classes["test"], accuracy, mark)


def float_head(study: Study) -> tuple[Callable[[_Rows], npt.NDArray[Any]], float]:
    """Softmax regression in floating point, with the penalty that is best on the rows held out.

    Parameters
    ----------
    study : Study
        The features.

    Returns
    -------
    callable
        What predicts the classes of rows.
    float
        Strength of the penalty, over the number of rows.
    """
    with extra("sklearn", "this bench"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    def fitted(penalty: float, part: str) -> Any:
        features, classes = study.of(part)
        model = LogisticRegression(C=1 / (penalty * len(classes)), max_iter=300)
        return make_pipeline(StandardScaler(), model).fit(features, classes)

    held = {each: study.accuracy(fitted(each, "chosen by").predict, "held out") for each in PENALTIES}
    best = max(held, key=lambda each: held[each])
    return fitted(best, "train").predict, best
