"""The bench of last layers at a small size; its goal is for ``zipsgd bench last-layer``."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from zipsgd.protocol.formats import Build

torch = pytest.importorskip(
    "torch", reason="needs PyTorch: `make test-torch` installs it and runs these tests"
)

# Behind importorskip(), since they need PyTorch
from zipsgd_bench import describe, last_layer, save  # noqa: E402
from zipsgd_bench.last_layer import BoardRun  # noqa: E402
from zipsgd_bench.last_layer_runs import Choice, Study, few_classes, study_of  # noqa: E402
from zipsgd_bench.simulated import simulated  # noqa: E402
from zipsgd_bench.vision_networks import cifar10_quick  # noqa: E402
from zipsgd_bench.vision_settings import QuickSettings  # noqa: E402

BUILD = Build(
    lanes=8,
    update_lanes=4,
    max_features=1024,
    diagonal=1,
    heads=10,
    hinge=1,
    word_bytes=2,
    store_words=1 << 14,
    schedule_words=64,
    score_words=256,
)


@pytest.fixture
def images() -> dict[str, np.ndarray]:
    """Ten kinds of images: each has a bright stripe in another place."""
    rng = np.random.default_rng(1)
    found = {}
    for part, count in (("train", 300), ("test", 60)):
        classes = (np.arange(count) % 10).astype(np.uint8)
        pixels = rng.integers(0, 60, (count, 32, 32, 3))
        for number in range(10):
            pixels[classes == number, 3 * number : 3 * number + 4] += 150
        found[part], found[f"{part}_classes"] = pixels.reshape(count, -1).astype(np.uint8), classes
    return found


def test_small_run(images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(last_layer, "simulated", partial(simulated, optimise=1))
    settings = QuickSettings(steps=20, every=10, refresh=5, batch=20)

    def go() -> dict:
        return last_layer.run(
            tmp_path / "runs",
            settings,
            images,
            bits=(2, 4),
            choices=(Choice(), Choice("hinge", 64), Choice("squared_hinge", 64)),
            epochs=2,
            board_runs=(BoardRun("11", 4, 2, 100),),
            board=(BUILD, None),
        )

    result = go()
    assert {row["features"] for row in result["rows"]} == {64, 1024}
    assert len(result["rows"]) == 2 * 2 * 6
    for row in result["rows"]:
        bits = row["bits"] * -(-row["features"] // 8)
        assert row["bytes an image"] == 1 + bits
        assert row["bytes of the run"] == 300 * (1 + bits) * (1 if row["draws"] == "once" else 2)
        assert 0 <= row["test, %"] <= 100
    (board,) = result["on the board"]
    assert board["differing words"] == 0
    assert (board["rows"], board["heads"], board["epochs"]) == (100, 10, 2)
    assert board["cycles of an epoch"] > 100 * 4 * 10
    assert board["bytes of the models"] == 10 * 65 * 3
    best = max(row["test, %"] for row in result["heads in floating point"] if row["features"] == 64)
    (row,) = (
        row
        for row in result["rows"]
        if row["features"] == 64
        and row["bits"] == 4
        and row["levels"] == "optimal"
        and row["draws"] == "once"
    )
    assert row["below float"] == best - row["test, %"]
    assert [row["bits"] for row in result["new classes"]] == [32, 2, 4] * 2
    for row in result["new classes"]:
        assert row["test, %"] == pytest.approx(0.8 * row["old classes, %"] + 0.2 * row["new classes, %"])
    assert result["met"] == all(goal["met"] for goal in result["goals"])
    assert len(result["goals"]) == 2 * 4 + 2 + 1
    assert "new classes, %" in describe(result)
    report, figure = save(last_layer.BENCH, result, tmp_path)
    assert json.loads(report.read_text())["rows"] == result["rows"]
    assert figure.stat().st_size > 10_000
    names = {path.name for path in (tmp_path / "runs").iterdir()}
    assert len(names) == 4 + 8 + 1
    assert {"5-optimal-0.pt", "5-optimal-8-classes-0.json"} < names
    # Nothing is trained, and no feature is computed, a second time
    monkeypatch.setattr("zipsgd_bench.vision_images.Batches.training", None)
    monkeypatch.setattr("zipsgd.torch.features", None)
    monkeypatch.setattr(Choice, "train", None)
    capsys.readouterr()
    assert go() == result
    assert "done before" in capsys.readouterr().err


def test_features_belong_to_their_network(images, tmp_path: Path) -> None:
    one, other = cifar10_quick().eval(), cifar10_quick().eval()
    first = study_of(one, images, images, "11", tmp_path)
    second = study_of(other, images, images, "11", tmp_path)
    assert (first.columns, first.train.shape[0], first.test.shape[0]) == (64, 300, 60)
    assert not np.array_equal(first.train, second.train)
    assert np.array_equal(study_of(one, images, images, "11", tmp_path).train, first.train)


def test_classes_that_are_left_out(images) -> None:
    few = few_classes(images, 8)
    assert set(few["train_classes"]) == set(few["test_classes"]) == set(range(8))
    assert len(few["train"]) == 240
    np.testing.assert_array_equal(few["train"][8], images["train"][10])


def test_rows_to_choose_by_are_no_others() -> None:
    rows = np.arange(50, dtype=np.float32)[:, None]
    study = Study(rows, np.arange(50), rows[:10], np.arange(10), 50, "")
    held, others = study.of("held out")[1], study.of("chosen by")[1]
    assert (len(held), len(others)) == (10, 40)
    assert sorted([*held, *others]) == list(range(50))
    assert study.accuracy(lambda rows: rows[:, 0]) == 100
    found = study.accuracies(lambda rows: np.minimum(rows[:, 0], 8), 8)
    assert found == {"test, %": 90, "old classes, %": 100, "new classes, %": 50}


def test_a_hinge_needs_three_bits() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 4)).astype(np.float32)
    study = Study(rows, np.arange(60) % 3, rows, np.arange(60) % 3, 50, "")
    hinge = Choice("hinge")
    hinge.train(study, hinge.least_bits, epochs=1)
    with pytest.raises(ValueError, match="bits must be in 3"):
        hinge.train(study, hinge.least_bits - 1, epochs=1)
    assert last_layer._fitting([hinge, Choice()], 2) == [Choice()]


def test_goals() -> None:
    row = {"settings": "chosen", "features": 64, "bits": 4, "below float": 0.4}
    rows = [{**row, "levels": levels, "draws": draws} for levels, draws in last_layer.KINDS]
    new = [{"features": 64, "bits": 4, "below float": 0.6}, {"features": 64, "bits": 32}]
    board = {"differing words": 0}
    assert [each["met"] for each in last_layer._goals(rows, [board], new, 4)] == [True] * 4 + [False, True]
    assert not last_layer._goals(rows, [], [], 4)[-1]["met"]  # nothing was compared
    rows[2]["below float"], board["differing words"] = 0.51, 1
    assert [each["met"] for each in last_layer._goals(rows, [board], [], 4)] == [
        True,
        True,
        False,
        True,
        False,
    ]
