"""Rows held out: of classes, each keeps its share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zipsgd import DataError, Table, train
from zipsgd.estimators import ZipClassifier
from zipsgd.training.holdout import hold_out, stratified

RNG = np.random.default_rng(8)
X = RNG.normal(size=(300, 4))


def names(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=6),
    share=st.floats(0.02, 0.9),
    seed=st.integers(0, 3),
)
def test_each_class_keeps_its_share(sizes: list[int], share: float, seed: int) -> None:
    numbers = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    try:
        kept, held = stratified(numbers, share, seed, "the set", names(len(sizes)))
    except DataError:
        count = round(numbers.size * share)
        assert not 0 < count <= numbers.size - len(sizes)
        return
    assert sorted([*kept, *held]) == list(range(numbers.size))
    assert held.size == round(numbers.size * share)
    kept_of, held_of = (np.bincount(numbers[rows], minlength=len(sizes)) for rows in (kept, held))
    assert kept_of.min() >= 1
    room = np.array(sizes) - 1
    free = held_of < room  # classes of few rows give fewer, and the others then more
    assert np.all(held_of >= np.minimum(np.floor(np.array(sizes) * share), room))
    if free.all():
        assert np.all(held_of <= np.ceil(np.array(sizes) * share))


def test_the_seed_decides_and_small_classes_are_named(caplog: pytest.LogCaptureFixture) -> None:
    numbers = np.repeat([0, 1, 2, 3], [200, 97, 2, 1])
    table = Table.from_arrays(X, numbers * 10)
    caplog.set_level("INFO", "zipsgd")
    kept, held = hold_out(table, 0.1, 3, classify=True)
    assert (np.unique(held.labels).tolist(), len(held.labels)) == ([0, 10], 30)
    assert np.unique(kept.labels).tolist() == [0, 10, 20, 30]
    assert (
        "no rows of 2 small classes are held out, all are trained on: 20 (2), 30 (1)" in caplog.messages[-1]
    )
    again, other = (hold_out(table, 0.1, seed, classify=True)[1] for seed in (3, 4))
    np.testing.assert_array_equal(held.features[:], again.features[:])
    assert not np.array_equal(held.features[:], other.features[:])


def test_a_class_of_one_row_is_trained_on() -> None:
    """With every seed: at random it would often be held out, and the model would not know it."""
    labels = np.repeat([0, 1, 2], [298, 1, 1])
    for seed in range(5):
        result = train(X, labels, classify=True, validation=0.3, epochs=1, seed=seed)
        assert result.classes == [0, 1, 2]
        assert result.held_out == 90
        fitted = ZipClassifier(early_stopping=True, max_iter=1, random_state=seed).fit(X, labels)
        assert fitted.classes_.tolist() == [0, 1, 2]


def test_numbers_are_held_out_at_random() -> None:
    table = Table.from_arrays(X, X[:, 0])
    for ours, usual in zip(hold_out(table, 0.2, 1, classify=False), table.split(0.2, 1), strict=True):
        np.testing.assert_array_equal(ours.labels, usual.labels)


@pytest.mark.parametrize("share", [0, 1, -0.1, 0.001, 0.999])
def test_shares_that_leave_nothing(share: float) -> None:
    with pytest.raises(
        DataError, match=f"one of each of the 3 classes to train on, which {share:g} does not"
    ):
        hold_out(Table.from_arrays(X, np.arange(300) % 3), share, 0, classify=True)
