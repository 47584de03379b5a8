"""Widths of raw words."""

import pytest

from zipsgd.protocol.formats import Build
from zipsgd_hw.quantiser.sample_quantiser import SampleQuantiser


@pytest.mark.parametrize("raw_bits", [7, 17])
def test_a_width_out_of_range_is_refused(raw_bits: int) -> None:
    with pytest.raises(ValueError, match=f"8 to 16 bits, not {raw_bits}: shift or extend them"):
        SampleQuantiser(Build(), raw_bits)


def test_cycles_of_a_sample() -> None:
    """A chunk takes as many cycles as it has values, or planes if these are more; the label is a value of the last one."""
    build = Build(lanes=8)
    for features, planes, cycles in ((8, 3, 9), (9, 3, 11), (16, 9, 18), (3, 3, 4), (11, 3, 12)):
        assert SampleQuantiser.cycles(build, features, planes) == cycles
