"""Precision as a schedule: which bits an epoch has, and that every backend gives the same model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zipsgd
from zipsgd import Build, Options, train
from zipsgd.backends import BackendOptions, EpochResult, LimitError
from zipsgd.estimators import ZipRegressor
from zipsgd.training.epochs import EpochReport
from zipsgd.training.ladder import rung_of
from zipsgd_sim.board import VirtualBoard

RNG = np.random.default_rng(7)
X = RNG.uniform(-1, 1, (150, 5))
Y = X @ [1.0, -2.0, 0.5, 0.1, 0.7] + 0.1 * RNG.normal(size=150)
NUMBERS = np.digitize(Y, [-0.6, 0.6])


def reports(losses: Sequence[float]) -> list[EpochReport]:
    return [EpochReport(1, 0.0, 0.0, EpochResult(0, 0), 0.1, 1, 8, merit_loss=loss) for loss in losses]


@pytest.mark.parametrize(
    ("losses", "rung"),
    [
        ([], 0),
        ([1.0], 0),
        ([1.0, 0.9, 0.8], 0),  # still falls
        ([1.0, 0.99], 1),  # no longer does
        ([1.0, 0.99, 0.5], 1),  # the bit helps
        ([1.0, 0.99, 0.5, 0.499], 2),
        ([1.0, 0.99, 0.985, 0.985], 1),  # it does not
        ([1.0, 0.99, 0.985, 0.985, 0.1, 0.1, 0.1], 1),  # and none is taken any more
    ],
)
def test_one_more_bit_where_the_loss_no_longer_falls(losses: list[float], rung: int) -> None:
    assert rung_of(reports(losses)) == rung


def bits_of(options: dict[str, Any], labels: Any = Y, **words: Any) -> tuple[zipsgd.Result, list[int | None]]:
    told: list[EpochReport] = []
    result = train(X, labels, **options, **words, callbacks=[told.append])
    return result, [report.bits for report in told]


def test_each_epoch_has_its_bits() -> None:
    result, bits = bits_of({"bits": (2, 3, 5), "epochs": 5})
    assert bits == [2, 3, 5, 5, 5]
    assert result.bits_per_value == 4
    # of six features, which are a chunk of 8, each plane is a byte, and each label two
    assert result.sample_bytes == 150 * sum(b + 2 for b in (2, 3, 5, 5, 5))
    assert result.bits_per_value == train(X, Y, bits=4, epochs=5).bits_per_value


def test_the_ladder_is_climbed() -> None:
    result, bits = bits_of({"bits": "auto", "epochs": 12, "batch_size": 4})
    assert bits[0] == 2
    assert sorted(bits) == bits
    assert 2 < max(filter(None, bits)) <= 9
    assert result.options["bits"] == "auto"


def test_an_epoch_has_the_bits_of_a_run_at_its_precision() -> None:
    """The first epoch is that of a run of 3 bits, with the steps of such a run."""
    first, _ = bits_of({"bits": (3, 4), "epochs": 1, "schedule": "constant"})
    assert first.model_words == train(X, Y, bits=3, epochs=1, schedule="constant").model_words


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"bits": (2, 3, 4)}, Y),
        ({"bits": "auto", "epochs": 6}, Y),
        ({"bits": (1, 2, 3), "levels": "optimal", "level_bits": 5}, Y),
        ({"bits": (3, 4, 5), "estimator": "double"}, Y),
        ({"bits": (2, 4, 4), "classify": True}, NUMBERS),
    ],
    ids=("list", "auto", "levels", "double", "classes"),
)
def test_golden_model_and_emulator_give_the_same_bits(options: dict[str, Any], labels: Any) -> None:
    (ours, ladder), (other, climbed) = (
        bits_of({"epochs": 3, **options}, labels, backend=name) for name in ("emulator", "golden")
    )
    assert climbed == ladder
    assert (other.loss, other.model_words) == (ours.loss, ours.model_words)


def test_a_board_gives_the_same_bits(board: VirtualBoard, small_build: Build) -> None:
    """Its planes and its diagonal change between epochs."""
    options: dict[str, Any] = {"bits": (2, 3, 5), "epochs": 4}
    (ours, _), (device, _) = (
        bits_of(options, backend=each) for each in (BackendOptions(build=small_build), board.url)
    )
    assert ours.options["estimator"] == "one-draw"
    assert (device.loss, device.model_words) == (ours.loss, ours.model_words)
    assert device.sample_bytes == ours.sample_bytes


def test_a_run_goes_on_where_it_was_on_the_ladder(tmp_path: Path) -> None:
    def stop(report: EpochReport) -> None:
        if report.number == 4:
            raise KeyboardInterrupt

    options = Options(bits="auto", epochs=9, batch_size=4)
    path = tmp_path / "run.json"
    with pytest.raises(KeyboardInterrupt):
        train(X, Y, options, checkpoint=path, callbacks=[stop])
    resumed = train(X, Y, options, checkpoint=path, resume=True)
    whole = train(X, Y, options)
    assert (resumed.model_words, resumed.loss) == (whole.model_words, whole.loss)
    assert resumed.bits_per_value == whole.bits_per_value


def test_a_board_has_enough_planes_for_all_epochs_or_the_ladder_ends() -> None:
    build = Build(lanes=4, update_lanes=4, max_features=32, p_max=3, diagonal=1)
    with pytest.raises(LimitError, match=r"base planes p must be in 1\.\.3 on this build, not 5"):
        train(X, Y, bits=(3, 6), backend=BackendOptions(build=build))
    coarse = Build(lanes=4, update_lanes=4, max_features=32, level_bits=8, level_p_max=1, diagonal=1)
    with pytest.raises(LimitError, match="level_p_max=3"):
        train(X, Y, bits=(1, 4), levels="optimal", backend=BackendOptions(build=coarse))
    _, bits = bits_of({"bits": "auto", "epochs": 20, "batch_size": 4}, backend=BackendOptions(build=build))
    assert max(filter(None, bits)) <= 4


def test_parts_of_a_stream_have_no_schedule() -> None:
    with pytest.raises(ValueError, match="give one number of bits, not bits='auto'"):
        ZipRegressor(bits="auto").partial_fit(X, Y)
    assert ZipRegressor(bits=[2, 4], max_iter=3, random_state=0).fit(X, Y).score(X, Y) > 0.9
