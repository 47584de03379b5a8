"""Quantised weights as tables of levels and packed codes."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zipsgd.output import write_file

from .model import quantized_layers

__all__ = ["Exported", "PackedLayer", "export"]

_Words = npt.NDArray[np.uint64]
_VERSION = 1


def _digits(base: int) -> int:
    """The number of digits of a base that fit into a word of 64 bits."""
    digits: int = 1
    while base ** (digits + 1) <= 1 << 64:
        digits += 1
    return digits


def _packed(codes: npt.NDArray[np.int64], base: int) -> _Words:
    """Digits as words of 64 bits, the first one in the lowest place; the last word is filled up with zeros."""
    digits = _digits(base)
    rows = np.zeros((-(-codes.size // digits), digits), dtype=np.uint64)
    rows.reshape(-1)[: codes.size] = codes
    words = np.zeros(len(rows), dtype=np.uint64)
    for place in range(digits - 1, -1, -1):
        words = words * np.uint64(base) + rows[:, place]
    return words


def _unpacked(words: _Words, base: int, size: int) -> npt.NDArray[np.int64]:
    """The inverse of :func:`_packed`."""
    rows = np.empty((words.size, _digits(base)), dtype=np.int64)
    for place in range(rows.shape[1]):
        rows[:, place] = words % np.uint64(base)
        words = words // np.uint64(base)
    return rows.reshape(-1)[:size]


@dataclass(frozen=True)
class PackedLayer:
    """The quantised weights of a layer.

    Parameters
    ----------
    shape : tuple of int
        Shape of the weights.
    channels : int, optional
        The dimension whose slices have levels of their own; None if all weights share levels.
    levels : torch.Tensor of shape (groups, count)
        Levels in ascending order.
    words : npt.NDArray[np.uint64] of shape (words,)
        Numbers of the weights' levels, as digits of base ``count``: as many in each word as fit, the first one in the lowest
        place, group by group.
    """

    shape: tuple[int, ...]
    channels: int | None
    levels: Tensor
    words: _Words

    @property
    def weights(self) -> int:
        """int: Number of weights."""
        return math.prod(self.shape)

    @property
    def bits(self) -> int:
        """int: Bits of codes and levels together."""
        table: int = self.levels.element_size() * self.levels.numel()
        return 64 * self.words.size + 8 * table

    @property
    def bits_per_weight(self) -> float:
        """float: Bits of codes and levels, over the number of weights."""
        return self.bits / self.weights

    def unpack(self) -> Tensor:
        """The quantised weights: exactly those that the layer computes with in evaluation.

        Returns
        -------
        torch.Tensor of shape ``shape``
            The weights, on the processor.
        """
        codes = torch.from_numpy(_unpacked(self.words, self.levels.shape[1], self.weights))
        groups = torch.gather(self.levels, 1, codes.reshape(self.levels.shape[0], -1))
        if self.channels is None:
            return groups.reshape(self.shape)
        shape = list(self.shape)
        shape[0], shape[self.channels] = shape[self.channels], shape[0]
        return groups.reshape(shape).transpose(0, self.channels).contiguous()


@dataclass(frozen=True)
class Exported:
    """The quantised weights of a model.

    Parameters
    ----------
    layers : dict of str to PackedLayer
        By the layers' names.
    """

    layers: dict[str, PackedLayer]

    @property
    def bits_per_weight(self) -> float:
        """float: Bits of codes and levels of all layers, over the number of their weights."""
        return sum(each.bits for each in self.layers.values()) / sum(
            each.weights for each in self.layers.values()
        )

    def __str__(self) -> str:
        """A table of the layers."""
        width = max(len("layer"), *map(len, self.layers))
        rows = [f"{'layer':{width}}  {'weights':>10}  levels  bits a weight"]
        for name, each in self.layers.items():
            rows.append(
                f"{name:{width}}  {each.weights:10,}  {each.levels.shape[1]:6}  {each.bits_per_weight:13.3f}"
            )
        total = sum(each.weights for each in self.layers.values())
        return "\n".join([*rows, f"{'all':{width}}  {total:10,}  {'':6}  {self.bits_per_weight:13.3f}"])

    def apply_to(self, model: nn.Module) -> None:
        """Write the quantised weights into a model of the same structure, whose layers are not quantised.

        Parameters
        ----------
        model : torch.nn.Module
            The model. Its biases and other layers stay as they are.

        Raises
        ------
        ValueError
            It has no such layer, or one whose weights have another shape.
        """
        modules = dict(model.named_modules())
        found = {}
        for name, each in self.layers.items():
            parameters = dict(modules[name].named_parameters(recurse=False)) if name in modules else {}
            weight = parameters.get("weight")
            if weight is None or tuple(weight.shape) != each.shape:
                what = (
                    "no layer of that name with unquantised weights"
                    if weight is None
                    else tuple(weight.shape)
                )
                raise ValueError(
                    f"the model must have a layer {name!r} with weights of shape {each.shape}: it has {what}"
                )
            found[name] = weight
        with torch.no_grad():
            for name, weight in found.items():
                weight.copy_(self.layers[name].unpack())

    def save(self, path: str | Path) -> None:
        """Write a file that :meth:`load` and ``torch.load`` read.

        Parameters
        ----------
        path : str or Path
            The file.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        from io import BytesIO

        layers = {
            name: {
                "shape": list(each.shape),
                "channels": each.channels,
                "levels": each.levels,
                "words": torch.from_numpy(each.words.view(np.int64).copy()),
            }
            for name, each in self.layers.items()
        }
        content = BytesIO()
        torch.save({"zipsgd.torch": _VERSION, "layers": layers}, content)
        write_file(path, content.getvalue())

    @staticmethod
    def load(path: str | Path) -> "Exported":
        """Read a file that :meth:`save` has written.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        Exported
            The weights.

        Raises
        ------
        ValueError
            It is not such a file, or one of another version.
        """
        content: Any
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:  # torch raises many kinds for a broken file
            raise ValueError(f"{path} is not a file of exported weights: {error}") from None
        if not isinstance(content, dict) or content.get("zipsgd.torch") != _VERSION:
            raise ValueError(f"{path} is not a file of exported weights of version {_VERSION}")
        return Exported(
            {
                name: PackedLayer(
                    tuple(each["shape"]),
                    each["channels"],
                    each["levels"],
                    each["words"].numpy().view(np.uint64),
                )
                for name, each in content["layers"].items()
            }
        )


def export(model: nn.Module) -> Exported:
    """The quantised weights of a model, as tables of levels and packed codes.

    With stochastic rounding, weights are rounded to the nearest level, as in evaluation.

    Parameters
    ----------
    model : torch.nn.Module
        A quantised model.

    Returns
    -------
    Exported
        The weights of its quantised layers.

    Raises
    ------
    ValueError
        No layer is quantised.
    """
    found = quantized_layers(model)
    if not found:
        raise ValueError("no layer of the model is quantised; call quantize_ first")
    layers = {}
    for name, (_, quantizer, weight) in found.items():
        codes = quantizer.codes(weight.detach()).cpu().numpy().reshape(-1)
        levels = quantizer.levels.detach().cpu().clone()
        layers[name] = PackedLayer(
            tuple(weight.shape), quantizer.channels, levels, _packed(codes, quantizer.count)
        )
    return Exported(layers)
