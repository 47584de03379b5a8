"""Checkpoints: what a run goes on from, with the bits of one that was never interrupted."""

import json
from dataclasses import replace

import numpy as np
import pytest

from zipsgd import Build, DataError, Options, Table, train
from zipsgd.backends import BackendOptions
from zipsgd.training.checkpoint import load_checkpoint

OPTIONS = Options(epochs=6, batch_size=8, seed=5)


class Stopped(Exception):
    pass


def stop_after(epoch):
    def on_epoch(report):
        if report.number == epoch:
            raise Stopped

    return on_epoch


def train_in_parts(table, options, path, parts, **arguments):
    """Train to the end of each of ``parts``, an epoch and a backend; then to the end on the last one."""
    for epoch, backend in parts:
        with pytest.raises(Stopped):
            train(
                table,
                options=options,
                backend=backend,
                checkpoint=path,
                resume=True,
                **arguments,
                callbacks=[stop_after(epoch)],
            )
    return train(table, options=options, backend=parts[-1][1], checkpoint=path, resume=True, **arguments)


def bits(result):
    return result.loss, result.model_words, result.flags


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        replace(OPTIONS, base_bits=5, one_sided=True, fresh=False, schedule="sqrt"),
        replace(OPTIONS, levels="optimal", base_bits=1),
    ],
    ids=["plain", "one-sided", "levels"],
)
def test_a_run_goes_on_with_the_same_bits_on_every_backend(options, small_table, level_board, tmp_path):
    whole = train(small_table, options=options, backend=BackendOptions(build=level_board.build))
    for number, parts in enumerate(
        (
            [(1, "emulator"), (4, "emulator")],
            [(2, "golden"), (3, "golden")],
            [(2, level_board.url)],
            [(1, "golden"), (3, level_board.url), (5, "emulator")],
        )
    ):
        first = parts[0][1]
        parts[0] = (parts[0][0], first if "/" in first else BackendOptions(first, level_board.build))
        path = tmp_path / f"{number}.json"
        assert bits(train_in_parts(small_table, options, path, parts)) == bits(whole)
    # a run that is over is not trained again
    again = train(
        small_table,
        options=options,
        checkpoint=path,
        resume=True,
        callbacks=[lambda report: pytest.fail("trained")],
    )
    assert bits(again) == bits(whole)


KINDS = {
    "classes": {"classify": True},
    "refetching": {"classify": True, "loss": "hinge", "refetch": "likely", "base_bits": 4},
    "a compiled loss": {"loss": "huber"},
    "two classes, averaged": {"classify": True, "average": 2, "schedule": "constant"},
    "several outputs": {"l1": 0.001},
    "patience": {"classify": True, "patience": 9, "schedule": "sqrt", "measure": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_every_kind_go_on(kind, small_table, tmp_path):
    """With the model, the losses and what was measured of a run that was never interrupted."""
    features, y = np.array(small_table.features), small_table.labels
    options = replace(OPTIONS, **KINDS[kind])
    if kind == "several outputs":
        y = np.stack([y, features[:, 0]], axis=1)
    elif options.classify:
        y = np.digitize(y, np.quantile(y, [0.5] if kind.startswith("two") else [0.3, 0.6])).astype(float)
    held = (features[:40], y[:40]) if options.patience else None
    path = tmp_path / "run.json"

    def run(**arguments):
        return train(features, y, options, validation=held, **arguments)

    for epoch in (1, 4):
        with pytest.raises(Stopped):
            run(checkpoint=path, resume=True, callbacks=[stop_after(epoch)])
    whole, parts = run(), run(checkpoint=path, resume=True)
    ignored = {"seconds": 0.0}
    assert replace(parts, **ignored) == replace(whole, **ignored)


def test_counts_add_up(board, small_table, tmp_path):
    path = tmp_path / "run.json"
    whole = train(small_table, options=OPTIONS, backend=board.url)
    result = train_in_parts(small_table, OPTIONS, path, [(2, board.url), (3, board.url)])
    assert bits(result) == bits(whole)
    assert (result.plane_cycles, result.sample_bytes) == (whole.plane_cycles, whole.sample_bytes)
    assert result.seconds > sum(epoch["seconds"] for epoch in load_checkpoint(path).epochs[:3])


def test_a_set_on_disk_goes_on_with_a_run_in_memory(small_table, tmp_path):
    np.save(tmp_path / "x.npy", small_table.features)
    mapped = Table.from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), small_table.labels)
    path = tmp_path / "run.json"
    with pytest.raises(Stopped):
        train(small_table, options=OPTIONS, checkpoint=path, callbacks=[stop_after(3)])
    result = train(mapped, options=OPTIONS, checkpoint=path, resume=True, memory=1000)
    assert bits(result) == bits(train(small_table, options=OPTIONS))


