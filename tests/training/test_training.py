"""Training through the public API: the same bits on every backend, and a model in the data's units."""

from dataclasses import replace

import numpy as np
import pytest

import zipsgd
from zipsgd import Build, Options, Table, train
from zipsgd.backends import BACKENDS, BackendOptions, EpochSamples, LimitError, RunConfig, build_for
from zipsgd.golden.loss import Step
from zipsgd.training.callbacks import Callback
from zipsgd.training.full_precision import float_sgd
from zipsgd.training.preparation import prepare
from zipsgd.training.steps import SCHEDULES, largest_step
from zipsgd_hw.link.physical import Uart
from zipsgd_sim.board import VirtualBoard


class OnSamples(Callback):
    """Tells a function of the samples of epochs."""

    def __init__(self, function):
        self.on_samples = function


OPTIONS = Options(epochs=3, batch_size=8, seed=5)
CONFIGURATIONS = [
    OPTIONS,
    replace(OPTIONS, base_bits=1, fresh=False),
    replace(OPTIONS, base_bits=5, one_sided=True, schedule="sqrt"),
    replace(OPTIONS, base_bits=3, estimator="naive", batch_size=32),
    replace(OPTIONS, base_bits=8, estimator="truncated", step_size=0.02, batch_size=1),
]


def bits(result: zipsgd.Result) -> tuple[list[float], list[int], list[str]]:
    return result.loss, result.model_words, result.flags


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_golden_emulator_and_virtual_board_give_the_same_bits(options, small_build, small_table, board):
    golden = train(small_table, options=options, backend=BackendOptions("golden", small_build))
    emulator = train(small_table, options=options, backend=BackendOptions("emulator", small_build))
    device = train(small_table, options=options, backend=board.url)
    assert bits(golden) == bits(emulator) == bits(device)
    assert (golden.backend, emulator.backend, device.backend) == ("golden", "emulator", board.url)
    assert golden.cycles is emulator.cycles is golden.link_bytes is None
    settled = options.resolved(diagonal=True)
    planes = 2 * (settled.planes + settled.quantisations)  # 7 features on 4 lanes
    assert device.plane_cycles == 3 * 210 * planes
    assert device.plane_cycles + device.starved_cycles <= device.cycles
    assert device.sample_bytes == 3 * 210 * (2 + -(-planes * 4 // 8))
    assert device.sample_bytes < device.link_bytes < 1.2 * device.sample_bytes


def test_the_same_through_uart_pins(small_build, small_table):
    expected = train(small_table, options=OPTIONS, backend=BackendOptions(build=small_build))
    with VirtualBoard(small_build, uart=Uart(3_000_000), optimise=1) as board:
        result = train(small_table, options=OPTIONS, backend=BackendOptions(board.url, small_build))
        counts = board.statistics()
    assert bits(result) == bits(expected)
    # 80 cycles a byte of ten bits; the line is the bottleneck
    assert result.cycles >= 80 * result.sample_bytes
    assert counts["line_busy"] == 80 * counts["received"]


def test_the_model_is_in_the_datas_units(small_table):
    result = train(small_table, options=Options(base_bits=6, epochs=40, batch_size=4))
    exact = np.column_stack([small_table.features, np.ones(210)])
    solution = np.linalg.lstsq(exact, small_table.labels, rcond=None)[0]
    predicted = result.predict(small_table.features)
    np.testing.assert_allclose(predicted, exact @ solution, atol=0.15 * small_table.labels.std())
    np.testing.assert_allclose(predicted, small_table.features @ np.array(result.coef) + result.intercept)
    assert result.score(small_table.features, small_table.labels) > 0.97
    scaled_error = np.mean((predicted - small_table.labels) ** 2)
    spread = np.abs(small_table.labels - small_table.labels.mean()).max()
    assert result.final_loss == pytest.approx(scaled_error / spread**2, rel=1e-3)
    assert result.columns == [f"x{i}" for i in range(6)]
    assert result.rows == 210


def test_units_do_not_matter(small_table):
    """Columns and labels times powers of two give the same integers, and coefficients in the new units."""
    factors = 2.0 ** np.array([-9, 0, 3, 12, 1, -1])
    scaled = Table.from_arrays(small_table.features * factors, small_table.labels * 4)
    first, second = train(small_table, options=OPTIONS), train(scaled, options=OPTIONS)
    assert bits(first) == bits(second)
    np.testing.assert_allclose(np.array(second.coef) * factors / 4, first.coef, rtol=1e-12)


def test_a_seed_decides_everything(small_table):
    first, again = train(small_table, options=OPTIONS), train(small_table, options=OPTIONS)
    other = train(small_table, options=replace(OPTIONS, seed=6))
    assert bits(first) == bits(again)
    assert first.model_words != other.model_words


def test_fresh_and_fixed_up_bits(small_table):
    """The first epoch is the same, later ones are not."""
    fresh, fixed = (
        train(small_table, options=OPTIONS),
        train(small_table, options=replace(OPTIONS, fresh=False)),
    )
    assert fresh.loss[0] == fixed.loss[0]
    assert fresh.loss[1:] != fixed.loss[1:]


class Listening:
    """The emulator, noting the samples that it is given."""

    def __init__(self) -> None:
        self.inner = zipsgd.open_backend("emulator")
        self.name, self.build = "listening", self.inner.build
        self.begin, self.model, self.close = self.inner.begin, self.inner.model, self.inner.close
        self.samples: list[EpochSamples] = []

    def epoch(self, samples, step, progress):
        self.samples.append(samples)
        return self.inner.epoch(samples, step, progress)


@pytest.mark.parametrize("fresh", [True, False])
def test_every_row_once_an_epoch_in_an_order_of_its_own(small_table, fresh):
    backend = Listening()
    train(small_table, options=replace(OPTIONS, fresh=fresh), backend=backend)
    orders = [tuple(samples.order) for samples in backend.samples]
    assert all(sorted(order) == list(range(210)) for order in orders)
    assert len(set(orders)) == 3
    assert [samples.epoch for samples in backend.samples] == ([0, 1, 2] if fresh else [0, 0, 0])


@pytest.mark.parametrize("name", ["emulator", "golden"])
def test_progress_in_parts_changes_no_bit(name, small_table, monkeypatch):
    whole = train(small_table, options=OPTIONS, backend=name)
    monkeypatch.setattr("zipsgd.backends.emulator._BLOCK_VALUES", 20 * 7)
    monkeypatch.setattr("zipsgd.backends.golden._BLOCK", 20)
    told = []
    parts = train(
        small_table,
        options=OPTIONS,
        backend=name,
        callbacks=[OnSamples(lambda *numbers: told.append(numbers))],
    )
    assert bits(parts) == bits(whole)
    assert told[0][1] % OPTIONS.batch_size == 0
    assert len(told) > 3 * 5
    assert [done for epoch, done in told if epoch == 2][-1] == 210


def test_callbacks_see_every_epoch(small_table):
    seen = []
    result = train(small_table, options=OPTIONS, callbacks=[seen.append])
    assert [report.number for report in seen] == [1, 2, 3]
    assert [report.loss for report in seen] == result.loss
    assert all(report.seconds > 0 for report in seen)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_step_sizes(schedule, small_table):
    options = Options(epochs=4, batch_size=8, step_size=0.04, schedule=schedule)
    sizes = train(small_table, options=options).step_sizes
    assert sizes == pytest.approx([0.04 * SCHEDULES[schedule](epoch, 4) for epoch in range(4)], rel=1e-3)
    assert sizes[0] == pytest.approx(0.04, rel=1e-3)
    assert sizes == sorted(sizes, reverse=True)


def test_a_factor_for_each_epoch(small_table):
    options = Options(epochs=4, batch_size=8, step_size=0.04, schedule=[1, 0.5, 0.25])
    assert train(small_table, options=options).step_sizes == pytest.approx([0.04, 0.02, 0.01, 0.01], rel=1e-3)


def test_the_default_step_is_stable(small_table):
    values = np.ones((4, 9), dtype=np.float32)
    assert largest_step(values) == pytest.approx(0.5 / (9 + 2 * 9), rel=0.05)
    assert largest_step(values, batch_size=18) == pytest.approx(0.5 / (9 + 1), rel=0.05)
    halves = values / 2  # a variance of 1/4 each at p = 1, none at p = 2
    assert largest_step(halves, 9, 1) == pytest.approx(0.5 / (9 / 4 + 1), rel=0.05)
    assert largest_step(halves, 9, 2) == pytest.approx(0.5 / (9 / 4 + 1 / 2), rel=0.05)
    assert largest_step(halves, 9, 0) == pytest.approx(0.5 / (9 / 4 + 2), rel=0.05)  # -1 or 1
    assert largest_step(halves, 9, 1, samples_per_value=0) == largest_step(halves, 9, 2)
    assert largest_step(values, curvature=0.5) == pytest.approx(1 / (9 + 2 * 9), rel=0.05)
    result = train(small_table)
    assert result.flags == []
    assert (
        result.final_loss
        < 0.5 * float_sgd(prepare(small_table, options=Options(epochs=1, step_size=1e-09))).losses[0]
    )


def test_a_step_too_large_is_flagged(small_table):
    result = train(small_table, options=Options(epochs=2, step_size=8.0))
    assert set(result.flags) <= {"residual", "delta", "gradient", "model", "q3"}
    assert result.flags


def test_double_sampling_comes_near_float_and_naive_does_not(small_table):
    options = Options(base_bits=1, epochs=60, batch_size=8, step_size=0.1)
    exact = float_sgd(prepare(small_table, options=options)).losses[-1]
    double = train(small_table, options=options).final_loss
    naive = train(small_table, options=replace(options, estimator="naive")).final_loss
    assert double < 1.5 * exact < naive


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_bits", 0),
        ("base_bits", 9),
        ("bits", 0),
        ("bits", 10),
        ("bits", (3, 10)),
        ("bits", ()),
        ("estimator", "third"),
        ("batch_size", 0),
        ("epochs", 0),
        ("seed", -1),
        ("schedule", "often"),
        ("schedule", (1.0, 0.0)),
        ("step_size", 0.0),
        ("step_size", float("nan")),
    ],
)
def test_bad_options_are_named(field, value):
    with pytest.raises(ValueError, match=f"{field} must be"):
        Options(**{field: value})


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize(
    ("build", "options", "says"),
    [
        (
            Build(max_features=8, lanes=4, update_lanes=4),
            OPTIONS,
            r"there are \d+ columns, and this build takes 7, besides",
        ),
        (Build(max_batch=4), OPTIONS, r"batch size must be in 1\.\.4 .* not 8"),
        (Build(p_max=4), replace(OPTIONS, base_bits=5), r"base planes p must be in 1\.\.4 .* not 5"),
        (
            Build(replay_words=32, lanes=4, update_lanes=4),
            replace(OPTIONS, base_bits=8),
            r"there are \d+ columns, and at 10 planes a value this build takes 11, besides",
        ),
    ],
    ids=["n", "batch", "p", "replay"],
)
def test_limits_are_checked_before_anything_is_built(name, build, options, says, monkeypatch):
    columns = 8 if "features" in says else 15
    table = Table.from_arrays(np.random.default_rng(0).normal(size=(20, columns)), np.arange(20))
    monkeypatch.setattr("zipsgd.training.opening.open_backend", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(LimitError, match=says):
        train(table, options=options, backend=BackendOptions(name, build))


def test_limits_are_checked_before_anything_is_streamed(board):
    table = Table.from_arrays(np.random.default_rng(0).normal(size=(20, 40)), np.arange(20))
    before = board.statistics()["received"]
    with pytest.raises(
        LimitError, match="there are 40 columns, and this build takes 31, besides the intercept"
    ):
        train(table, backend=board.url)
    assert board.statistics()["received"] - before < 200  # who is there, and nothing else


def test_rows_beyond_the_loss_sum(small_table, monkeypatch):
    monkeypatch.setattr(Build, "max_samples", 209)
    with pytest.raises(LimitError, match=r"samples of an epoch must be in 0\.\.209 on this build, not 210"):
        train(small_table)


def test_a_build_for_the_data():
    assert build_for(9) == replace(build_for(1024), max_features=1024)
    wide = build_for(5000, lanes=16)
    assert wide.max_features == 5008
    table = Table.from_arrays(np.random.default_rng(0).normal(size=(12, 1500)), np.arange(12))
    result = train(table, options=Options(base_bits=8, epochs=1))
    assert result.build["max_features"] == 1504
    with pytest.raises(zipsgd.BuildError, match="69,999 columns, and a model has 65,535 at most"):
        build_for(70_000)
    with pytest.raises(zipsgd.BuildError, match="lanes"):
        build_for(9, lanes=0)


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("emulatr", {}, "no backend 'emulatr'; backends: emulator, golden, sim, or a serial port"),
        ("golden", {"baud": 9600}, "baud 9600: the backend golden has no link"),
        ("sim", {"baud": -1}, "no such rate"),
        ("emulator", {"trace": zipsgd.__path__[0]}, "only a virtual board writes a waveform"),
        ("emulator", {"usb": "full"}, "usb puts the virtual board on a USB bus, and the backend is emulator"),
        ("sim", {"usb": "full", "baud": 3_000_000}, "baud is the rate of another line"),
    ],
)
def test_bad_backends_are_named(name, arguments, says):
    with pytest.raises(ValueError, match=says):
        BackendOptions(name, **arguments)


def test_the_backends_agree_that_a_run_begins_anew(small_table):
    """Two runs on one open backend: the second knows nothing of the first."""
    backend = zipsgd.open_backend("emulator")
    first, second = (train(small_table, options=OPTIONS, backend=backend) for _ in range(2))
    assert bits(first) == bits(second)
    backend.begin(RunConfig(7, 2, 2, 8), np.zeros(7, dtype=np.int64), seed=1)
    values = np.zeros((3, 7), dtype=np.float32)
    samples = EpochSamples(values, np.full(3, 1 << 14, dtype=np.int16), np.arange(3), 1, 0)
    result = backend.epoch(samples, Step.nearest(0.01), lambda done: None)
    assert (
        result.loss_sum == 3 * (1 << backend.build.residual_frac - 1) ** 2
    )  # a model of zeros misses by a half
