"""Epochs whose samples in doubt come again: the same on both models of the device, and each sample used once."""

from dataclasses import replace

import numpy as np
import pytest

from zipsgd.backends import Backend, EpochResult, EpochSamples, open_backend
from zipsgd.backends.base import Progress
from zipsgd.golden.loss import Step
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import Loss, Refetch
from zipsgd.training.refetching import FetchedEpoch, epoch_with_refetching, samples_at_once

ROWS, FEATURES = 150, 9
LISTED = 64
BUILD = Build(lanes=4, update_lanes=4, max_features=16, max_batch=32, hinge=1, refetch=LISTED)
CONFIG = RunConfig(FEATURES, 3, 2, 8, loss=Loss.HINGE, refetch=Refetch.CERTAIN)
STEP = Step.nearest(0.002)
SEED = 11
RNG = np.random.default_rng(4)
VALUES = RNG.uniform(-1, 1, (ROWS, FEATURES)).astype(np.float32)
WEIGHTS = RNG.normal(size=FEATURES)
LABELS = np.where(VALUES @ WEIGHTS > 0, LABEL_ONE, -LABEL_ONE).astype(np.int16)
MODEL = np.rint(0.4 * WEIGHTS * 2**BUILD.model_frac).astype(np.int64)
"""Scores on both sides of the margin."""


def samples_of(config: RunConfig, number: int = 0) -> EpochSamples:
    order = np.random.default_rng(number).permutation(ROWS)
    return EpochSamples(VALUES, LABELS, order, SEED, number)


def fetched(backend: Backend, config: RunConfig, model: np.ndarray, number: int) -> FetchedEpoch:
    return epoch_with_refetching(backend, config, samples_of(config, number), model, SEED, number, STEP)


@pytest.mark.parametrize("loss", [Loss.HINGE, Loss.SQUARED_HINGE])
@pytest.mark.parametrize("refetch", [Refetch.CERTAIN, Refetch.LIKELY])
@pytest.mark.parametrize(("p", "m"), [(3, 2), (4, 1)])
def test_golden_model_and_emulator_give_the_same_bits(loss: Loss, refetch: Refetch, p: int, m: int) -> None:
    config = replace(CONFIG, p=p, m=m, loss=loss, refetch=refetch)
    golden, emulator = (open_backend(name, BUILD) for name in ("golden", "emulator"))
    model = MODEL
    for number in range(2):
        ours, theirs = fetched(emulator, config, model, number), fetched(golden, config, model, number)
        np.testing.assert_array_equal(ours.model, theirs.model)
        assert (ours.again, ours.result) == (theirs.again, theirs.result)
        assert 0 < ours.again < ROWS
        model = ours.model


class Watched:
    """A backend that keeps what it is asked to do and what comes of it."""

    name = "watched"

    def __init__(self, backend: Backend) -> None:
        self._backend, self.build = backend, backend.build
        self.begun: list[tuple[RunConfig, int]] = []
        self.given: list[EpochSamples] = []
        self.done: list[EpochResult] = []

    def begin(self, config: RunConfig, model: np.ndarray, seed: int, epoch: int = 0) -> None:
        self.begun.append((config, epoch))
        self._backend.begin(config, model, seed, epoch)

    def epoch(self, samples: EpochSamples, step: Step, progress: Progress) -> EpochResult:
        self.given.append(samples)
        self.done.append(self._backend.epoch(samples, step, progress))
        return self.done[-1]

    def model(self) -> np.ndarray:
        return self._backend.model()

    def close(self) -> None:
        self._backend.close()


@pytest.mark.parametrize("name", ["golden", "emulator"])
def test_parts_and_what_comes_again(name: str) -> None:
    """Each part of the order as it is, and behind it those in doubt, at all base planes; seeds are each part's own."""
    config = replace(CONFIG, p=2)
    watched = Watched(open_backend(name, BUILD))
    told: list[int] = []
    whole = epoch_with_refetching(
        watched, config, samples_of(config, 3), MODEL, SEED, 3, STEP, progress=told.append
    )
    parts = -(-ROWS // LISTED)
    assert len(watched.given) == 2 * parts
    order = samples_of(config, 3).order
    again: list[int] = []
    for part, (first, second) in enumerate(zip(watched.given[::2], watched.given[1::2], strict=True)):
        assert first.order.tolist() == order[part * LISTED : (part + 1) * LISTED].tolist()
        doubts = watched.done[2 * part].doubts
        assert second.order.tolist() == first.order[doubts].tolist()
        assert [run.p for run, _ in watched.begun[2 * part : 2 * part + 2]] == [config.p, BUILD.p_max]
        again += second.order.tolist()
    assert 0 < len(again) == len(set(again)) == whole.again
    assert {config.refetch for config, _ in watched.begun[1::2]} == {Refetch.NEVER}
    assert len({epoch for _, epoch in watched.begun}) == 2 * parts
    assert watched.begun[0][1] == 3
    assert whole.result.loss_sum == sum(done.loss_sum for done in watched.done)
    np.testing.assert_array_equal(whole.model, watched.model())
    assert told == sorted(told)
    assert told[-1] == ROWS


@pytest.mark.parametrize("name", ["golden", "emulator"])
@pytest.mark.parametrize("loss", [Loss.HINGE, Loss.SQUARED_HINGE])
def test_a_sample_in_doubt_counts_for_nothing_until_it_comes_again(name: str, loss: Loss) -> None:
    """As one without features, on the side that has no loss, does."""
    config = replace(CONFIG, loss=loss)
    backend = open_backend(name, BUILD)
    samples = samples_of(config)
    samples = replace(samples, order=samples.order[:LISTED])
    backend.begin(config, MODEL, SEED)
    first = backend.epoch(samples, STEP, lambda count: None)
    model = backend.model()
    left_out = samples.order[first.doubts]
    assert 0 < left_out.size < LISTED
    values, labels = VALUES.copy(), LABELS.copy()
    values[left_out] = labels[left_out] = 0
    never = replace(config, refetch=Refetch.NEVER)
    backend.begin(never, MODEL, SEED)
    blank = backend.epoch(replace(samples, values=values, labels=labels), STEP, lambda count: None)
    np.testing.assert_array_equal(backend.model(), model)
    assert blank.loss_sum == first.loss_sum
    whole = epoch_with_refetching(backend, config, samples, MODEL, SEED, 0, STEP)
    backend.begin(replace(never, p=BUILD.p_max), model, SEED, 1 << 32)
    second = backend.epoch(replace(samples, order=left_out), STEP, lambda count: None)
    np.testing.assert_array_equal(whole.model, backend.model())
    assert whole.result.loss_sum == first.loss_sum + second.loss_sum


@pytest.mark.parametrize("name", ["golden", "emulator"])
def test_nothing_comes_again_where_nothing_is_left_out(name: str) -> None:
    """Of a run that leaves none out; and where no word of the model is large enough to move a sample."""
    backend = open_backend(name, BUILD)
    never = replace(CONFIG, refetch=Refetch.NEVER)
    samples = samples_of(never)
    backend.begin(never, MODEL, SEED)
    assert backend.epoch(samples, STEP, lambda count: None).doubts is None
    assert samples_at_once(never, BUILD, ROWS) == ROWS
    assert samples_at_once(CONFIG, BUILD, ROWS) == LISTED
    still = Step(0, 0)
    nothing = np.zeros(FEATURES, dtype=np.int64)
    watched = Watched(backend)
    whole = epoch_with_refetching(watched, CONFIG, samples, nothing, SEED, 0, still)
    assert whole.again == 0
    assert len(watched.given) == -(-ROWS // LISTED)
    assert not whole.model.any()