def test_flags_stay(small_table, tmp_path):
    """Values that were saturated before the interruption, and none after it."""
    path = tmp_path / "run.json"
    result = train_in_parts(small_table, OPTIONS, path, [(5, "emulator")])
    assert result.flags == []
    run = load_checkpoint(path)
    reports = [{**report, "result": {**report["result"], "flags": 5}} for report in run.epochs[:5]]
    replace(run, epochs=reports).save(path)
    assert train(small_table, options=OPTIONS, checkpoint=path, resume=True).flags == ["residual", "gradient"]


def test_what_decides_no_bit_may_change(small_table, tmp_path):
    builds = [
        Build(lanes=4, update_lanes=4, max_features=32, max_batch=32),
        Build(
            lanes=4, update_lanes=4, max_features=1024, rx_bytes=4096, replay_words=4096, clock_hz=12_000_000
        ),
        Build(lanes=4, update_lanes=4, max_features=32, level_bits=8, level_p_max=2),
    ]
    path = tmp_path / "run.json"
    for build, epoch in zip(builds, (2, 4, 5), strict=True):
        with pytest.raises(Stopped):
            train(
                small_table,
                options=OPTIONS,
                checkpoint=path,
                resume=True,
                backend=BackendOptions(build=build),
                callbacks=[stop_after(epoch)],
            )
    result = train(small_table, options=OPTIONS, backend="golden", checkpoint=path, resume=True)
    assert bits(result) == bits(train(small_table, options=OPTIONS, backend=BackendOptions(build=builds[0])))
    assert result.build == builds[2].as_dict()  # the last one is gone on with


@pytest.fixture
def kept(small_table, tmp_path):
    """A checkpoint after two epochs."""
    path = tmp_path / "run.json"
    with pytest.raises(Stopped):
        train(small_table, options=OPTIONS, checkpoint=path, callbacks=[stop_after(2)])
    return path


def refused(kind, says, path, table, options=OPTIONS, resume=True, **arguments):
    before = path.read_bytes()
    with pytest.raises(kind, match=says):
        train(
            table,
            options=options,
            checkpoint=path,
            resume=resume,
            **arguments,
            callbacks=[lambda report: pytest.fail("trained")],
        )
    assert path.read_bytes() == before


def test_another_run_is_refused(kept, small_table):
    options = replace(OPTIONS, seed=6, bits=3)
    says = (
        r"run\.json: .* other options: bits None \(now 3\), base_bits 3 \(now 2\), seed 5 \(now 6\): give the same ones, or "
        r"name another file"
    )
    refused(ValueError, says, kept, small_table, options)
    features, labels = np.array(small_table.features), small_table.labels
    says = r"other data: rows 210 \(now 209\), features 7 \(now 6\): give the same file, columns and rows"
    refused(ValueError, says, kept, Table.from_arrays(features[1:, 1:], labels[1:]))
    changed = features.copy()
    changed[17, 3] *= 1.001
    for other in (
        Table.from_arrays(changed, labels),
        Table.from_arrays(features[::-1], labels[::-1]),
        Table.from_arrays(features, np.where(np.arange(210) == 9, labels + 0.1, labels)),
    ):
        refused(ValueError, "other data: sha256 .* values, labels or their order have changed", kept, other)
    says = r"with lanes 8 \(now 4\), update_lanes 8 \(now 4\), q3_bits 12 \(now 10\): go on with a build that has the same"
    refused(
        ValueError,
        says,
        kept,
        small_table,
        backend=BackendOptions(build=Build(lanes=4, update_lanes=4, q3_bits=10, diagonal=1)),
    )


