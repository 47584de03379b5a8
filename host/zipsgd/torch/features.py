"""The last layer of a network, trained by zipsgd: its inputs as rows to train on, and the trained model as its weights."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from zipsgd.data import Table, as_table
from zipsgd.output import Replacement
from zipsgd.training.result import Result

__all__ = ["ClippedLinear", "feature_table", "features", "replace_layer_"]

_Rows = npt.NDArray[np.float32]


def _linear(model: nn.Module, layer: str | None) -> tuple[str, nn.Linear]:
    """A linear layer of a model, by default the last one, and its name."""
    found = {name: each for name, each in model.named_modules() if isinstance(each, nn.Linear)}
    if not found:
        raise ValueError(f"{type(model).__name__} has no linear layer")
    name = list(found)[-1] if layer is None else layer
    if name not in found:
        raise ValueError(f"the model has no linear layer {name!r}; linear layers: {', '.join(found)}")
    return name, found[name]


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients. Afterwards, each module has the mode that it had."""
    training = {each: each.training for each in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for each, mode in training.items():
            each.training = mode


class _Inputs:
    """The inputs of a linear layer for one batch after the other."""

    def __init__(self, model: nn.Module, layer: str | None) -> None:
        self._model = getattr(model, "_orig_mod", model)  # a compiled model may not call hooks
        self._name, self._layer = _linear(self._model, layer)
        self._taken: list[Tensor] = []

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within this context, the layer's inputs are kept, and the model is in evaluation mode."""

        def take(_: nn.Module, arguments: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
            self._taken.append(arguments[0] if arguments else named["input"])

        hook = self._layer.register_forward_pre_hook(take, with_kwargs=True)
        try:
            with _evaluating(self._model):
                yield
        finally:
            hook.remove()

    def of(self, batch: Any) -> _Rows:
        """The layer's inputs for a batch, shape (rows, in_features)."""
        if not isinstance(batch, Tensor | np.ndarray):
            raise TypeError(
                f"a batch must be a tensor or an array of inputs, not {type(batch).__name__}; of batches with labels, "
                f"feature_table makes a table"
            )
        weight = self._layer.weight
        inputs = torch.as_tensor(batch).to(weight.device)
        if inputs.is_floating_point():
            inputs = inputs.to(weight.dtype)
        self._taken.clear()
        self._model(inputs)
        if len(self._taken) != 1:
            raise ValueError(f"layer {self._name!r} must run once for a batch, not {len(self._taken)} times")
        rows = self._taken.pop()
        if rows.shape != (len(inputs), self._layer.in_features):
            raise ValueError(
                f"layer {self._name!r} must take a row of {self._layer.in_features} features for each of the {len(inputs)} "
                f"inputs of a batch; its input has shape {tuple(rows.shape)}"
            )
        found: _Rows = rows.float().cpu().numpy()
        return found


def _batches(inputs: Any, size: int) -> Iterator[Any]:
    if not isinstance(inputs, Tensor | np.ndarray):
        yield from inputs
        return
    if size < 1:
        raise ValueError(f"batch_size must be at least 1, not {size}")
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size]


def _in_memory(blocks: Iterable[_Rows]) -> _Rows:
    listed = list(blocks)
    if not listed:
        raise ValueError("there are no inputs")
    return np.concatenate(listed)


def _in_file(blocks: Iterable[_Rows], file: Path) -> _Rows:
    """Write blocks of rows into an NPY file as they come. NumPy leaves room in the header for the number of rows."""
    rows, columns = 0, 0
    with Replacement(file) as output:
        for block in blocks:
            if not rows:
                columns = block.shape[1]
                _write_header(output, rows, columns)
            output.write(block.tobytes())
            rows += len(block)
        if not rows:
            raise ValueError("there are no inputs")
        output.seek(0)
        _write_header(output, rows, columns)
    kept: _Rows = np.load(file, mmap_mode="r")
    return kept


def _write_header(output: Replacement, rows: int, columns: int) -> None:
    described = {"descr": "<f4", "fortran_order": False, "shape": (rows, columns)}
    np.lib.format.write_array_header_1_0(output, described)


def features(
    model: nn.Module,
    inputs: Any,
    layer: str | None = None,
    *,
    batch_size: int = 256,
    file: str | Path | None = None,
) -> _Rows:
    """The inputs of a linear layer of a network, by default of the last one: what ``zipsgd.train`` can train that layer on.

    The network runs in evaluation mode and without gradients, one batch after the other, where its weights are. Afterwards its
    modules have the mode that they had.

    Parameters
    ----------
    model : torch.nn.Module
        The network. It is called with a batch of inputs alone.
    inputs : torch.Tensor, array, or iterable of either
        Inputs of shape (rows, ...), as the network takes them, or batches of them. Floats take the type of the layer's weights.
    layer : str, optional
        Name of a linear layer, as in ``model.named_modules()``; by default the last one there.
    batch_size : int
        Rows of a batch, for inputs that are not in batches.
    file : str or Path, optional
        An NPY file to write features to as they come. Without one they are kept in memory.

    Returns
    -------
    array of float32, shape (rows, in_features)
        The features; mapped from ``file`` if there is one, so that ``zipsgd.train`` reads them in blocks.

    Raises
    ------
    ValueError
        There is no such linear layer, it does not run once for a batch, its input is not one row for each input, or there are
        no inputs.
    TypeError
        A batch is something else, such as a pair of inputs and labels; see :func:`feature_table`.
    OutputError
        The file cannot be written.
    """
    found = _Inputs(model, layer)
    with found.taken():
        blocks = (found.of(batch) for batch in _batches(inputs, batch_size))
        return _in_memory(blocks) if file is None else _in_file(blocks, Path(file))


def feature_table(
    model: nn.Module,
    batches: Iterable[Any],
    layer: str | None = None,
    *,
    file: str | Path | None = None,
) -> Table:
    """The inputs of a linear layer beside the labels, as a table for ``zipsgd.train``, see :func:`features`.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    batches : iterable of pair of (torch.Tensor, torch.Tensor)
        Batches of inputs and labels, such as a ``DataLoader``. They are read once, so that they may be shuffled.
    layer : str, optional
        Name of a linear layer; by default the last one.
    file : str or Path, optional
        An NPY file to write features to as they come. Without one they are kept in memory.

    Returns
    -------
    Table
        Features and labels, in the order of the batches.

    Raises
    ------
    ValueError, OutputError
        As in :func:`features`.
    TypeError
        A batch is not a pair of inputs and labels.
    DataError
        Numbers of features and labels do not match, or a value is not finite.
    """
    labels: list[npt.NDArray[Any]] = []

    def inputs() -> Iterator[Any]:
        for batch in batches:
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise TypeError(f"a batch must be a pair of inputs and labels, not {type(batch).__name__}")
            labels.append(torch.as_tensor(batch[1]).cpu().numpy())
            yield batch[0]

    found = features(model, inputs(), layer, file=file)
    return as_table(found, np.concatenate(labels), source="the features")


class ClippedLinear(nn.Linear):
    """A linear layer whose inputs are clipped, as those were that it was trained on.

    Parameters
    ----------
    in_features, out_features : int
        Sizes of input and output.

    Attributes
    ----------
    low, high : torch.Tensor of shape (in_features,)
        Ends of the range of each feature.
    """

    low: Tensor
    high: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.register_buffer("low", torch.full((in_features,), -torch.inf))
        self.register_buffer("high", torch.full((in_features,), torch.inf))

    def forward(self, input: Tensor) -> Tensor:
        """Outputs for inputs of shape (..., in_features)."""
        found: Tensor = super().forward(input.clamp(self.low, self.high))
        return found


def _layer_of(result: Result) -> nn.Linear:
    """A layer that computes the outputs of a model."""
    weights, intercepts = np.atleast_2d(result.coef), np.atleast_1d(result.intercept)
    if result.CLASSIFIES and len(weights) == 1:  # of two classes: above 0 is the second
        weights, intercepts = (np.concatenate([np.zeros_like(each), each]) for each in (weights, intercepts))
    clipped = result.clipped_columns
    made = (ClippedLinear if clipped else nn.Linear)(weights.shape[1], len(weights)).double()
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(weights))
        made.bias.copy_(torch.from_numpy(intercepts))
    for each in clipped:
        assert isinstance(made, ClippedLinear)
        made.low[each.column], made.high[each.column] = each.low, each.high
    return made


