"""Models side by side: in one pass over the rows, in turns, and alone."""

from dataclasses import replace

import numpy as np

from zipsgd import Options, open_backend, prepare
from zipsgd.training.heads import HeadEpoch, Heads
from zipsgd.training.targets import Labels
from zipsgd.training.task import Task

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 5)) * [1, 10, 0.1, 3, 1] + [0, 4, 0, -7, 2]
CLASSES = np.digitize(X @ [2, 0, 3, 0.1, -1], [-3, 0])
OPTIONS = Options(classify=True, loss="squared_error", batch_size=9, epochs=3, seed=7)


def task_of_three() -> Task:
    return prepare(X, CLASSES, OPTIONS)


def with_a_label_each(task: Task, head: int | None = None) -> Task:
    """The same task without the numbers of classes: a label for each head, or for one head alone."""
    heads = slice(None) if head is None else slice(head, head + 1)
    labels = Labels(task.targets.labels.values[:, heads])
    targets = replace(
        task.targets, labels=labels, centre=task.targets.centre[heads], spread=task.targets.spread[heads]
    )
    return replace(task, targets=targets, labels=task.labels[:, heads])


def trained(task: Task, heads: int) -> tuple[list[HeadEpoch], list[list[int]]]:
    """Epochs on an emulator that holds so many heads, and the models."""
    trainer = Heads(task, open_backend("emulator", task.build({"heads": heads})))
    words, epochs = task.new_state().words, []
    for number in range(OPTIONS.epochs):
        done, words = trainer.epoch(number, words, number)
        epochs.append(done)
    return epochs, words.tolist()


def test_heads_in_one_pass_or_in_turns() -> None:
    """Numbers of classes mean what labels say; heads have the same bits in one pass, in turns, and in runs of their own."""
    task = task_of_three()
    together, models = trained(task, 3)
    apart, same = trained(with_a_label_each(task), 3)
    assert models == same
    assert [epoch.loss for epoch in together] == [epoch.loss for epoch in apart]
    assert apart[0].result.sample_bytes - together[0].result.sample_bytes == 300 * (2 * 3 - 1)
    turns, in_turns = trained(task, 2)
    assert turns[0].result.sample_bytes == 300 * (2 * 4 + 2 * 2 + 1)  # five columns take a byte a plane
    single, one_by_one = trained(task, 1)
    assert single[0].result.sample_bytes == 3 * 300 * (4 + 1)
    assert models == in_turns == one_by_one
    assert [epoch.loss for epoch in together] == [epoch.loss for epoch in turns]
    assert trained(with_a_label_each(task, 1), 1)[1] == models[1:2]


def test_a_table_of_levels_leaves_room_for_fewer_heads() -> None:
    """Ten classes of many columns come in turns on optimal levels, as many at a time as the table has room for."""
    values, classes = RNG.normal(size=(40, 1100)), np.arange(40) % 10
    task = prepare(values, classes, Options(classify=True, levels="optimal", bits=3, epochs=1))
    assert task.build().heads == 7
    assert task.build({"lanes": 64}).heads == 10
    assert prepare(values, classes, Options(classify=True, bits=3, epochs=1)).build().heads == 10


def test_progress_of_heads_in_turns_is_their_mean() -> None:
    task = task_of_three()
    told: list[int] = []
    heads = Heads(task, open_backend("golden", task.build({"heads": 2})))
    heads.epoch(0, task.new_state().words, 0, told.append)
    assert told == [150, 300]


def test_as_many_heads_as_builds_hold() -> None:
    task = task_of_three()
    wide = Labels(np.ones((300, 1000)))
    many = replace(task, targets=replace(task.targets, labels=wide))
    assert many.build().heads == 64
    build = replace(many, config=replace(task.config, features=30_000, diagonal=None)).build()
    assert (build.heads, build.max_features) == (2, 60_000)
