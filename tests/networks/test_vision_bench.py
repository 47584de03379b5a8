"""The bench of networks at a small size; its goal is for ``zipsgd bench vision``."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="needs PyTorch: `make test-torch` installs it and runs these tests"
)

# Behind importorskip(), since they need PyTorch
from zipsgd_bench import describe, resnet, save, vision  # noqa: E402
from zipsgd_bench.vision_images import Batches, mean_image, pixels_of  # noqa: E402
from zipsgd_bench.vision_networks import cifar10_quick, resnet20  # noqa: E402
from zipsgd_bench.vision_settings import QuickSettings, ResNetSettings  # noqa: E402
from zipsgd_bench.vision_training import Run  # noqa: E402


@pytest.fixture
def images() -> dict[str, np.ndarray]:
    """Two kinds of images: bright above, or bright below."""
    rng = np.random.default_rng(1)
    found = {}
    for part, count in (("train", 200), ("test", 40)):
        classes = rng.integers(0, 2, count).astype(np.uint8)
        pixels = rng.integers(0, 100, (count, 32, 32, 3))
        pixels[classes == 0, :16] += 100
        pixels[classes == 1, 16:] += 100
        found[part], found[f"{part}_classes"] = pixels.reshape(count, -1).astype(np.uint8), classes
    return found


SMALL = QuickSettings(steps=12, every=4, refresh=2, batch=20)


def test_small_run(images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(
        vision, "METHODS", {name: vision.METHODS[name] for name in vision.METHODS if name[0] != "3"}
    )
    result = vision.run(tmp_path / "runs", (0,), SMALL, images)
    assert "12 of 12" in (said := capsys.readouterr().err)
    assert "0 h 00 min left" in said.splitlines()[-1]
    bits = {row["method"]: row["bits a weight"] for row in result["rows"]}
    assert bits["full precision"] == 32
    assert 2.37 < bits["5 optimal"] == bits["5 even"] < 2.39
    assert 1 < bits["binary"] < 1.02
    assert [point["step"] for point in result["curves"] if point["method"] == "binary"] == [4, 8, 12]
    assert result["met"] in (True, False)
    assert "5 heuristic" in describe(result)
    report, figure = save(vision.BENCH, result, tmp_path)
    assert json.loads(report.read_text())["rows"] == result["rows"]
    assert figure.stat().st_size > 1000
    capsys.readouterr()
    assert vision.run(tmp_path / "runs", (0,), SMALL, images)["rows"] == result["rows"]
    assert "done before" in capsys.readouterr().err
    with pytest.raises(
        ValueError, match=r"json is of other settings, .*; remove it, or choose another folder"
    ):
        vision.run(tmp_path / "runs", (0,), QuickSettings(steps=8, every=4, refresh=2, batch=20), images)


@pytest.mark.parametrize("stopped_at", [1, 5, 11])
def test_a_run_that_was_stopped_goes_on(
    stopped_at, images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go(folder: Path, said: list[str]) -> dict:
        folder.mkdir(exist_ok=True)
        arguments = ("5 optimal", vision.METHODS["5 optimal"], 3, images, SMALL, folder)
        return Run(*arguments).train(lambda steps, message, earlier=False: said.append(message))

    whole = go(tmp_path / "whole", [])
    taken = Batches.training

    def stop(self, seed: int, step: int):
        if step == stopped_at:
            raise KeyboardInterrupt
        return taken(self, seed, step)

    with monkeypatch.context() as patch:
        patch.setattr(Batches, "training", stop)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "stopped", [])
    said: list[str] = []
    assert go(tmp_path / "stopped", said) == whole
    assert any("goes on from step" in each for each in said) == (stopped_at > 4)
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == [
        "5-optimal-3.json",
        "5-optimal-3.pt",
    ]


def test_it_learns(images, tmp_path: Path) -> None:
    settings = QuickSettings(steps=60, every=30, refresh=10, batch=20)
    found = Run("5 optimal", vision.METHODS["5 optimal"], 0, images, settings, tmp_path).train(
        lambda *_: None
    )
    assert found["curve"][-1]["loss"] < found["curve"][0]["loss"]
    assert found["accuracy"] > 0.8


def test_a_trained_network_is_found_again(images, tmp_path: Path) -> None:
    run = Run("5 optimal", vision.METHODS["5 optimal"], 0, images, SMALL, tmp_path)
    found = run.train(lambda *_: None)
    model = run.network(lambda *_: None)
    assert not model.training
    named = model(pixels_of(images["test"], mean_image(images))).argmax(dim=1).numpy()
    assert (named == images["test_classes"]).mean() == found["accuracy"]
    assert model[-1].out_features == 2
    (tmp_path / "5-optimal-0.pt").unlink()
    with pytest.raises(
        ValueError, match=r"and the weights in 5-optimal-0\.pt are not; remove it to train again"
    ):
        run.network(lambda *_: None)


def test_the_network_has_the_papers_size() -> None:
    model = cifar10_quick()
    assert sum(tensor.numel() for name, tensor in model.named_parameters() if "weight" in name) == 145_376
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_residual_network_has_its_size() -> None:
    model = resnet20()
    assert sum(each.numel() for each in model.parameters() if each.dim() > 1) == 268_336
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_images_are_moved_by_seed_and_step(images) -> None:
    def taken(step: int) -> "torch.Tensor":
        return Batches(images, 50, moved=True, spread=64).training(7, step)[0]

    assert torch.equal(taken(2), taken(2))
    # An order of its own, but the same steps of an epoch have the same images: here some are moved and mirrored
    plain = Batches(images, 50, spread=64).training(7, 2)[0]
    moved = taken(2)
    places = range(-4, 5)
    padded = torch.nn.functional.pad(plain, (4,) * 4)
    for before, after in zip(padded, moved):
        windows = [before[:, 4 + y : 36 + y, 4 + x : 36 + x] for y in places for x in places]
        assert any(torch.equal(after, each) or torch.equal(after, each.flip(2)) for each in windows)
    assert not torch.equal(plain, moved)


def test_small_residual_run(images, tmp_path: Path, capsys) -> None:
    first = ResNetSettings(steps=4, every=2, refresh=2, batch=20)
    more = ResNetSettings(steps=2, every=2, refresh=2, batch=20, peak=0.01)
    result = resnet.run(tmp_path, first, more, images)
    assert "0 h 00 min left" in capsys.readouterr().err.splitlines()[-1]
    assert result["rows"][0]["below full precision, points"] == 0
    assert "LQ-Nets, 2 bits" in describe(result)
    assert resnet.run(tmp_path, first, more, images) == result


def test_levels_are_placed_at_checkpoints_too() -> None:
    with pytest.raises(ValueError, match="every must be a multiple of refresh, 10, not 25"):
        QuickSettings(every=25)
