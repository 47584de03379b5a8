"""Quantise the layers of a model, and place their levels anew while it is trained."""

import operator
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .placing import Method, Per, Rounding
from .quantizer import LevelQuantizer

__all__ = ["quantize_", "quantized_layers", "refresh_", "refresh_every"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)
_MOST = 1 << 16
"""Largest number of levels: a code has at most 16 bits."""


def _quantizer(layer: nn.Module) -> LevelQuantizer | None:
    if not parametrize.is_parametrized(layer, "weight"):
        return None
    found = [each for each in _originals(layer) if isinstance(each, LevelQuantizer)]
    return found[0] if found else None


def _originals(layer: nn.Module) -> Any:
    """The list of parametrisations of a layer's weights."""
    parametrizations: Any = layer.parametrizations
    return parametrizations["weight"]


def _master(layer: nn.Module) -> Tensor:
    """The unrounded weights of a quantised layer, as its other parametrisations have made them."""
    listed = _originals(layer)
    several = not listed.is_tensor  # weight_norm, for one, makes the weights of two tensors
    values = (
        [getattr(listed, f"original{i}") for i in range(listed.ntensors)] if several else [listed.original]
    )
    for each in listed:
        if isinstance(each, LevelQuantizer):
            break
        values = [each(*values)]
    weight: Tensor = values[0]
    return weight


def quantized_layers(model: nn.Module) -> dict[str, tuple[nn.Module, LevelQuantizer, Tensor]]:
    """The quantised layers of a model.

    Parameters
    ----------
    model : torch.nn.Module
        A model; one from ``torch.compile`` counts as the model that was compiled.

    Returns
    -------
    dict of str to (torch.nn.Module, LevelQuantizer, torch.Tensor)
        By name: the layer, its quantiser, and its unrounded weights.
    """
    model = getattr(model, "_orig_mod", model)
    found = {}
    for name, layer in model.named_modules():
        quantizer = _quantizer(layer)
        if quantizer is not None:
            found[name] = (layer, quantizer, _master(layer))
    return found


def _chosen(model: nn.Module, skip: Iterable[str]) -> dict[str, nn.Module]:
    """The layers to quantise by name."""
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, _KINDS)}
    if not layers:
        kinds = ", ".join(kind.__name__ for kind in _KINDS)
        raise ValueError(f"{type(model).__name__} has no layer whose weights can be quantised: {kinds}")
    names = list(layers)
    left = set()
    for pattern in [skip] if isinstance(skip, str) else skip:
        positions = {"first": names[:1], "last": names[-1:]}
        hit = positions.get(pattern) or [name for name in names if fnmatchcase(name, pattern)]
        if not hit:
            raise ValueError(f"skip names {pattern!r}, and no layer is called so; layers: {', '.join(names)}")
        left.update(hit)
    if len(left) == len(names):
        raise ValueError(f"skip names all layers that can be quantised: {', '.join(names)}")
    return {name: layer for name, layer in layers.items() if name not in left}


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _check_layer(name: str, layer: nn.Module) -> None:
    if _quantizer(layer) is not None:
        raise ValueError(
            f"layer {name!r} is quantised already; torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight') "
            f"undoes that"
        )
    weight = layer.weight
    if isinstance(weight, nn.parameter.UninitializedParameter):
        raise ValueError(f"layer {name!r} has no weights yet; run the model once on a batch first")
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        raise ValueError(f"layer {name!r} must have weights that are floats; it is quantised in another way")


def _refreshed(name: str, quantizer: LevelQuantizer, weight: Tensor) -> None:
    try:
        quantizer.refresh(weight)
    except ValueError as error:
        raise ValueError(f"layer {name!r}: {error}") from None


