"""How networks are trained: Caffe's way for cifar10_quick, and a short way for the residual network."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from .vision_images import Batches, Images
from .vision_networks import cifar10_quick, resnet20

__all__ = ["QuickSettings", "ResNetSettings", "Settings"]


class Settings(Protocol):
    """A network, and how it is trained. The settings of a run are a dataclass, whose fields are kept with its result."""

    @property
    def steps(self) -> int:
        """int: Number of mini-batches."""

    @property
    def every(self) -> int:
        """int: Steps from one checkpoint and measurement to the next, a multiple of ``refresh``."""

    @property
    def refresh(self) -> int:
        """int: Steps from one placing of the levels to the next."""

    @property
    def bfloat16(self) -> bool:
        """bool: Whether training computes in 16 bits where PyTorch finds that it may. Measurements have 32 bits."""

    def network(self, classes: int) -> nn.Sequential:
        """The network before training.

        Parameters
        ----------
        classes : int
            Number of classes.

        Returns
        -------
        torch.nn.Sequential
            The network.
        """

    def batches(self, images: Images) -> Batches:
        """The mini-batches.

        Parameters
        ----------
        images : Images
            The images.

        Returns
        -------
        Batches
            The mini-batches.
        """

    def optimizer(self, model: nn.Module) -> torch.optim.SGD:
        """The optimiser.

        Parameters
        ----------
        model : torch.nn.Module
            The network.

        Returns
        -------
        torch.optim.SGD
            SGD, whose groups of parameters have a ``share`` of the step size each.
        """

    def step_size(self, step: int) -> float:
        """The step size.

        Parameters
        ----------
        step : int
            Number of the step.

        Returns
        -------
        float
            Its size.
        """


def _check(every: int, refresh: int) -> None:
    if every % refresh:  # a run that goes on from a checkpoint places levels at the same steps
        raise ValueError(f"every must be a multiple of refresh, {refresh}, not {every}")


@dataclass(frozen=True)
class QuickSettings:
    """How cifar10_quick is trained; those of Caffe. See :class:`Settings`.

    Parameters
    ----------
    steps : int
        Number of mini-batches. The step size is 1e-3, and 1e-4 in the last fifth of them.
    every, refresh : int
        Steps between checkpoints, and between placings of the levels.
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

    bfloat16 = False

    def __post_init__(self) -> None:
        _check(self.every, self.refresh)

    def network(self, classes: int) -> nn.Sequential:
        """See :meth:`Settings.network`."""
        return cifar10_quick(classes)

    def batches(self, images: Images) -> Batches:
        """See :meth:`Settings.batches`."""
        return Batches(images, self.batch)

    def optimizer(self, model: nn.Module) -> torch.optim.SGD:
        """See :meth:`Settings.optimizer`. Caffe moves biases twice as fast as weights."""
        weights = [tensor for name, tensor in model.named_parameters() if "bias" not in name]
        biases = [tensor for name, tensor in model.named_parameters() if "bias" in name]
        groups = [{"params": weights, "share": 1.0}, {"params": biases, "share": 2.0}]
        return torch.optim.SGD(groups, lr=1e-3, momentum=self.momentum, weight_decay=self.decay)

    def step_size(self, step: int) -> float:
        """See :meth:`Settings.step_size`."""
        return 1e-3 if step < 0.8 * self.steps else 1e-4


@dataclass(frozen=True)
class ResNetSettings:
    """How the residual network is trained in few epochs. See :class:`Settings`.

    Parameters
    ----------
    steps : int
        Number of mini-batches.
    every, refresh : int
        Steps between checkpoints, and between placings of the levels.
    batch : int
        Images of a mini-batch.
    peak : float
        The largest step size. It grows to it in the first fifth of the steps, and falls to zero in the others.
    momentum, decay : float
        Nesterov's momentum, and weight decay.
    """

    steps: int = 6240
    every: int = 780
    refresh: int = 10
    batch: int = 128
    peak: float = 0.2
    momentum: float = 0.9
    decay: float = 5e-4

    bfloat16 = True

    def __post_init__(self) -> None:
        _check(self.every, self.refresh)

    def network(self, classes: int) -> nn.Sequential:
        """See :meth:`Settings.network`."""
        return resnet20(classes).to(memory_format=torch.channels_last)

    def batches(self, images: Images) -> Batches:
        """See :meth:`Settings.batches`."""
        return Batches(images, self.batch, moved=True, spread=64)

    def optimizer(self, model: nn.Module) -> torch.optim.SGD:
        """See :meth:`Settings.optimizer`."""
        groups = [{"params": list(model.parameters()), "share": 1.0}]
        return torch.optim.SGD(
            groups, lr=self.peak, momentum=self.momentum, weight_decay=self.decay, nesterov=True
        )

    def step_size(self, step: int) -> float:
        """See :meth:`Settings.step_size`."""
        top = self.steps / 5
        return self.peak * min((step + 1) / top, (self.steps - step) / (self.steps - top))
