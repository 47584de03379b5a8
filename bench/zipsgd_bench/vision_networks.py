"""Networks that are trained on CIFAR-10: Caffe's cifar10_quick, and a residual network of 20 layers."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["cifar10_quick", "resnet20"]


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


class _Block(nn.Module):
    """Two convolutions, and a way around them. Where they halve the image, it takes every other pixel, and zeros for new
    channels (He et al., Deep Residual Learning, section 4.2, option A)."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self._stride, self._new = (1 if channels == channels_in else 2), channels - channels_in
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, self._stride, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        around = functional.pad(pixels[:, :, :: self._stride, :: self._stride], (0, 0, 0, 0, 0, self._new))
        return functional.relu(self.convolutions(pixels) + around)


def resnet20(classes: int = 10) -> nn.Sequential:
    """The residual network of 20 layers for images of 32 x 32 pixels (He et al., Deep Residual Learning, section 4.2).

    Parameters
    ----------
    classes : int
        Number of classes.

    Returns
    -------
    torch.nn.Sequential
        268,336 weights for ten classes in 19 convolutional layers and a linear one.
    """
    widths = [16] * 4 + [32] * 3 + [64] * 3
    model = nn.Sequential(
        nn.Conv2d(3, widths[0], 3, padding=1, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(),
        *(_Block(before, after) for before, after in pairwise(widths)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(widths[-1], classes),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return model
