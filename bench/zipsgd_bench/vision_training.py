"""Train cifar10_quick with rounded weights. A run that was stopped goes on from its last checkpoint, with the same results."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zipsgd.output import write_file
from zipsgd.torch import export, quantize_, refresh_every

__all__ = ["Images", "Progress", "Settings", "cifar10_quick", "mean_image", "network", "pixels_of", "train"]

Images = Mapping[str, npt.NDArray[np.uint8]]
"""``train`` and ``test`` of shape (images, 3072), ``train_classes`` and ``test_classes``, see ``cifar10_images``."""


class Progress(Protocol):
    """Is told what has been done."""

    def __call__(self, steps: int, message: str, earlier: bool = False) -> None:
        """Steps done since the last call, a message, and whether an earlier process has done them."""


@dataclass(frozen=True)
class Settings:
    """How a network is trained; those of Caffe's cifar10_quick.

    Parameters
    ----------
    steps : int
        Number of mini-batches. The step size is 1e-3, and 1e-4 in the last fifth of them.
    every : int
        Steps from one checkpoint and measurement to the next.
    refresh : int
        Steps from one placing of the levels to the next; ``every`` is a multiple of it.
    batch : int
        Images of a mini-batch.
    momentum, decay : float
        Momentum, and weight decay.
    """

    steps: int = 5000
    every: int = 500
    refresh: int = 10
    batch: int = 100
    momentum: float = 0.9
    decay: float = 0.004

    def __post_init__(self) -> None:
        if self.every % self.refresh:  # a run that goes on from a checkpoint places levels at the same steps
            raise ValueError(f"every must be a multiple of refresh, {self.refresh}, not {self.every}")


def cifar10_quick(classes: int = 10) -> nn.Sequential:
    """Caffe's network cifar10_quick, for images of 32 x 32 pixels whose mean image has been subtracted.

    Parameters
    ----------
    classes : int
        Number of classes.

    Returns
    -------
    torch.nn.Sequential
        145,376 weights for ten classes in three convolutional and two linear layers, with Caffe's random values.
    """
    model = nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.ReLU(),
        nn.Conv2d(32, 32, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64),
        nn.Linear(64, classes),
    )
    for place, spread in {0: 1e-4, 3: 0.01, 6: 0.01, 10: 0.1, 11: 0.1}.items():
        layer = model[place]
        nn.init.normal_(layer.weight, std=spread)
        nn.init.zeros_(layer.bias)
    return model


def pixels_of(images: npt.NDArray[np.uint8], mean: Tensor) -> Tensor:
    """Images as the network takes them.

    Parameters
    ----------
    images : array of shape (images, 3072)
        Images as in :data:`Images`.
    mean : torch.Tensor of shape (3, 32, 32)
        The mean training image, see :func:`mean_image`.

    Returns
    -------
    torch.Tensor of shape (images, 3, 32, 32)
        Their pixels, less the mean.
    """
    return _centred(torch.from_numpy(_planes(images)), mean)


def _centred(planes: Tensor, mean: Tensor) -> Tensor:
    # A processor convolves pixels whose channels come last a third faster
    return (planes.float() - mean).contiguous(memory_format=torch.channels_last)


def mean_image(images: Images) -> Tensor:
    """The mean of the training images.

    Parameters
    ----------
    images : Images
        The images that a network is trained on.

    Returns
    -------
    torch.Tensor of shape (3, 32, 32)
        Their mean.
    """
    return torch.from_numpy(_planes(images["train"]).mean(axis=0, dtype=np.float64)).float()


class _Batches:
    """Mini-batches of the training images, and accuracy on the test images."""

    def __init__(self, images: Images, batch: int) -> None:
        self._mean = mean_image(images)
        self._pixels = {part: torch.from_numpy(_planes(images[part])) for part in ("train", "test")}
        self._classes = {
            part: torch.from_numpy(images[f"{part}_classes"].astype(np.int64)) for part in self._pixels
        }
        self._batch = batch
        self._order: tuple[tuple[int, int], npt.NDArray[np.int64]] | None = None

    def _taken(self, part: str, which: Any) -> tuple[Tensor, Tensor]:
        return _centred(self._pixels[part][which], self._mean), self._classes[part][which]

    def training(self, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """The images and classes of a step. They depend on seed and step alone: each epoch has an order of its own."""
        steps = len(self._classes["train"]) // self._batch
        epoch, place = divmod(step, steps)
        if self._order is None or self._order[0] != (seed, epoch):
            order = np.random.default_rng((seed, epoch)).permutation(len(self._classes["train"]))
            self._order = (seed, epoch), order
        return self._taken("train", self._order[1][place * self._batch : (place + 1) * self._batch])

    @torch.no_grad()
    def accuracy(self, model: nn.Module) -> float:
        """Share of the test images that are classified correctly."""
        model.eval()
        right, count = 0, len(self._classes["test"])
        for begin in range(0, count, 500):
            pixels, classes = self._taken("test", slice(begin, begin + 500))
            right += int((model(pixels).argmax(dim=1) == classes).sum())
        model.train()
        return right / count


def _planes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def _checkpoint(path: Path, state: dict[str, Any]) -> None:
    content = BytesIO()
    torch.save(state, content)
    write_file(path, content.getvalue())


def _check_same(path: Path, found: Any, described: dict[str, Any]) -> None:
    """Check that a file is of this run."""
    if found != described:
        raise ValueError(f"{path} is of other settings, {found}; remove it, or choose another folder")


def _earlier(path: Path, described: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a run, or None if there is none."""
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text())
    _check_same(path, result["run"], described)
    return result


