"""Partial fits: what is remembered from call to call, and the backend that stays open between them."""

import gc
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from zipsgd.backends import BackendOptions, choose
from zipsgd.backends.emulator import EmulatorBackend
from zipsgd.driver import LinkLost
from zipsgd.estimators import ZipClassifier, ZipRegressor
from zipsgd.training import opening
from zipsgd.training.callbacks import Callback, CsvLog

RNG = np.random.default_rng(11)
X = RNG.normal(size=(1000, 2))
Y = 2 * X[:, 0] - X[:, 1]


def in_parts(estimator, rows, labels, size=1, **others):
    for start in range(0, len(rows), size):
        estimator.partial_fit(rows[start : start + size], labels[start : start + size], **others)
    return estimator


def same(first, second):
    return np.array_equal(first.model_words_, second.model_words_)


@pytest.fixture
def opened(monkeypatch):
    """The backends that have been opened, each with whether it has been closed."""
    backends = []

    class Counted(EmulatorBackend):
        closed = False
        lost = False

        def epoch(self, *arguments):
            if self.lost:
                raise LinkLost("lost the board")
            return super().epoch(*arguments)

        def close(self):
            self.closed = True

    def open_counted(wanted, build=None):
        assert isinstance(wanted, BackendOptions)
        backends.append(Counted(wanted.build))
        return backends[-1]

    monkeypatch.setattr(opening, "open_backend", open_counted)
    assert choose.open_backend is not open_counted
    return backends


@pytest.mark.parametrize(("unit", "offset"), [(1.0, 0.0), (100.0, 1000.0)])
def test_one_row_a_call_learns(unit, offset):
    rows = X * unit + offset
    labels = 2 * rows[:, 0] - rows[:, 1]
    fitted = in_parts(ZipRegressor(random_state=0), rows, labels)
    np.testing.assert_allclose(fitted.coef_, [2, -1], atol=0.2)
    assert fitted.score(rows, labels) > 0.98
    assert fitted.n_epochs_ == 1000
    assert [entry["epoch"] for entry in fitted.history_] == list(range(1, 1001))


def test_parts_with_a_constant_column_learn():
    """Parts of 25 rows, in each of which another column does not vary."""
    rows = RNG.normal(size=(1000, 4))
    for part in range(40):
        rows[part * 25 : part * 25 + 25, part % 4] = RNG.normal()
    labels = rows @ [1, -2, 3, 0.5] + RNG.normal(size=1000) * 0.1
    assert in_parts(ZipRegressor(random_state=0), rows, labels, 25).score(rows, labels) > 0.95


def test_a_range_that_grows():
    """The scaling covers all rows so far, and changes seldom."""
    rows = RNG.uniform(-1, 1, size=(500, 2)) * np.linspace(0.01, 30, 500)[:, None] + [0, 5]
    labels = rows @ [3, 1] - 4
    fitted, seen = ZipRegressor(random_state=0), set()
    for start in range(0, 500, 5):
        fitted.partial_fit(rows[start : start + 5], labels[start : start + 5])
        scaling = fitted.scalings_[0]
        assert np.all(np.abs(rows[: start + 5] - scaling.centre) <= scaling.spread * (1 + 1e-12))
        seen.add((*scaling.centre, *scaling.spread, scaling.label_spread))
    assert 5 < len(seen) < 60
    assert fitted.score(rows, labels) > 0.97


def test_a_column_that_is_constant_so_far_has_the_weight_0():
    rows = np.column_stack([X, np.full(1000, 7.0)])
    fitted = in_parts(ZipRegressor(random_state=0), rows[:300], Y[:300], 5)
    assert fitted.coef_[2] == 0
    rows[300:, 2] += RNG.normal(size=700)
    labels = Y + 3 * (rows[:, 2] - 7)
    in_parts(fitted, rows[300:], labels[300:], 5)
    np.testing.assert_allclose(fitted.coef_, [2, -1, 3], atol=0.4)


def test_the_first_call_may_have_one_row():
    single = ZipRegressor(random_state=0).partial_fit([[3.0, 4.0]], [7.0])
    assert single.predict([[1.0, 2.0]]).tolist() == [7.0]
    assert single.coef_.tolist() == [0, 0]
    for classes in ([0, 1], ["ant", "bee", "cat"]):
        one = ZipClassifier(random_state=0).partial_fit([[3.0, 4.0]], classes[:1], classes=classes)
        assert one.predict([[3.0, 4.0]]).tolist() == classes[:1]


@pytest.mark.parametrize("loss", ["squared_hinge", "logistic"])
def test_classes_one_row_a_call(loss):
    numbers = (Y > 0.5).astype(int)
    fitted = in_parts(ZipClassifier(random_state=0, loss=loss), X[:400], numbers[:400], classes=[0, 1])
    assert fitted.score(X, numbers) > 0.9
    weighted = ZipClassifier(random_state=0, loss=loss)
    for row in range(400):  # a row of weight 2 is two copies
        weighted.partial_fit(X[row : row + 1], numbers[row : row + 1], [0, 1], [1 + row % 2])
    assert weighted.score(X, numbers) > 0.9


