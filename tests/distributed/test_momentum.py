"""Momentum between the rounds of shards: what it does for a run, and that a run goes on with it."""

from pathlib import Path

import numpy as np
import pytest

from zipsgd import BackendOptions, Options, load, train
from zipsgd.backends import EpochSamples, build_for
from zipsgd.backends.golden import GoldenBackend
from zipsgd.distributed.backend import sharded
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.run import Flag


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_momentum_goes_on_after_any_epoch(heads: int, tmp_path: Path) -> None:
    """On a build with room for few heads, which trains them in turns, and from a checkpoint."""
    digits = load("digits")
    digits = digits.with_rows(
        digits.features[:600], np.where(digits.labels[:600] < 3, digits.labels[:600], 2)
    )
    options = Options(shards=4, rounds=2, epochs=5, classify=True, seed=2)
    wanted = train(digits, options=options)
    backend, path = BackendOptions("emulator", {"heads": heads}), tmp_path / "run.json"

    def stop(report: object) -> None:
        raise KeyboardInterrupt

    for epoch in range(options.epochs):
        with pytest.raises(KeyboardInterrupt):
            train(
                digits, options=options, backend=backend, checkpoint=path, resume=epoch > 0, callbacks=[stop]
            )
    found = train(digits, options=options, backend=backend, checkpoint=path, resume=True)
    assert (found.model_words, found.loss) == (wanted.model_words, wanted.loss)


def test_eight_shards_keep_up_with_one() -> None:
    """On a set with 569 columns that go together, on which 8 shards without momentum are 33 % behind."""
    table = load("mnist49")
    options = Options(
        bits=4, keep="last", scaling="range", classify=True, loss="squared_error", calibrate=False
    )
    one, eight = (train(table, options=options, shards=shards) for shards in (1, 8))
    assert eight.final_loss < 1.03 * one.final_loss
    rounds, words = 4 * len(eight.loss), len(eight.model_words[0])
    assert (one.exchange_bytes, eight.exchange_bytes) == (0, rounds * 8 * 2 * 4 * words)


def test_a_start_out_of_range_is_told() -> None:
    """The mean moves towards the end of the range of the words, so that the next round would begin beyond."""
    build = build_for(3)
    samples = EpochSamples(
        np.full((8, 3), 1, dtype=np.float32), np.full(8, 32767, dtype=np.int16), np.arange(8), 1, 0
    )
    top = 1 << (build.model_bits - 1)
    flags = []
    for gap in (1 << 17, 9 << 11):  # the mean moves by some 2^14
        backend = sharded(GoldenBackend(build), 2, 1, 1 << 20)
        words = np.array([top - gap, gap - top, 0])
        backend.begin(RunConfig(3, 2, 1, 4), words, 1)
        flags.append(backend.epoch(samples, Step.nearest(2.0**-8), lambda count: None).flags)
        moved = backend.model() - words
        assert 1 << 13 < moved[0] < min(gap, 1 << 15)
    assert flags == [0, Flag.MODEL]
