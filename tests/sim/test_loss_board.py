"""A virtual board with hinges, refetching and polynomial losses, through the driver: the emulator's bits."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from zipsgd.backends import BackendOptions, EpochSamples, RunConfig, open_backend
from zipsgd.backends.device import DeviceBackend
from zipsgd.driver import Device
from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.golden.loss import Step
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import Loss, Refetch
from zipsgd.training.losses import compile_loss
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.mishaps import after_bytes

ROWS, FEATURES = 150, 9
RNG = np.random.default_rng(7)
X = RNG.uniform(-1, 1, (ROWS, FEATURES)).astype(np.float32)
Y = X @ RNG.normal(size=FEATURES)
LABELS = np.where(Y > 0, LABEL_ONE, -LABEL_ONE).astype(np.int16)


@pytest.fixture(scope="module")
def loss_board(small_build: Build) -> Iterator[VirtualBoard]:
    with VirtualBoard(replace(small_build, hinge=1, refetch=64, polynomial=5), optimise=1) as served:
        yield served


@pytest.mark.parametrize("refetch", [Refetch.CERTAIN, Refetch.LIKELY])
def test_doubts_come_over_the_link(refetch: Refetch, loss_board: VirtualBoard) -> None:
    """Of epochs of many sizes, so that the list holds the doubts of others, too."""
    config = RunConfig(FEATURES, 3, 2, 8, loss=Loss.SQUARED_HINGE, refetch=refetch)
    rng = np.random.default_rng(8)
    model = rng.integers(-(1 << 20), 1 << 20, FEATURES)
    emulator = open_backend("emulator", loss_board.build)
    step = Step.nearest(0.002)
    seen = set()
    with Device(loss_board.url) as device:
        board = DeviceBackend(device)
        for number, count in enumerate((64, 1, 32, 33, 63, 64)):
            order = rng.permutation(ROWS)[:count]
            samples = EpochSamples(X, LABELS, order, 5, number)
            results = []
            for backend in (emulator, board):
                backend.begin(config, model, 5, number)
                results.append(backend.epoch(samples, step, lambda done: None))
            expected, found = results
            assert found.doubts is not None
            assert found.doubts.tolist() == expected.doubts.tolist()
            assert (found.loss_sum, found.flags) == (expected.loss_sum, expected.flags)
            model = board.model()
            np.testing.assert_array_equal(model, emulator.model())
            seen |= set(found.doubts)
        board.begin(replace(config, refetch=Refetch.NEVER), model, 5)
        assert board.epoch(samples, step, lambda done: None).doubts is None
    assert seen == {False, True}


EXPONENTIAL = compile_loss("exponential", lambda t: -np.exp(-t), of="margin", radius=1)
ESTIMATORS = {
    "hinge, certain": ZipClassifier(loss="hinge", refetch="certain", base_bits=3),
    "squared hinge, likely": ZipClassifier(refetch="likely", base_bits=4, estimator="naive"),
    "logistic": ZipClassifier(loss="logistic"),
    "exponential": ZipClassifier(loss=EXPONENTIAL),
    "huber": ZipRegressor(loss="huber", base_bits=1),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_have_the_bits_of_the_emulator(name: str, loss_board: VirtualBoard) -> None:
    estimator = clone(ESTIMATORS[name]).set_params(max_iter=2, random_state=3)
    labels = Y > 0 if isinstance(estimator, ZipClassifier) else Y
    ours = estimator.set_params(backend=loss_board.url).fit(X, labels)
    words, history = ours.model_words_.tolist(), ours.history_
    expected = estimator.set_params(backend=BackendOptions("emulator", loss_board.build)).fit(X, labels)
    assert words == expected.model_words_.tolist()
    for key in ("loss", "flags", "refetched"):
        assert [entry.get(key) for entry in history] == [entry.get(key) for entry in expected.history_]
    assert all(entry.get("refetched") != 0 for entry in history[1:])


@pytest.mark.parametrize("name", ["hinge, certain", "logistic"])
def test_a_board_reset_in_mid_epoch(
    name: str, loss_board: VirtualBoard, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given coefficients and kind of refetching again."""
    chosen = {"max_iter": 6, "random_state": 3, "backend": loss_board.url, "verbose": 1}
    estimator = clone(ESTIMATORS[name]).set_params(**chosen)
    expected = estimator.fit(X, Y > 0).model_words_.tolist()
    caplog.set_level("INFO", "zipsgd")
    with after_bytes(loss_board, loss_board.statistics()["received"] + 6_000, loss_board.reset) as times:
        assert estimator.fit(X, Y > 0).model_words_.tolist() == expected
    assert len(times) == 2, "it was over before the reset"
    assert any("again" in message for message in caplog.messages)
