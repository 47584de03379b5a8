"""How many columns a model may have is said in the user's numbers."""

import numpy as np
import pytest

from zipsgd import build_for, train


@pytest.mark.parametrize(
    ("columns", "words", "says"),
    [
        (
            65_536,
            {},
            "there are 65,536 columns, and a model has 65,535 at most, besides the intercept: leave out columns",
        ),
        (
            70_001,
            {},
            "there are 70,001 columns, and a model has 65,535 at most, besides the intercept: leave out columns",
        ),
        (
            65_535,
            {"base_bits": 8},
            "there are 65,535 columns, and at 10 planes a value this build takes 52,423, besides",
        ),
    ],
)
def test_too_many_columns(columns, words, says):
    rows = np.ones((2, columns), dtype=np.float32)
    rows[1] = 0
    with pytest.raises(ValueError, match=f"^{says}"):
        train(rows, np.array([0.0, 1.0]), epochs=1, **words)


def test_optimal_levels_have_room_for_fewer():
    says = (
        "there are 8,192 columns, and a model has 8,191 at most on optimal levels at 2 base bits and 8 lanes"
    )
    with pytest.raises(ValueError, match=f"^{says}"):
        build_for(8_193, level_planes=2)


def test_as_many_as_are_said():
    assert build_for(65_536).max_features == 65_536
    assert build_for(8_192, level_planes=2).max_features == 8_192
