"""Comparing two backends, and a run with its yardsticks."""

import json
from dataclasses import replace

import numpy as np
import pytest

import zipsgd
from zipsgd import Finding, Options, Table, train, verify
from zipsgd.backends import BackendOptions, LimitError
from zipsgd.driver import WrongBuild
from zipsgd.training.comparison import compare, save_report, summary
from zipsgd.training.verification import compare_results

OPTIONS = Options(epochs=2, batch_size=8, base_bits=3)


def test_identical_backends(small_table):
    found = verify(small_table, None, OPTIONS, ("emulator", "golden"))
    assert found.identical
    assert (found.first.backend, found.second.backend) == ("emulator", "golden")
    assert found.first.model_words == found.second.model_words


@pytest.mark.parametrize("port_first", [True, False])
def test_a_board_brings_its_build(small_table, small_build, board, port_first, caplog):
    names = (board.url, "emulator") if port_first else ("golden", board.url)
    caplog.set_level("INFO", "zipsgd")
    found = verify(small_table, None, OPTIONS, names)
    assert found.identical
    assert [each for each in caplog.messages if "training" in each] == [
        f"training on {name}" for name in names
    ]
    assert found.first.build == found.second.build == small_build.as_dict()


def test_a_board_of_another_build(small_table, small_build, board):
    wanted = BackendOptions("golden", replace(small_build, max_batch=16))
    with pytest.raises(WrongBuild, match=r"max_batch 32 \(wanted 16\)"):
        verify(small_table, None, OPTIONS, (wanted, board.url))


def test_limits_of_the_board_hold(board):
    table = Table.from_arrays(np.random.default_rng(0).normal(size=(20, 40)), np.arange(20))
    with pytest.raises(LimitError, match="features"):
        verify(table, None, OPTIONS, ("golden", board.url))


def test_differences_are_counted(small_table):
    result = train(small_table, options=OPTIONS)
    words = list(result.model_words)
    words[2] += 1
    changed = replace(result, model_words=words, loss=[result.loss[0], 0.0], flags=["delta"])
    found = compare_results(result, changed)
    assert (found.losses, found.words, found.flags, found.identical) == (1, 1, True, False)
    assert compare_results(result, result).identical


def test_the_yardsticks(small_table, small_build, caplog):
    options = Options(epochs=30, base_bits=1, batch_size=8)
    result = train(small_table, options=options, backend=BackendOptions(build=small_build))
    caplog.set_level("INFO", "zipsgd")
    found = compare(small_table, None, options, result)
    assert len([each for each in caplog.messages if "comparing" in each]) == 2
    assert found.over_float == result.final_loss / found.float_loss[-1]
    assert found.over_float < found.naive_over_float
    naive_options = replace(
        options, estimator="naive", step_size=zipsgd.prepare(small_table, options=options).step_sizes[0]
    )
    naive = train(small_table, options=naive_options, backend=BackendOptions(build=small_build))
    assert found.naive_loss == naive.loss
    assert len(found.float_loss) == 30


def test_report_files(small_table, tmp_path):
    result = train(small_table, options=OPTIONS)
    paths = save_report(tmp_path / "a" / "b", "a title", result, compare(small_table, None, OPTIONS, result))
    assert [path.name for path in paths] == ["report.json", "loss.png"]
    content = json.loads(paths[0].read_text())
    assert content["comparison"]["over_float"] > 0
    assert content["loss"] == result.loss
    assert paths[1].read_bytes().startswith(b"\x89PNG")


def test_summary(small_table, board):
    result = train(small_table, options=OPTIONS, backend=board.url)
    text = "\n".join(summary(result, compare(small_table, None, OPTIONS, result)))
    for part in (
        f"loss {result.final_loss:.6f}",
        "after 2 epochs",
        "times the loss of float64 SGD",
        "naive quantisation ends at",
        # 6 columns and the intercept on 4 lanes: 2 bytes of label, 5 planes of a byte
        "5 bits a value: 7 bytes a row with labels and padding; float32 moves 28, 4.0 times as many",
        f"{result.sample_bytes:,} bytes of samples",
        f"{result.cycles:,} cycles",
        "at 24 MHz",
        f"{result.plane_cycles / result.cycles:.1%} of the plane limit",
    ):
        assert part in text
    assert "warning" not in text
    wrong = Finding("noisy", "it is wrong", ("more bits",))
    assert summary(replace(result, warnings=[wrong]))[-1] == "warning: it is wrong. This may help: more bits"
    assert len(summary(train(small_table, options=OPTIONS))) == 2  # no link, no cycles


def test_the_package_says_what_it_offers():
    assert set(zipsgd.__all__) <= set(dir(zipsgd))
    for name in zipsgd.__all__:
        assert getattr(zipsgd, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        zipsgd.nosuch  # noqa: B018
