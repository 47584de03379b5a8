"""The parametrisation that rounds a layer's weights to levels."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from .placing import Method, Rounding, place_levels

__all__ = ["LevelQuantizer"]


class LevelQuantizer(nn.Module):
    """Round weights to levels; a parametrisation for ``torch.nn.utils.parametrize``.

    The gradient with respect to the rounded weights is passed on to the unrounded ones as it is (straight-through). With
    stochastic rounding, each forward pass in training draws anew; in evaluation (``eval()``) weights go to the nearest level,
    so that outputs can be repeated.

    Parameters
    ----------
    weight : torch.Tensor
        The layer's weights, for which levels are placed.
    count : int
        Number of levels, at least 2.
    method : {"optimal", "heuristic", "uniform", "binary"}
        How levels are placed.
    rounding : {"nearest", "stochastic"}
        How weights are rounded.
    channels : int, optional
        The dimension of the output channels if each channel has levels of its own. By default all weights share levels.

    Attributes
    ----------
    levels : torch.Tensor of shape (groups, count)
        The levels of each channel, or of all weights, in ascending order. A buffer: it is part of ``state_dict``, and moves
        with the layer to a device.
    """

    levels: Tensor

    def __init__(
        self,
        weight: Tensor,
        count: int,
        method: Method = "optimal",
        rounding: Rounding = "nearest",
        channels: int | None = None,
    ) -> None:
        super().__init__()
        self.count, self.method, self.rounding, self.channels = count, method, rounding, channels
        groups = 1 if channels is None else weight.shape[channels]
        self.register_buffer("levels", torch.zeros(groups, count, dtype=weight.dtype, device=weight.device))
        self.refresh(weight)

    def extra_repr(self) -> str:
        """What ``repr`` says."""
        per = "tensor" if self.channels is None else "channel"
        return f"levels={self.count}, method={self.method!r}, rounding={self.rounding!r}, per={per!r}"

    def grouped(self, values: Tensor) -> Tensor:
        """Weights, or something of their shape, as an array of shape (groups, weights of a group)."""
        if self.channels is None:
            return values.reshape(1, -1)
        return values.transpose(0, self.channels).reshape(values.shape[self.channels], -1)

    def restored(self, groups: Tensor, like: torch.Size) -> Tensor:
        """The inverse of :meth:`grouped`, for weights of the shape ``like``."""
        if self.channels is None:
            return groups.reshape(like)
        shape = list(like)
        shape[0], shape[self.channels] = shape[self.channels], shape[0]
        return groups.reshape(shape).transpose(0, self.channels)

    @torch.no_grad()
    def refresh(self, weight: Tensor) -> None:
        """Place the levels anew.

        Parameters
        ----------
        weight : torch.Tensor
            The layer's unrounded weights, on any device.

        Raises
        ------
        ValueError
            Weights are not finite.
        """
        groups = self.grouped(weight.detach()).to("cpu", torch.float64).numpy()
        placed = place_levels(np.ascontiguousarray(groups), self.count, self.method, self.rounding)
        self.levels.copy_(torch.from_numpy(placed))

    def codes(self, weight: Tensor) -> Tensor:
        """The number of the nearest level of each weight; halfway between two, the lower one.

        Parameters
        ----------
        weight : torch.Tensor
            Unrounded weights.

        Returns
        -------
        torch.Tensor of shape (groups, weights of a group), torch.int64
            Numbers from 0 to ``count`` - 1.
        """
        limits = (self.levels[:, 1:] + self.levels[:, :-1]) / 2
        return torch.searchsorted(limits.contiguous(), self.grouped(weight).contiguous())

    def _drawn(self, weight: Tensor) -> Tensor:
        """Numbers of levels, drawn so that the mean is the weight. Weights outside of the levels go to the outermost one."""
        groups = self.grouped(weight).contiguous()
        upper = torch.searchsorted(self.levels.contiguous(), groups).clamp(1, self.count - 1)
        below, above = torch.gather(self.levels, 1, upper - 1), torch.gather(self.levels, 1, upper)
        draws = torch.rand_like(groups)
        return upper - (draws * (above - below) >= groups - below).to(upper.dtype)

    def forward(self, weight: Tensor) -> Tensor:
        """Round weights.

        Parameters
        ----------
        weight : torch.Tensor
            Unrounded weights.

        Returns
        -------
        torch.Tensor
            Levels, in the shape of ``weight``.
        """
        with torch.no_grad():
            fixed = weight.detach()
            drawn = self.training and self.rounding == "stochastic"
            numbers = self._drawn(fixed) if drawn else self.codes(fixed)
            rounded = self.restored(torch.gather(self.levels, 1, numbers), weight.shape)
        # The second term is exactly zero; only its gradient counts
        return cast(Tensor, rounded + (weight - weight.detach()))
