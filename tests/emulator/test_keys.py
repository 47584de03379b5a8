"""The hash keys of rows, from which the up bits are drawn."""

import numpy as np
import pytest

from zipsgd.emulator.quantisations import row_keys
from zipsgd.golden import quantise


@pytest.mark.parametrize("seed", [0, 1, (1 << 32) - 1, 1 << 32, (1 << 64) - 1])
@pytest.mark.parametrize("epoch", [0, 5, (1 << 32) - 1])
def test_keys_are_those_of_the_golden_model(seed: int, epoch: int) -> None:
    rows = np.array([0, 3, 3, (1 << 32) - 1, 77])
    expected = np.stack([quantise.row_keys(seed, epoch, rows, pair) for pair in range(4)], axis=1)
    found = row_keys(seed & 0xFFFF_FFFF, seed >> 32, epoch, rows, 4)
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, expected)
