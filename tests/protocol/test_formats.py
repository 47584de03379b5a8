"""Builds that have no exact datapath are refused, by the name of what is wrong."""

import pytest

from zipsgd.protocol.formats import Build, BuildError


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"lanes": 2}, r"lanes must be in 4\.\.256, not 2"),
        ({"lanes": 12, "max_features": 24}, "lanes must be a power of two, not 12"),
        ({"lanes": 12, "update_lanes": 16, "max_features": 24}, "^lanes must be a power of two, not 12"),
        (
            {"lanes": 8, "update_lanes": 16},
            "update_lanes must be in 1..8, not 16: there may not be more update lanes",
        ),
        ({"rx_bytes": 512}, r"rx_bytes must be in 1024\.\.32768, not 512$"),
        (
            {"rx_bytes": 1 << 16},
            r"rx_bytes must be in 1024\.\.32768, not 65536: ACKs count freed bytes modulo 65536",
        ),
        ({"max_features": 1001}, "max_features must be a multiple of the 8 lanes, such as 1008, not 1001"),
        ({"max_features": 64, "heads": 9}, r"heads must be at most max_features / lanes \(8\), not 9"),
        ({"level_bits": 1}, "level_bits must be 0 or at least 2, not 1"),
        (
            {"level_bits": 8, "level_p_max": 4, "max_features": 1 << 16},
            r"words of its window, which has 65536",
        ),
        (
            {"model_bits": 12, "q3_bits": 12, "gradient_bits": 8},
            r"q3_bits must be below model_bits \(12\), not 12",
        ),
        ({"model_bits": 16}, r"gradient_bits must be at most 13 \(the model's fraction\), not 18"),
        (
            {"p_max": 1, "delta_bits": 8, "model_bits": 31, "q3_bits": 18, "gradient_bits": 24},
            r"gradient_bits must be at most \d+ \(the accumulator's fraction\), not 24",
        ),
        (
            {"model_bits": 31, "q3_bits": 6, "gradient_bits": 8},
            r"rounding Q3 \(25 bits\) and Q4 \(\d+ bits\) needs more than the 31 random bits of a draw",
        ),
    ],
)
def test_what_is_wrong_is_named(parameters: dict[str, int], says: str) -> None:
    with pytest.raises(BuildError, match=says):
        Build(**parameters)


def test_parameters_are_whole_numbers() -> None:
    with pytest.raises(TypeError, match=r"lanes must be an integer, not 8\.0"):
        Build(lanes=8.0)