def test_a_board_of_other_widths_is_refused(kept, small_table, board):
    refused(ValueError, r"a build with lanes 8 \(now 4\)", kept, small_table, backend=board.url)


def test_no_run_is_overwritten(kept, small_table):
    refused(
        ValueError,
        "is there already: go on with the run in it with --resume",
        kept,
        small_table,
        resume=False,
    )
    with pytest.raises(ValueError, match="name its checkpoint"):
        train(small_table, options=OPTIONS, resume=True)


def test_a_run_that_has_not_begun(small_table, tmp_path, caplog):
    caplog.set_level("INFO", "zipsgd")
    path = tmp_path / "run.json"
    result = train(small_table, options=OPTIONS, checkpoint=path, resume=True)
    assert bits(result) == bits(train(small_table, options=OPTIONS))
    assert f"no checkpoint {path} yet: beginning with the first epoch" in caplog.messages


def test_every_damage_is_noticed(kept, small_table):
    """Cut off anywhere; any byte changed to one that leaves it JSON."""
    whole = kept.read_text()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 3):
        kept.write_text(whole[:length])
        refused(
            DataError,
            r"run\.json is no checkpoint of .*: name another file, or begin anew",
            kept,
            small_table,
        )
    digits = [at for at, letter in enumerate(whole) if letter in "12345678"]
    for at in [*digits[:: len(digits) // 60], digits[-1]]:
        kept.write_text(whole[:at] + "9" + whole[at + 1 :])
        refused(DataError, "is no checkpoint of", kept, small_table)
    kept.write_text(whole)
    assert len(train(small_table, options=OPTIONS, checkpoint=kept, resume=True).loss) == OPTIONS.epochs


@pytest.mark.parametrize(
    "foreign", ["{}", "[1]", "null", '{"format": "zipsgd model 1"}', "x = 1", "\x00\xff"]
)
def test_foreign_files(foreign, kept, small_table):
    kept.write_bytes(foreign.encode("latin-1"))
    refused(DataError, "is no checkpoint of 'zipsgd train --checkpoint'", kept, small_table)
    refused(ValueError, "is there already", kept, small_table, resume=False)


def test_it_is_plain_json(kept):
    run = json.loads(kept.read_text())["run"]
    assert run["options"] == OPTIONS.resolved(diagonal=True).as_dict()
    assert run["data"].keys() == {"rows", "features", "sha256"}
    assert [report["number"] for report in run["epochs"]] == [1, 2]
    (words,) = run["state"]["model_words"]
    assert len(words) == 7


def test_an_interrupted_write_leaves_the_last_one(kept, small_table, monkeypatch):
    before = kept.read_bytes()

    def cut(*_):
        raise KeyboardInterrupt

    for call in ("os.replace", "os.fsync"):
        with monkeypatch.context() as patched:
            patched.setattr(call, cut)
            with pytest.raises(KeyboardInterrupt):
                train(small_table, options=OPTIONS, checkpoint=kept, resume=True)
        assert kept.read_bytes() == before
    assert bits(train(small_table, options=OPTIONS, checkpoint=kept, resume=True)) == bits(
        train(small_table, options=OPTIONS)
    )
    assert [path.name for path in kept.parent.iterdir()] == ["run.json"]
