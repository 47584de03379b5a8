"""What is left out of a sample changes no bit of what is trained: the intercept, and what a label does not need of a word."""

from dataclasses import replace

import numpy as np
import pytest

from zipsgd import Options, open_backend, prepare
from zipsgd.backends import Backend
from zipsgd.golden.run import RunConfig
from zipsgd.protocol.run import LabelForm
from zipsgd.training.heads import Heads
from zipsgd.training.task import Task

RNG = np.random.default_rng(4)
X = RNG.normal(size=(70, 8)) * [1, 10, 0.1, 3, 1, 2, 2, 1]
SCORES = X @ [2, 0, 3, 0.1, -1, 0, 1, 0.5] + RNG.normal(size=70)
OPTIONS = Options(batch_size=9, epochs=2, seed=7)
CLASSES = replace(OPTIONS, classify=True, loss="squared_error")
TASKS: dict[str, tuple[np.ndarray, Options]] = {
    "numbers": (SCORES, OPTIONS),
    "levels": (SCORES, replace(OPTIONS, levels="optimal", base_bits=1)),
    "two levels": (SCORES, replace(OPTIONS, levels="optimal", base_bits=0)),
    "shared levels": (SCORES, replace(OPTIONS, levels="optimal", base_bits=2, shared_levels=True)),
    "truncated levels": (SCORES, replace(OPTIONS, levels="optimal", base_bits=2, estimator="truncated")),
    "two classes": (SCORES > 0, CLASSES),
    "hinge": (SCORES > 0, replace(OPTIONS, classify=True, loss="hinge")),
    "logistic": (SCORES > 0, replace(OPTIONS, classify=True, loss="logistic")),
    "three classes": (np.digitize(SCORES, [-2, 2]), CLASSES),
    "outputs": (np.stack([SCORES, SCORES**2], axis=1), OPTIONS),
}
FORMS = {"two classes": LabelForm.SIGN, "hinge": LabelForm.SIGN, "three classes": LabelForm.BYTE}


def trained(task: Task, backend: Backend, config: RunConfig) -> tuple[list[list[int]], int]:
    """Losses, flags and models of two epochs, and the bytes of a sample."""
    labels = task.numbers if config.one_against_all else task.labels.squeeze()
    assert labels is not None
    backend.begin(config, np.zeros(config.model_shape(), dtype=np.int64), task.options.seed)
    found, moved = [], 0
    for epoch in range(2):
        done = backend.epoch(
            task.samples(epoch, labels), task.step(epoch, backend.build, epoch), lambda count: None
        )
        found.append([done.loss_sum, done.flags, *backend.model().ravel().tolist()])
        moved = done.sample_bytes
    return found, moved // task.rows


def check(name: str, backend: Backend) -> None:
    labels, options = TASKS[name]
    task = prepare(X, labels, options)
    config = Heads(task, backend)._passes[0].config
    assert config.intercept
    assert config.label_form == FORMS.get(name, LabelForm.WORD)
    small, fewer = trained(task, backend, config)
    plain = replace(config, intercept=False, label_form=LabelForm.WORD)
    large, more = trained(task, backend, plain)
    assert small == large
    assert (fewer, more) == (config.layout(backend.build).size, plain.layout(backend.build).size)
    if backend.build.lanes > 4:
        planes = config.p + config.m
        assert more - fewer == planes + (
            name in FORMS
        )  # the ninth feature has a byte of its own in every plane


@pytest.mark.parametrize("kind", ["golden", "emulator"])
@pytest.mark.parametrize("name", TASKS)
def test_the_same_bits_from_smaller_samples(name: str, kind: str) -> None:
    task = prepare(X, TASKS[name][0], TASKS[name][1])
    check(name, open_backend(kind, task.build()))


@pytest.mark.parametrize("name", ["numbers", "two classes", "levels", "two levels"])
def test_the_same_bits_on_a_board(name: str, request: pytest.FixtureRequest) -> None:
    served = request.getfixturevalue("level_board" if "levels" in name else "board")
    backend = open_backend(served.url)
    try:
        check(name, backend)
    finally:
        backend.close()


def test_forms_that_do_not_fit_a_run() -> None:
    config = RunConfig(5, heads=3)
    with pytest.raises(
        ValueError, match="labels in a byte are numbers of classes: choose one_against_all=True"
    ):
        replace(config, label_form=LabelForm.BYTE)
    for other in ({}, {"one_against_all": True}, {"one_against_all": True, "heads": 1}):
        with pytest.raises(ValueError, match="are a sign are for one head, and not for numbers of classes"):
            replace(config, label_form=LabelForm.SIGN, **other)
    assert replace(config, one_against_all=True, label_form=LabelForm.BYTE).registers()["label_form"] == 1
    assert replace(config, heads=1, label_form=LabelForm.SIGN, intercept=True).registers()["intercept"] == 1
