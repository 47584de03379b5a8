"""Features of a network, and models that take the place of its layers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import zipsgd
from zipsgd.output import OutputError

torch = pytest.importorskip(
    "torch", reason="needs PyTorch: `make test-torch` installs it and runs these tests"
)

# Behind importorskip(), since they need PyTorch
from zipsgd.torch import (  # noqa: E402
    ClippedLinear,
    feature_table,
    features,
    quantize_,
    quantized_layers,
    replace_layer_,
)

nn = torch.nn


def _network(classes: int = 3) -> "torch.nn.Module":
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 6),
        nn.Linear(6, classes),
    )


def _images(rows: int = 300) -> "torch.Tensor":
    return torch.randn(rows, 1, 6, 6)


def _classes(X: np.ndarray, count: int = 3) -> np.ndarray:
    """Classes that depend on the features."""
    return np.digitize(X[:, 0] + X[:, 1], np.quantile(X[:, 0] + X[:, 1], np.linspace(0, 1, count + 1)[1:-1]))


def test_they_are_the_inputs_of_a_layer() -> None:
    model, images = _network(), _images()
    found = features(model, images)
    assert found.dtype == np.float32
    model.eval()
    with torch.no_grad():
        np.testing.assert_array_equal(model[5](torch.from_numpy(found)), model(images))
        early = features(model, images, layer="4")
        np.testing.assert_allclose(model[4](torch.from_numpy(early)), found, rtol=1e-5, atol=1e-6)
    assert early.shape == (300, 64)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batches_do_not_matter(batch_size: int, tmp_path: Path) -> None:
    model, images = _network(), _images(20)
    expected = features(model, images)
    for inputs in (images, images.double().numpy(), torch.utils.data.DataLoader(images, batch_size)):
        np.testing.assert_allclose(
            features(model, inputs, batch_size=batch_size), expected, rtol=1e-5, atol=1e-6
        )
    file = tmp_path / "rows.npy"
    mapped = features(model, images, batch_size=batch_size, file=file)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, features(model, images, batch_size=batch_size))
    np.testing.assert_array_equal(np.load(file), mapped)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npy"]


def test_each_module_keeps_its_mode() -> None:
    model = _network().train()
    model[1].eval()
    means = model[1].running_mean.clone()
    features(model, _images(8))
    assert [each.training for each in model.modules()] == [True, True, False, True, True, True, True]
    assert not model[5]._forward_pre_hooks
    assert torch.equal(model[1].running_mean, means)
    with pytest.raises(RuntimeError):
        features(model, torch.zeros(8, 2, 6, 6))
    assert model.training
    assert not model[1].training
    assert not model[5]._forward_pre_hooks


def test_shuffled_batches_keep_their_labels(tmp_path: Path) -> None:
    model, images = _network(), _images(50)
    data = torch.utils.data.TensorDataset(images, torch.arange(50))
    table = feature_table(model, torch.utils.data.DataLoader(data, 8, shuffle=True), file=tmp_path / "x.npy")
    order = table.labels.astype(np.int64)
    assert sorted(order) == list(range(50)) != list(order)
    np.testing.assert_allclose(table.features[:], features(model, images)[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("scaling", ["range", "quantile"])
def test_a_trained_model_takes_a_layers_place(classes: int, scaling: str) -> None:
    model, images = quantize_(_network()), _images()
    X = features(model, images)
    y = _classes(X, classes) * 10 + 3  # labels need not be 0, 1, ...
    result = zipsgd.train(X, y, classify=True, scaling=scaling, clip=0.05)
    assert result.train_score > 0.85
    model.train()
    new = replace_layer_(model, result)
    assert model[5] is new
    assert new.training
    assert isinstance(new, ClippedLinear) == (scaling == "quantile")
    assert set(quantized_layers(model)) == {"0", "4"}
    model.eval()
    with torch.no_grad():
        found = model(images)
    assert found.shape == (300, classes)
    predicted = result.classes_[found.argmax(dim=1).numpy()]
    assert (predicted == result.predict(X)).mean() > 0.99  # float32 beside float64
    outputs = found[:, 1:] if classes == 2 else found
    np.testing.assert_allclose(outputs, result.outputs(X), rtol=1e-3, atol=1e-4)


def test_a_layer_inside_may_be_replaced_by_numbers() -> None:
    model, images = nn.Sequential(_network(), nn.Tanh()), _images()
    X = features(model, images, layer="0.4")
    table = zipsgd.Table.from_arrays(X, X[:, :2] @ np.array([[1.0, 2], [0, 1]]))
    result = zipsgd.train(table, bits=8)
    new = replace_layer_(model.double(), result, "0.4")
    assert model[0][4] is new
    assert new.weight.dtype == torch.float64
    np.testing.assert_array_equal(new.weight.detach(), result.coef)
    np.testing.assert_array_equal(new.bias.detach(), result.intercept)


def test_a_compiled_model_counts_as_the_model() -> None:
    model, images = _network(), _images()
    compiled = torch.compile(model)
    X = features(compiled, images)
    np.testing.assert_array_equal(X, features(model, images))
    new = replace_layer_(compiled, zipsgd.train(X, _classes(X), classify=True))
    assert model[5] is new


def test_what_has_no_features_is_told() -> None:
    model, images = _network(), _images(8)
    with pytest.raises(ValueError, match="Sequential has no linear layer"):
        features(nn.Sequential(nn.ReLU()), images)
    with pytest.raises(ValueError, match="no linear layer '0'; linear layers: 4, 5"):
        features(model, images, "0")
    shared = nn.Linear(3, 3)
    with pytest.raises(ValueError, match="layer '1' must run once for a batch, not 2 times"):
        features(nn.Sequential(nn.ReLU(), shared, shared), torch.zeros(4, 3))
    with pytest.raises(
        ValueError, match=r"a row of 3 features for each of the 4 inputs .* shape \(4, 2, 3\)"
    ):
        features(nn.Sequential(nn.Linear(3, 3)), torch.zeros(4, 2, 3))
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        features(model, images, batch_size=0)
    with pytest.raises(TypeError, match="not list; of batches with labels, feature_table makes a table"):
        features(model, [[images, torch.zeros(8)]])
    with pytest.raises(TypeError, match="a pair of inputs and labels, not Tensor"):
        feature_table(model, [images])


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    def broken() -> Iterator["torch.Tensor"]:
        yield _images(4)
        raise FileNotFoundError("an image")

    model, file = _network(), tmp_path / "x.npy"
    for keep in ({}, {"file": file}):
        with pytest.raises(ValueError, match="there are no inputs"):
            features(model, [], **keep)
        with pytest.raises(FileNotFoundError, match="an image"):
            features(model, broken(), **keep)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        features(model, _images(4), file=tmp_path / "nowhere" / "x.npy")


def test_what_does_not_fit_is_not_replaced() -> None:
    model, images = _network(), _images()
    X = features(model, images)
    result = zipsgd.train(X, _classes(X), classify=True, epochs=1)
    with pytest.raises(ValueError, match="layer '4' takes 64 features, and the model was trained on 6"):
        replace_layer_(model, result, "4")
    with pytest.raises(ValueError, match="a linear layer itself"):
        replace_layer_(nn.Linear(6, 3), result)