def _resumed(path: Path, described: dict[str, Any]) -> dict[str, Any] | None:
    """The state of a checkpoint, or None if there is none."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    _check_same(path, state["run"], described)
    return state


def _optimizer(model: nn.Module, settings: Settings) -> torch.optim.SGD:
    """SGD. Caffe moves biases twice as fast as weights."""
    weights = [tensor for name, tensor in model.named_parameters() if "bias" not in name]
    biases = [tensor for name, tensor in model.named_parameters() if "bias" in name]
    groups = [{"params": weights, "share": 1.0}, {"params": biases, "share": 2.0}]
    return torch.optim.SGD(groups, lr=1e-3, momentum=settings.momentum, weight_decay=settings.decay)


def _described(
    name: str, quantized: Mapping[str, Any] | None, seed: int, settings: Settings
) -> dict[str, Any]:
    """What a run is told by."""
    return {"method": name, "seed": seed, "quantized": dict(quantized or {}), "settings": asdict(settings)}


def _files(name: str, seed: int, folder: Path) -> tuple[Path, Path]:
    """The result of a run, and its checkpoint."""
    stem = f"{name.replace(' ', '-')}-{seed}"
    return folder / f"{stem}.json", folder / f"{stem}.pt"


def _made(images: Images, quantized: Mapping[str, Any] | None) -> nn.Sequential:
    """The network before training, with an output for each class of the images."""
    model = cifar10_quick(1 + int(images["train_classes"].max()))
    if quantized is not None:
        quantize_(model, **quantized)
    return model


def network(
    name: str,
    quantized: Mapping[str, Any] | None,
    seed: int,
    images: Images,
    settings: Settings,
    folder: Path,
    progress: Progress,
) -> nn.Sequential:
    """The network that :func:`train` trains, or has trained before; see there for the arguments.

    Returns
    -------
    torch.nn.Sequential
        The network, in evaluation mode.

    Raises
    ------
    ValueError
        The folder has a checkpoint or a result of other settings, or a result without its weights.
    """
    train(name, quantized, seed, images, settings, folder, progress)
    done, saved = _files(name, seed, folder)
    state = _resumed(saved, _described(name, quantized, seed, settings))
    if state is None:
        raise ValueError(
            f"{done} is there, and the weights in {saved.name} are not; remove it to train again"
        )
    model = _made(images, quantized)
    model.load_state_dict(state["model"])
    return model.eval()


def train(
    name: str,
    quantized: Mapping[str, Any] | None,
    seed: int,
    images: Images,
    settings: Settings,
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Train a network, or take its result from ``folder``, or go on from a checkpoint there.

    Parameters
    ----------
    name : str
        Name of the method, for files and messages.
    quantized : mapping of str to Any, optional
        Arguments of :func:`zipsgd.torch.quantize_`; None trains in full precision.
    seed : int
        Seed of the initial weights and of the order of the images.
    images : Images
        CIFAR-10.
    settings : Settings
        How it is trained.
    folder : Path
        Folder for the checkpoint, which keeps the final weights, and for the result.
    progress : Progress
        Told of each checkpoint.

    Returns
    -------
    dict of str to Any
        Method, seed, accuracy on the test images, bits a weight, and ``curve``: training loss and accuracy by steps.

    Raises
    ------
    ValueError
        The folder has a checkpoint or a result of other settings.
    """
    described = _described(name, quantized, seed, settings)
    done, saved = _files(name, seed, folder)
    result = _earlier(done, described)
    if result is not None:
        progress(settings.steps, f"{name}, seed {seed}: done before", True)
        return result
    torch.manual_seed(seed)
    model, batches = _made(images, quantized), _Batches(images, settings.batch)
    optimizer = _optimizer(model, settings)
    first, curve, total = 0, [], 0.0
    state = _resumed(saved, described)
    if state is not None:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, curve = state["step"], state["curve"]
        progress(first, f"{name}, seed {seed}: goes on from step {first:,}", True)
    if quantized is not None:
        refresh_every(model, optimizer, settings.refresh)
    begun = time.monotonic()
    for step in range(first, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * (1e-3 if step < 0.8 * settings.steps else 1e-4)
        pixels, classes = batches.training(seed, step)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(pixels), classes)
        loss.backward()
        optimizer.step()
        total += loss.item()
        if (step + 1) % settings.every == 0 or step + 1 == settings.steps:
            accuracy = batches.accuracy(model)
            since = step + 1 - (curve[-1]["step"] if curve else 0)
            curve.append({"step": step + 1, "loss": total / since, "accuracy": accuracy})
            total = 0.0
            state = {"run": described, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            _checkpoint(saved, {**state, "step": step + 1, "curve": curve})
            said = (
                f"{name}, seed {seed}: step {step + 1:,} of {settings.steps:,}, loss {curve[-1]['loss']:.3f}"
            )
            pace = (time.monotonic() - begun) / since
            progress(since, f"{said}, accuracy {100 * accuracy:.1f} %, {1e3 * pace:.0f} ms a step")
            begun = time.monotonic()
    bits = 32.0 if quantized is None else export(model).bits_per_weight
    found = {
        "run": described,
        "method": name,
        "seed": seed,
        "accuracy": curve[-1]["accuracy"],
        "bits a weight": bits,
    }
    write_file(done, json.dumps({**found, "curve": curve}, indent=1) + "\n")
    return {**found, "curve": curve}
