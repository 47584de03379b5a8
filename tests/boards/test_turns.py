"""What is predicted for several classes or outputs, which take turns where a build has no room for all."""

import numpy as np
import pytest

from zipsgd import Build, Options, Table, train
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.run import Loss
from zipsgd.protocol.samples import heads_of_passes
from zipsgd_hw.boards import BOARDS, predict_epoch

RNG = np.random.default_rng(4)
ROWS, COLUMNS, BATCH = 120, 30, 8
FEATURES = RNG.normal(size=(ROWS, COLUMNS))
NAMES = tuple(f"x{i}" for i in range(COLUMNS))


@pytest.mark.parametrize("name", BOARDS)
def test_stock_builds_train_what_is_the_default(name):
    """MNIST, numbers and classes; the small boards with a store have room for few columns."""
    build = BOARDS[name].build
    small = name in ("icebreaker-store", "icesugar")
    for classify, loss in ((False, Loss.SQUARED), (True, Loss.SQUARED_HINGE)):
        options = Options(classify=classify).resolved(diagonal=bool(build.diagonal))
        assert options.objective.loss == loss
        features = 64 if small else 785
        config = RunConfig(features, options.planes, options.quantisations, options.batch_size, loss=loss)
        config.check(build, 60_000)


@pytest.mark.parametrize("classes", [True, False], ids=["classes", "outputs"])
def test_the_board_takes_the_predicted_cycles_and_bytes(board, classes):
    """Three models on a build with one head: three passes."""
    labels = RNG.integers(0, 3, ROWS).astype(float) if classes else RNG.normal(size=(ROWS, 3))
    options = Options(classify=classes, loss="squared_error", epochs=1, batch_size=BATCH)
    options = options.resolved(diagonal=True)
    counted = train(Table(FEATURES, labels, NAMES, "t"), options=options, backend=board.url)
    predicted = predict_epoch(
        board.build,
        samples=ROWS,
        features=COLUMNS + 1,
        base_planes=options.planes,
        up_planes=options.quantisations,
        batch=BATCH,
        heads=3,
        classes=classes,
    )
    assert predicted["passes"] == 3
    assert predicted["bytes_per_sample"] * ROWS == counted.sample_bytes
    busy = counted.cycles - counted.starved_cycles  # the prediction is of a link that is never late
    assert abs(predicted["cycles_per_sample"] * ROWS - busy) <= 3 * (2 + ROWS // BATCH)


def test_heads_take_turns():
    build = Build(lanes=8, max_features=64, heads=4)
    assert heads_of_passes(build, 9, 10) == [4, 4, 2]
    assert heads_of_passes(build, 30, 10) == [2] * 5
    assert heads_of_passes(build, 9, 3) == [3]
    assert heads_of_passes(build, 64, 2) == [1, 1]


def test_turns_are_predicted():
    build = BOARDS["icebreaker"].build
    sizes = {"samples": 6000, "features": 785, "base_planes": 2, "up_planes": 2, "link_baud": 3_000_000}
    one, ten = (predict_epoch(build, **sizes, heads=heads, classes=True) for heads in (1, 10))
    assert (one["passes"], ten["passes"]) == (1, 10)
    for name in ("bytes_per_sample", "link_seconds", "datapath_seconds", "seconds"):
        assert ten[name] == pytest.approx(10 * one[name])
    together = predict_epoch(Build(max_features=8192, heads=10), **sizes, heads=10, classes=True)
    assert (together["passes"], together["bytes_per_sample"]) == (1, one["bytes_per_sample"])
    outputs = predict_epoch(Build(max_features=8192, heads=10), **sizes, heads=10)
    assert outputs["bytes_per_sample"] == one["bytes_per_sample"] + 19
