"""The diagonal: its words, its turns, and the mean of a corrected step."""

import numpy as np
import pytest

from zipsgd.golden.diagonal import NO_GROWTH, Diagonal, Growth, Turns, grown
from zipsgd.golden.lfsr import Lfsr, seed_words
from zipsgd.golden.run import LimitError, RunConfig
from zipsgd.protocol.formats import Build
from zipsgd.protocol.run import Loss, Refetch


@pytest.mark.parametrize("unit", [3e-6, 7.6e-6, 1e-9])
def test_features_have_their_turn_as_often_as_their_variance_asks(unit: float) -> None:
    growth = Growth.nearest(unit)
    words = np.array([0, 1, 100, 12_345, 65_535])
    turns = Turns(growth)
    count = np.zeros(words.size)
    for _ in range(growth.range):
        count += words > turns.next()
    assert np.array_equal(count, words)  # exactly, over the whole range
    mean = words / growth.range * 2.0**-growth.shift
    assert np.allclose(mean, words * unit, rtol=1e-5)


def test_turns_are_even_over_few_mini_batches_too() -> None:
    growth = Growth.nearest(4e-6, turns=1000)
    words, turns = np.array([20_000, 40_000]), Turns(growth)
    count = sum(words > turns.next() for _ in range(100))
    assert np.all(np.abs(count / 100 - words / growth.range) < 0.04)


def test_turns_go_on_from_epoch_to_epoch() -> None:
    first, later = Turns(Growth.nearest(5e-6)), Turns(Growth.nearest(5e-6, turns=7))
    numbers = [first.next() for _ in range(9)]
    assert numbers[7:] == [later.next() for _ in range(2)]


def test_amounts_have_the_right_mean() -> None:
    lanes = 8
    draws = np.concatenate(_draws(lanes, 4000))
    for shift in (1, 5, 15):
        for x in (12_345, -12_345, 3, -(1 << 23)):
            amounts = grown(np.full(draws.size, x), draws, np.ones(draws.size, dtype=bool), shift)
            exact = x * 2.0**-shift
            assert set(amounts) <= {np.floor(exact), np.floor(exact) + 1}
            assert abs(amounts.mean() - exact) < 4 * 0.5 / np.sqrt(draws.size)


def _draws(lanes: int, count: int) -> list[np.ndarray]:
    lfsr = Lfsr(seed_words(3, 0, lanes)[:-1])
    return [lfsr.draw() for _ in range(count)]


def test_words_are_nearest() -> None:
    diagonal = Diagonal.nearest(np.array([0.0, 0.1, 0.25]))
    assert diagonal.words.tolist() == [0, 26214, 65535]
    assert Diagonal.nearest(np.zeros(3)).words.tolist() == [0, 0, 0]


def test_growth_ends_where_it_does_not_matter_and_where_it_is_too_large() -> None:
    assert Growth.nearest(0.0) == Growth.nearest(2.0**-41) == NO_GROWTH
    with pytest.raises(ValueError, match="too large for one draw"):
        Growth.nearest(1e-5)
    with pytest.raises(ValueError, match="range of a growth"):
        Growth(1, 0)
    with pytest.raises(ValueError, match="stride and start"):
        Growth(1, 5, 5)
    with pytest.raises(ValueError, match="shift of a growth"):
        Growth(16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"m": 2}, "1 quantisation per value"),
        ({"loss": Loss.HINGE}, "squared losses, not of hinge"),
        ({"loss": Loss.SQUARED_HINGE, "refetch": Refetch.CERTAIN}, "does not work with refetch"),
        ({"features": 3}, "for 4 features"),
    ],
)
def test_a_diagonal_that_does_not_fit_is_refused(changes: dict, message: str) -> None:
    diagonal = Diagonal.nearest(np.ones(4))
    with pytest.raises(ValueError, match=message):
        RunConfig(**{"features": 4, "p": 2, "m": 1, "diagonal": diagonal} | changes)


def test_a_build_without_it_says_what_to_do() -> None:
    config = RunConfig(4, 2, 1, diagonal=Diagonal.nearest(np.ones(4)))
    config.check(Build(diagonal=1))
    with pytest.raises(LimitError, match="diagonal=1"):
        config.check(Build())