@pytest.mark.parametrize("levels", ["uniform", "optimal"])
def test_a_stream_may_be_pickled_and_moved_to_another_backend(levels):
    whole = ZipRegressor(random_state=0, levels=levels, penalty="l2")
    moved = clone(whole)
    for start in range(0, 60, 4):
        part = X[start : start + 4] * (1 + start), Y[start : start + 4]
        whole.partial_fit(*part)
        moved.partial_fit(*part)
        moved = pickle.loads(pickle.dumps(moved))
        moved.set_params(backend="golden" if start % 3 else "emulator")
    assert same(whole, moved)
    np.testing.assert_array_equal(whole.coef_, moved.coef_)
    assert not hasattr(clone(moved), "coef_")


def test_the_virtual_board_gives_the_same_bits():
    with ZipRegressor(random_state=0, backend="sim") as board:
        in_parts(board, X[:24], Y[:24], 3)
    assert same(board, in_parts(ZipRegressor(random_state=0), X[:24], Y[:24], 3))


def test_a_backend_is_opened_once(opened):
    fitted = in_parts(ZipRegressor(random_state=0), X[:40], Y[:40], 2)
    assert [backend.closed for backend in opened] == [False]
    fitted.set_params(penalty="l2").partial_fit(X[:2], Y[:2])  # needs another build
    assert [backend.closed for backend in opened] == [True, False]
    fitted.close()
    fitted.close()
    assert opened[1].closed
    with fitted.partial_fit(X[:2], Y[:2]):
        assert not opened[2].closed
    assert opened[2].closed
    fitted.partial_fit(X[:2], Y[:2])
    fitted.fit(X, Y)  # opens a backend of its own
    assert [backend.closed for backend in opened] == [True] * 5
    fitted.partial_fit(X[:2], Y[:2])
    del fitted
    gc.collect()
    assert [backend.closed for backend in opened] == [True] * 6


def test_a_lost_device_leaves_the_model_as_it_was(opened):
    whole = in_parts(ZipRegressor(random_state=0), X[:20], Y[:20], 2)
    fitted = in_parts(ZipRegressor(random_state=0), X[:10], Y[:10], 2)
    before = fitted.model_words_
    opened[-1].lost = True
    with pytest.raises(LinkLost, match="lost the board") as failure:
        fitted.partial_fit(X[10:12], Y[10:12])
    assert "The next call opens the backend again" in failure.value.__notes__[0]
    assert opened[-1].closed
    np.testing.assert_array_equal(fitted.model_words_, before)
    assert same(in_parts(fitted, X[10:20], Y[10:20], 2), whole)
    assert len(opened) == 3


def test_a_changed_parameter_takes_effect():
    fitted = in_parts(ZipRegressor(random_state=0, schedule="constant", step_size=0.1), X[:8], Y[:8], 2)
    fitted.set_params(step_size=0.05, base_bits=4).partial_fit(X[:2], Y[:2])
    steps = [entry["step_size"] for entry in fitted.history_]
    assert steps == pytest.approx([0.1] * 4 + [0.05], rel=1e-3)
    bits = [entry["bits"] for entry in fitted.history_]
    assert bits[-1] > bits[0]


def test_a_fit_goes_on_in_parts():
    fitted = ZipRegressor(random_state=0).fit(X[:500], Y[:500])
    in_parts(fitted, X[500:], Y[500:], 20)
    assert fitted.score(X, Y) > 0.98
    scaling = fitted.scalings_[0]
    assert np.all(np.abs(X - scaling.centre) <= scaling.spread * (1 + 1e-12))


def test_history_does_not_grow_for_ever(monkeypatch):
    monkeypatch.setattr("zipsgd.estimators.base._KEPT", 5)
    fitted = in_parts(ZipRegressor(random_state=0), X[:9], Y[:9])
    assert [entry["epoch"] for entry in fitted.history_] == [5, 6, 7, 8, 9]


def test_a_range_that_explodes():
    """From the smallest numbers to nearly the largest ones in one call."""
    small = X[:100] * 1e-300
    fitted = in_parts(ZipRegressor(random_state=0), small, Y[:100], 5)
    fitted.partial_fit(X[:100] * 1e300, Y[:100])
    assert np.all(np.isfinite(fitted.coef_))
    for _ in range(5):
        fitted.partial_fit(X * 1e300, Y)
    assert fitted.score(X * 1e300, Y) > 0.95


def test_values_near_the_largest_float64_are_refused():
    fitted = ZipRegressor(random_state=0).partial_fit([[0.0], [1.0]], [0.0, 1.0])
    with pytest.raises(ValueError, match="near the largest float64"):
        fitted.partial_fit([[1.7e308], [-1.7e308]], [0.0, 1.0])
    assert fitted.partial_fit([[2.0]], [2.0]).n_epochs_ == 2


def test_a_log_has_a_line_for_each_call(tmp_path):
    path = tmp_path / "log.csv"
    fitted = ZipRegressor(random_state=0).set_callbacks(CsvLog(path))
    in_parts(fitted, X[:8], Y[:8], 2)
    assert [line.split(",")[0] for line in path.read_text().split()] == ["number", "1", "2", "3", "4"]
    ended = []

    class Ends(Callback):
        def on_begin(self, task, build):
            ended.append("begin")

        def on_end(self, result):
            ended.append("end")

    in_parts(fitted.set_callbacks(Ends()), X[:4], Y[:4], 2)
    fitted.close()
    fitted.partial_fit(X[:2], Y[:2]).fit(X[:50], Y[:50])
    assert ended == ["begin", "end"] * 3