def replace_layer_(model: nn.Module, result: Result, layer: str | None = None) -> nn.Linear:
    """Put a trained model in the place of a linear layer of a network, in place.

    The network's outputs are then those of the model, for the features that :func:`features` takes from this layer. Of a
    classifier, output i belongs to ``result.classes[i]``, and the largest one names the predicted class; of two classes, the
    first output is 0. A layer whose weights were quantised is replaced by one with the weights that were trained.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    result : Result
        From ``zipsgd.train``, or from ``zipsgd.load_model``.
    layer : str, optional
        Name of a linear layer; by default the last one.

    Returns
    -------
    torch.nn.Linear
        The new layer, of the type, device and mode of the old one. It is a :class:`ClippedLinear` if training clipped features.

    Raises
    ------
    ValueError
        There is no such linear layer, it is the model itself, or it takes another number of features.
    """
    model = getattr(model, "_orig_mod", model)
    name, old = _linear(model, layer)
    if not name:
        raise ValueError(
            "the model is a linear layer itself, so that there is nothing to put another one into"
        )
    if old.in_features != len(result.columns):
        raise ValueError(
            f"layer {name!r} takes {old.in_features} features, and the model was trained on {len(result.columns)}"
        )
    new = _layer_of(result).to(old.weight.device, old.weight.dtype).train(old.training)
    place, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(place), attribute, new)
    return new