def quantize_(
    model: nn.Module,
    levels: int | None = None,
    method: Method = "optimal",
    rounding: Rounding = "nearest",
    per: Per = "tensor",
    skip: Iterable[str] = (),
) -> nn.Module:
    """Round the weights of a model's linear and convolutional layers to a few levels, in place.

    ``layer.weight`` is from now on the rounded weights. The unrounded ones, which an optimiser updates, are the parameter
    ``layer.parametrizations.weight.original``: quantise a model before its optimiser is made, or give the optimiser the same
    parameters, which stay the same objects. Biases and other layers are left alone.

    The levels fit the weights that there are now. They stay where they are until :func:`refresh_` is called, or after each so
    many steps with :func:`refresh_every`.

    Parameters
    ----------
    model : torch.nn.Module
        The model, on any device. Layers of the types Linear, Conv1d to Conv3d and ConvTranspose1d to ConvTranspose3d are
        quantised.
    levels : int, optional
        Number of levels, 2 to 65,536; by default 5, and 2 for ``"binary"``.
    method : {"optimal", "heuristic", "uniform", "binary"}
        ``"optimal"``: for nearest rounding the levels of least squared error (Lloyd-Max), for stochastic rounding those of
        least variance, both exact. ``"heuristic"``: ZipML's greedy merging. ``"uniform"``: evenly spaced from ``-max |w|`` to
        ``max |w|``. ``"binary"``: XNOR-Net's two levels, plus and minus the mean of ``|w|``.
    rounding : {"nearest", "stochastic"}
        Each weight goes to the nearest level; or in training to one of the two around it at random, so that the mean is the
        weight, and in evaluation to the nearest one.
    per : {"tensor", "channel"}
        Whether all weights of a layer share levels, or each output channel has its own.
    skip : iterable of str
        Layers to leave alone: ``"first"``, ``"last"``, or names and patterns such as ``"features.0"`` and ``"head.*"``.

    Returns
    -------
    torch.nn.Module
        ``model``.

    Raises
    ------
    ValueError
        An argument is not as described, there is no such layer, or a layer's weights cannot be quantised. No layer is changed
        then.
    """
    _check_choice("method", method, get_args(Method))
    _check_choice("rounding", rounding, get_args(Rounding))
    _check_choice("per", per, get_args(Per))
    count = operator.index((2 if method == "binary" else 5) if levels is None else levels)
    if not 2 <= count <= _MOST:
        raise ValueError(f"levels must be at least 2 and at most {_MOST}, not {count}")
    if method == "binary" and count != 2:
        raise ValueError(
            f"method 'binary' has 2 levels, not {count}; leave out levels, or choose another method"
        )
    if hasattr(model, "_orig_mod"):
        raise ValueError("quantize_ must come before torch.compile: quantise the model, then compile it")
    chosen = _chosen(model, skip)
    made = []
    for name, layer in chosen.items():
        _check_layer(name, layer)
        channels = None if per == "tensor" else int(isinstance(layer, _TRANSPOSED))
        try:
            made.append(LevelQuantizer(_weight(layer), count, method, rounding, channels))
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from None
    for layer, quantizer in zip(chosen.values(), made, strict=True):
        quantizer.train(layer.training)
        parametrize.register_parametrization(layer, "weight", quantizer)
    return model


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


def refresh_(model: nn.Module) -> None:
    """Place the levels of all quantised layers anew, for the weights that they have now.

    This takes some milliseconds for 10^5 weights, on the processor. "binary" and "uniform" depend on a mean or a maximum
    alone, and take less.

    Parameters
    ----------
    model : torch.nn.Module
        A quantised model.

    Raises
    ------
    ValueError
        No layer is quantised, or weights are not finite.
    """
    found = quantized_layers(model)
    if not found:
        raise ValueError("no layer of the model is quantised; call quantize_ first")
    for name, (_, quantizer, weight) in found.items():
        _refreshed(name, quantizer, weight)


def refresh_every(
    model: nn.Module, optimizer: torch.optim.Optimizer, steps: int
) -> torch.utils.hooks.RemovableHandle:
    """Place the levels anew after each so many steps of an optimiser, see :func:`refresh_`.

    Weights move little in a step, so that levels which are some ten steps old are still nearly optimal.

    Parameters
    ----------
    model : torch.nn.Module
        A quantised model.
    optimizer : torch.optim.Optimizer
        The optimiser of its unrounded weights.
    steps : int
        Number of steps, at least 1. It is counted from this call.

    Returns
    -------
    torch.utils.hooks.RemovableHandle
        Its ``remove()`` ends this.

    Raises
    ------
    ValueError
        ``steps`` is less than 1, or no layer is quantised.
    """
    if (steps := operator.index(steps)) < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    if not quantized_layers(model):
        raise ValueError("no layer of the model is quantised; call quantize_ first")
    done = 0

    def after_step(*_: object) -> None:
        nonlocal done
        done += 1
        if done % steps == 0:
            refresh_(model)

    return optimizer.register_step_post_hook(after_step)
