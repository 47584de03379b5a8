"""What is predicted of an epoch on the samples of a store, and how it compares with the emulator."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from zipsgd import Build, Options, Table, train
from zipsgd.protocol.samples import SampleLayout
from zipsgd_hw.boards import BOARDS, predict_epoch, stock_report
from zipsgd_hw.boards.store_prediction import predict_room
from zipsgd_hw.store.block_ram import BlockRamStore
from zipsgd_hw.store.pace import StorePace
from zipsgd_hw.store.sdram import CHIPS, SdramController
from zipsgd_sim.board import VirtualBoard

ULX3S = BOARDS["ulx3s-85f-store"]
BUILD = Build(
    lanes=16,
    update_lanes=4,
    max_features=128,
    heads=2,
    diagonal=1,
    word_bytes=1,
    store_words=1 << 13,
    schedule_words=64,
)
RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def store_board() -> Iterator[VirtualBoard]:
    with VirtualBoard(BUILD, optimise=1) as served:
        yield served


@pytest.mark.parametrize(
    ("rows", "columns", "outputs", "batch", "bound", "within"),
    [
        (150, 100, 1, 16, "memory", 0.02),
        (120, 100, 1, 4, "memory", 0.02),
        (400, 9, 1, 2, "datapath", 0.02),
        (150, 30, 2, 16, "memory", 0.03),
    ],
)
def test_the_board_takes_the_predicted_cycles(
    rows: int, columns: int, outputs: int, batch: int, bound: str, within: float, store_board: VirtualBoard
) -> None:
    shape = (rows,) if outputs == 1 else (rows, outputs)
    table = Table(
        RNG.normal(size=(rows, columns)), RNG.normal(size=shape), tuple(f"x{i}" for i in range(columns)), "t"
    )
    asked = Options(bits=3, epochs=2, batch_size=batch, scaling="range", step_size=0.001, resident=True)
    options = asked.resolved(diagonal=True)
    counted = train(table, options=options, backend=store_board.url)
    assert counted.sample_bytes, "loaded"
    predicted = predict_epoch(
        BUILD,
        samples=rows,
        features=columns + 1,
        base_planes=options.planes,
        up_planes=options.quantisations,
        batch=batch,
        heads=outputs,
        store_pace=BlockRamStore.pace,
    )["store"]
    assert predicted["cycles_per_sample"] * rows == pytest.approx(counted.cycles / 2, rel=within)
    assert predicted["bound_by"] == bound


def test_the_share_of_an_sdram() -> None:
    """Shares of the bus that the controller reached on the model of the chip, see ``tests/sim/test_sdram.py``."""
    chip = CHIPS["16Mx16"]
    for clock_hz, in_order, random in ((133e6, 0.98557, 0.83082), (100e6, 0.98336, 0.82861)):
        pace = SdramController.pace(chip.geometry, chip.timing, clock_hz)
        assert pace.words_per_cycle == pytest.approx(in_order, abs=2e-5)
        assert 8 / pace.cycles(1) == pytest.approx(random, abs=0.003)
    with pytest.raises(ValueError, match="too slow"):
        SdramController.pace(chip.geometry, chip.timing, 1e6)


MNIST = {"samples": 4000, "features": 785, "base_planes": 2, "up_planes": 1}


def test_an_epoch_from_an_sdram() -> None:
    """430,398 cycles were counted on the virtual board with its chip; the planes alone take 39 cycles a sample."""
    pace = ULX3S.store_pace
    assert pace is not None
    found = predict_epoch(ULX3S.build, **MNIST, link_baud=3_000_000, store_pace=pace)
    store = found["store"]
    assert store["bound_by"] == "memory"
    assert store["cycles_per_sample"] * 4000 == pytest.approx(430_398, rel=0.005)
    assert store["load_seconds"] == pytest.approx(found["link_seconds"])
    assert store["times_as_fast_as_streamed"] == pytest.approx(found["seconds"] / store["seconds"], abs=0.01)
    quick = replace(ULX3S.build, word_bytes=8)
    alone = predict_epoch(quick, **MNIST, store_pace=StorePace(1.0, 0.0, 1))["store"]
    assert alone["bound_by"] == "datapath"
    assert 39 < alone["cycles_per_sample"] < 50


def test_california_housing_on_the_small_board() -> None:
    """Twenty epochs of all rows in half a second."""
    board = BOARDS["icebreaker-store"]
    store = stock_report(board)["predicted_epoch"]["store"]
    assert store["fits"]
    assert 20 * store["seconds"] <= 0.5


@pytest.mark.parametrize(
    ("rows", "p", "m", "said"),
    [
        (25, 2, 1, "all 25 rows fit at 3 bits"),
        (19, 2, 1, "all 19 rows fit at 3 bits, and at up to 4 bits"),
        (60, 2, 1, "25 of 60 rows fit at 3 bits; 3 boards would hold all"),
        (35, 2, 1, "25 of 35 rows fit at 3 bits; 2 boards or 2 bits would hold all"),
    ],
)
def test_room_is_said_in_words(rows: int, p: int, m: int, said: str) -> None:
    build = Build(lanes=8, max_features=64, word_bytes=1, store_words=512, replay_words=64)
    found = predict_room(build, rows, SampleLayout(49, p, m, 8, intercept=True))
    assert found["room"] == said
    assert found["fits"] == said.startswith("all")
    assert found["rows_that_fit"] == min(rows, 25)


def test_one_bit_needs_levels_from_a_table() -> None:
    build = Build(lanes=8, max_features=64, word_bytes=1, store_words=512, replay_words=64)
    sample = SampleLayout(49, 2, 1, 8, intercept=True)
    assert predict_room(build, 60, sample)["most_bits"] is None
    transcoded = replace(build, level_bits=4, level_p_max=2)
    assert predict_room(transcoded, 60, sample)["room"].endswith("3 boards or 1 bit would hold all")
    tiny = replace(build, store_words=64)
    assert predict_room(tiny, 60, SampleLayout(64, 8, 1, 8))["boards"] is None


def test_several_passes_are_streamed() -> None:
    predicted = predict_epoch(BUILD, **{**MNIST, "features": 60}, heads=4, store_pace=BlockRamStore.pace)
    assert not predicted["store"]["fits"]
    assert "2 passes" in predicted["store"]["room"]


def test_a_build_without_a_store_has_no_prediction_of_one() -> None:
    assert BOARDS["ice40-hx8k-b-evn"].store_pace is None
    assert "store" not in predict_epoch(Build(), **{**MNIST, "features": 100})
