"""Networks whose weights are rounded to levels."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="needs PyTorch: `make test-torch` installs it and runs these tests"
)

# Behind importorskip(), since they need PyTorch
from torch import nn  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

from zipsgd.levels import levels as least_variance_levels  # noqa: E402
from zipsgd.levels import nearest_levels, squared_error  # noqa: E402
from zipsgd.torch import (  # noqa: E402
    Exported,
    LevelQuantizer,
    export,
    quantize_,
    quantized_layers,
    refresh_,
    refresh_every,
)

LAYERS = [
    (nn.Linear(6, 4), (5, 6)),
    (nn.Conv1d(4, 6, 3, groups=2), (2, 4, 9)),
    (nn.Conv2d(3, 4, 3), (2, 3, 8, 8)),
    (nn.Conv3d(2, 3, 2), (1, 2, 4, 4, 4)),
    (nn.ConvTranspose1d(4, 6, 3, groups=2), (2, 4, 9)),
    (nn.ConvTranspose2d(3, 4, 3), (2, 3, 5, 5)),
    (nn.ConvTranspose3d(2, 3, 2), (1, 2, 3, 3, 3)),
]
METHODS = ["optimal", "heuristic", "uniform", "binary"]


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 8), nn.ReLU(), nn.Linear(8, 2)
    )


def values(layer: nn.Module) -> np.ndarray:
    return layer.weight.detach().numpy().reshape(-1).astype(np.float64)


@pytest.mark.parametrize(
    ("layer", "shape"), LAYERS, ids=lambda each: getattr(each, "_get_name", lambda: "")()
)
@pytest.mark.parametrize("per", ["tensor", "channel"])
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_every_kind_of_layer(layer, shape, per, rounding) -> None:
    layer = copy.deepcopy(layer)
    before = layer.weight.detach().clone()
    quantize_(layer, 3, rounding=rounding, per=per)
    dimension = 1 if "Transpose" in type(layer).__name__ else 0
    groups = [before] if per == "tensor" else before.unbind(dimension)
    rounded = [layer.weight] if per == "tensor" else layer.weight.unbind(dimension)
    for one, other in zip(groups, rounded, strict=True):
        assert other.unique().numel() <= 3
        low, high = other.min(), other.max()
        assert one.min() <= low < high <= one.max()
    layer(torch.randn(shape)).sum().backward()
    assert torch.equal(layer.parametrizations.weight.original, before)
    assert layer.parametrizations.weight.original.grad.abs().sum() > 0
    layer.eval()
    assert torch.equal(export(layer).layers[""].unpack(), layer.weight)


@pytest.mark.parametrize("method", METHODS)
def test_levels_are_those_of_the_method(method) -> None:
    layer = nn.Linear(40, 30)
    weights = values(layer)
    count = 2 if method == "binary" else 5
    expected = {
        "optimal": lambda: nearest_levels(weights, 5).levels,
        "heuristic": lambda: nearest_levels(weights, 5, method="greedy").levels,
        "uniform": lambda: np.linspace(-1, 1, 5) * np.abs(weights).max(),
        "binary": lambda: np.array([-1, 1]) * np.abs(weights).mean(),
    }[method]()
    quantize_(layer, method=method)
    levels = layer.parametrizations.weight[0].levels
    assert levels.shape == (1, count)
    np.testing.assert_allclose(levels[0].numpy(), expected, rtol=1e-6)
    nearest = expected[np.abs(weights[:, None] - expected).argmin(axis=1)]
    np.testing.assert_allclose(values(layer), nearest, rtol=1e-6)


def test_optimal_levels_have_the_least_error() -> None:
    weights = nn.Linear(40, 30).weight
    errors = {}
    for method in METHODS:
        count = 2 if method == "binary" else 5
        levels = LevelQuantizer(weights, count, method).levels[0].numpy()
        errors[method] = squared_error(weights.detach().numpy().reshape(-1), levels)
    assert errors["optimal"] < min(errors["heuristic"], errors["uniform"]) < errors["binary"]


def test_stochastic_rounding_is_unbiased_and_has_the_least_variance() -> None:
    layer = nn.Linear(30, 20)
    weights = layer.weight.detach().clone()
    quantize_(layer, 4, rounding="stochastic")
    expected = least_variance_levels(weights.numpy().reshape(-1), 4)
    np.testing.assert_allclose(layer.parametrizations.weight[0].levels[0].numpy(), expected.levels, rtol=1e-6)
    draws = torch.stack([layer.weight.detach() for _ in range(2000)])
    places = torch.from_numpy(expected.levels)
    upper = torch.searchsorted(places, weights.double()).clamp(1, 3)
    spread = ((places[upper] - weights) * (weights - places[upper - 1])).clamp(0).sqrt() / 2000**0.5
    assert ((draws.mean(dim=0) - weights).abs() <= 5 * spread + 3e-4).all()
    variance = float(((draws - weights) ** 2).mean(dim=0).sum())
    assert variance == pytest.approx(expected.variance, rel=0.05)
    assert not torch.equal(draws[0], draws[1])
    layer.eval()
    assert torch.equal(layer.weight, layer.weight)


def test_gradients_go_straight_through() -> None:
    layer = quantize_(nn.Linear(5, 3), 3)
    x = torch.randn(7, 5)
    layer(x).sum().backward()
    expected = x.sum(dim=0).expand(3, 5)
    torch.testing.assert_close(layer.parametrizations.weight.original.grad, expected)


def test_training_learns_and_levels_follow() -> None:
    model = network()
    images = torch.randn(64, 1, 6, 6)
    classes = (images[:, 0, :3].mean(dim=(1, 2)) > images[:, 0, 3:].mean(dim=(1, 2))).long()
    quantize_(model, 5)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    handle = refresh_every(model, optimizer, 10)
    before = model[0].parametrizations.weight[0].levels.clone()
    losses = []
    for step in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), classes)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step == 8:
            assert torch.equal(before, model[0].parametrizations.weight[0].levels)
        if step == 9:
            assert not torch.equal(before, model[0].parametrizations.weight[0].levels)
    assert losses[-1] < 0.3 * losses[0]
    handle.remove()
    for _, quantizer, weight in quantized_layers(model).values():
        expected = nearest_levels(weight.detach().numpy().reshape(-1), 5).levels
        np.testing.assert_allclose(quantizer.levels[0].numpy(), expected, rtol=1e-5, atol=1e-7)


def test_state_goes_round(tmp_path) -> None:
    model = quantize_(network(), 5, per="channel").eval()
    with torch.no_grad():
        model[0].parametrizations.weight.original.add_(0.3)  # and the levels stay where they are
    torch.save(model.state_dict(), tmp_path / "state.pt")
    other = quantize_(network(), 5, per="channel").eval()
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    x = torch.randn(2, 1, 6, 6)
    assert torch.equal(model(x), other(x))
    assert torch.equal(copy.deepcopy(model)(x), model(x))


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("per", ["tensor", "channel"])
def test_a_compiled_model_is_one_graph(rounding, per) -> None:
    model = quantize_(network(), 5, rounding=rounding, per=per)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = torch.randn(2, 1, 6, 6)
    compiled(x).sum().backward()
    assert model[0].parametrizations.weight.original.grad.abs().sum() > 0
    model.eval()
    before = compiled(x)
    assert torch.equal(before, model(x))
    with torch.no_grad():
        model[0].parametrizations.weight.original.mul_(2)
    refresh_(compiled)
    assert torch.equal(compiled(x), model(x))
    assert not torch.equal(compiled(x), before)
    assert export(compiled).layers.keys() == export(model).layers.keys()
    torch._dynamo.reset()


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 16, 17, 256, 1000])
def test_export_restores_exactly(count, tmp_path) -> None:
    model = quantize_(network(), count).eval()
    found = export(model)
    for name, layer in found.layers.items():
        assert torch.equal(layer.unpack(), dict(model.named_modules())[name].weight)
    found.save(tmp_path / "model.pt")
    again = Exported.load(tmp_path / "model.pt")
    plain = network().eval()
    plain.load_state_dict(
        {name: tensor for name, tensor in model.state_dict().items() if "bias" in name}, strict=False
    )
    again.apply_to(plain)
    x = torch.randn(3, 1, 6, 6)
    assert torch.equal(plain(x), model(x))
    assert again.bits_per_weight == found.bits_per_weight


def test_bits_are_said_layer_by_layer() -> None:
    model = quantize_(nn.Sequential(nn.Linear(100, 270), nn.Linear(270, 2)), 5)
    found = export(model)
    # 27 digits of base 5 fit into 64 bits
    assert found.layers["0"].words.size == 1000
    assert found.layers["0"].bits == 64_000 + 5 * 32
    assert found.layers["0"].bits_per_weight == 64_160 / 27_000
    assert found.layers["1"].bits == 20 * 64 + 160
    assert found.bits_per_weight == (64_160 + 1440) / 27_540
    assert str(found).splitlines() == [
        "layer     weights  levels  bits a weight",
        "0          27,000       5          2.376",
        "1             540       5          2.667",
        "all        27,540                  2.382",
    ]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats(dtype) -> None:
    layer = nn.Linear(50, 20).to(dtype)
    quantize_(layer, 5).eval()
    assert layer.weight.dtype == dtype
    assert layer.weight.unique().numel() == 5
    assert torch.equal(export(layer).layers[""].unpack(), layer.weight)


def test_layers_are_skipped() -> None:
    assert list(quantized_layers(quantize_(network(), skip=("first", "last")))) == ["3"]
    assert list(quantized_layers(quantize_(network(), skip="[03]"))) == ["5"]
    nested = nn.ModuleDict({"body": network(), "head": nn.Linear(2, 2)})
    assert list(quantized_layers(quantize_(nested, skip=["body.*"]))) == ["head"]


def test_equal_and_few_weights() -> None:
    layer = nn.Linear(4, 4)
    nn.init.zeros_(layer.weight)
    quantize_(layer, 5)
    assert layer.weight.abs().sum() == 0
    assert layer.parametrizations.weight[0].levels.tolist() == [[0.0] * 5]
    few = nn.Linear(2, 1)
    before = few.weight.detach().clone()
    for rounding in ("nearest", "stochastic"):
        one = quantize_(copy.deepcopy(few), 5, rounding=rounding)
        assert torch.equal(one.weight, before)
    binary = quantize_(nn.Linear(4, 4), method="binary")
    assert binary.weight.abs().unique().numel() == 1


def test_weight_norm_comes_first() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 6))
    before = layer.weight.detach().clone()
    quantize_(layer, 3)
    assert torch.equal(quantized_layers(layer)[""][2], before)
    refresh_(layer)
    layer(torch.randn(2, 8)).sum().backward()
    assert layer.parametrizations.weight.original1.grad is not None


def test_a_plain_layer_comes_back() -> None:
    layer = quantize_(nn.Linear(8, 6), 3)
    rounded = layer.weight.detach().clone()
    parametrize.remove_parametrizations(layer, "weight")
    assert torch.equal(layer.weight, rounded)
    assert "LevelQuantizer(levels=3, method='optimal', rounding='nearest', per='tensor')" in repr(
        quantize_(layer, 3)
    )


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (nn.ReLU(), {}, "ReLU has no layer whose weights can be quantised: Linear, Conv1d"),
        (network(), {"levels": 1}, "levels must be at least 2 and at most 65536, not 1"),
        (network(), {"levels": 5, "method": "binary"}, "method 'binary' has 2 levels, not 5"),
        (network(), {"method": "best"}, "method must be one of optimal, heuristic, uniform, binary, not 'best'"),
        (network(), {"rounding": "up"}, "rounding must be one of nearest, stochastic, not 'up'"),
        (network(), {"per": "row"}, "per must be one of tensor, channel, not 'row'"),
        (network(), {"skip": "conv1"}, "skip names 'conv1', and no layer is called so; layers: 0, 3, 5"),
        (network(), {"skip": "*"}, "skip names all layers that can be quantised: 0, 3, 5"),
        (nn.LazyLinear(3), {}, "layer '' has no weights yet; run the model once"),
    ],
)  # fmt: skip
def test_errors_name_the_thing(model, options, message) -> None:
    before = list(model.state_dict())
    with pytest.raises(ValueError, match=message):
        quantize_(model, **options)
    assert list(model.state_dict()) == before


def test_more_errors(tmp_path) -> None:
    model = network()
    for work in (
        refresh_,
        export,
        lambda model: refresh_every(model, torch.optim.SGD(model.parameters(), 1), 5),
    ):
        with pytest.raises(ValueError, match="no layer of the model is quantised; call quantize_ first"):
            work(model)
    with torch.no_grad():
        model[3].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="layer '3': weights must be finite, and some are NaN"):
        quantize_(model)
    assert not quantized_layers(model)
    quantize_(network_ := network())
    with pytest.raises(ValueError, match=r"layer '0' is quantised already; .* undoes that"):
        quantize_(network_)
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        refresh_every(network_, torch.optim.SGD(network_.parameters(), 1), 0)
    with torch.no_grad():
        network_[3].parametrizations.weight.original.fill_(float("inf"))
    with pytest.raises(ValueError, match="layer '3': weights must be finite"):
        refresh_(network_)
    with pytest.raises(
        ValueError, match=r"must have a layer '0' with weights of shape .*: it has no layer of that name"
    ):
        export(quantize_(network())).apply_to(nn.Linear(3, 2))
    with pytest.raises(
        ValueError, match=r"a layer '0' with weights of shape \(4, 1, 3, 3\): it has \(3, 2\)"
    ):
        export(quantize_(network())).apply_to(nn.Sequential(nn.Linear(2, 3)))
    with pytest.raises(ValueError, match=r"quantize_ must come before torch.compile"):
        quantize_(torch.compile(network(), backend="eager"))
    (tmp_path / "broken.pt").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"broken.pt is not a file of exported weights"):
        Exported.load(tmp_path / "broken.pt")
    torch.save({"levels": 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other.pt is not a file of exported weights of version 1"):
        Exported.load(tmp_path / "other.pt")
    with pytest.raises(FileNotFoundError):
        Exported.load(tmp_path / "none.pt")
