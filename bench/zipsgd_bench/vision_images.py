"""Images as a network takes them, in mini-batches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Batches", "Images", "mean_image", "pixels_of"]

Images = Mapping[str, npt.NDArray[np.uint8]]
"""``train`` and ``test`` of shape (images, 3072), ``train_classes`` and ``test_classes``, see ``cifar10_images``."""

_SHIFT = 4
"""Pixels by which images are moved, at most."""


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


def _planes(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(images.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2))


def _moved(pixels: Tensor, rng: np.random.Generator) -> Tensor:
    """Each image moved by some pixels, and mirrored or not."""
    count, _, height, width = pixels.shape
    padded = functional.pad(pixels, (_SHIFT,) * 4)

    def places(size: int) -> Tensor:
        shift = torch.from_numpy(rng.integers(0, 2 * _SHIFT + 1, count))
        return shift[:, None] + torch.arange(size)

    rows, columns = places(height), places(width)
    mirrored = torch.from_numpy(rng.random(count) < 0.5)
    columns[mirrored] = columns[mirrored].flip(1)
    image = torch.arange(count)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)  # channels still come last in memory


class Batches:
    """Mini-batches of the training images, and accuracy on the test images.

    Parameters
    ----------
    images : Images
        The images.
    batch : int
        Images of a mini-batch.
    moved : bool
        Whether training images are moved by up to four pixels and mirrored at random, as is usual for residual networks.
    spread : float
        What pixels are divided by.
    """

    def __init__(self, images: Images, batch: int, moved: bool = False, spread: float = 1) -> None:
        self._mean = mean_image(images)
        self._pixels = {part: torch.from_numpy(_planes(images[part])) for part in ("train", "test")}
        self._classes = {
            part: torch.from_numpy(images[f"{part}_classes"].astype(np.int64)) for part in self._pixels
        }
        self._batch, self._moves, self._spread = batch, moved, spread
        self._order: tuple[tuple[int, int], npt.NDArray[np.int64]] | None = None

    def _taken(self, part: str, which: Any) -> tuple[Tensor, Tensor]:
        pixels = _centred(self._pixels[part][which], self._mean)
        return (pixels if self._spread == 1 else pixels / self._spread), self._classes[part][which]

    def training(self, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """The images and classes of a step. They depend on seed and step alone: each epoch has an order of its own.

        Parameters
        ----------
        seed, step : int
            Seed of the run, and number of the step.

        Returns
        -------
        (torch.Tensor, torch.Tensor)
            Pixels of shape (images, 3, 32, 32), and classes of shape (images,).
        """
        steps = len(self._classes["train"]) // self._batch
        epoch, place = divmod(step, steps)
        if self._order is None or self._order[0] != (seed, epoch):
            order = np.random.default_rng((seed, epoch)).permutation(len(self._classes["train"]))
            self._order = (seed, epoch), order
        taken = self._order[1][place * self._batch : (place + 1) * self._batch]
        pixels, classes = self._taken("train", taken)
        if self._moves:
            pixels = _moved(pixels, np.random.default_rng((seed, epoch, place)))
        return pixels, classes

    @torch.no_grad()
    def accuracy(self, model: nn.Module) -> float:
        """Share of the test images that are classified correctly.

        Parameters
        ----------
        model : torch.nn.Module
            The network.

        Returns
        -------
        float
            The share.
        """
        model.eval()
        right, count = 0, len(self._classes["test"])
        for begin in range(0, count, 500):
            pixels, classes = self._taken("test", slice(begin, begin + 500))
            right += int((model(pixels).argmax(dim=1) == classes).sum())
        model.train()
        return right / count
