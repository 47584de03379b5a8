"""Widths against the largest sums there can be, at every configuration that a build may have."""

from collections.abc import Iterator

import pytest

from zipsgd.protocol.formats import Build, BuildError


def _builds() -> Iterator[Build]:
    """Every width that sums depend on, with the most features and samples each."""
    batches = [1 << exponent for exponent in (0, 1, 6, 12)]
    for p_max in range(1, 9):
        for wide in (
            *({"delta_bits": bits, "max_batch": batch} for bits in range(8, 21) for batch in batches),
            *(
                {"q3_bits": bits, "lanes": lanes, "max_features": features}
                for bits in range(6, 19)
                for lanes in (4, 256)
                for features in (256, 768, 1 << 16)
            ),
        ):
            try:
                yield Build(**{"p_max": p_max, "gradient_bits": 8, "update_lanes": 1} | wide)
            except BuildError:
                continue


def _largest(build: Build) -> dict[str, tuple[int, int, int]]:
    """Of each sum, the least and the greatest value there can be, and the bits that it has."""
    value = 1 << (build.p_max - 1)  # |k + u| at most, in units of the last plane
    deltas = 2 * ((1 << (build.delta_bits - 1)) - 1)
    q3 = 1 << (build.q3_bits - 1)
    gradient = build.max_batch * value * deltas
    residual = 1 << (build.residual_bits - 1)
    return {
        "tree": (-build.lanes * q3, build.lanes * (q3 - 1), build.tree_bits),
        "z": (-build.max_features * value * q3, build.max_features * value * q3, build.z_bits),
        "gradient": (-gradient, gradient, build.accumulator_bits),
        "loss": (-build.max_samples * residual**2, build.max_samples * residual**2, 64),
    }


def _fits(least: int, greatest: int, bits: int) -> bool:
    return -(1 << (bits - 1)) <= least and greatest < 1 << (bits - 1)


def test_no_sum_overflows_at_any_configuration() -> None:
    builds = list(_builds())
    assert len(builds) > 500
    for build in builds:
        for name, (least, greatest, bits) in _largest(build).items():
            assert _fits(least, greatest, bits), f"{name} of {build}"


@pytest.mark.parametrize("name", ["tree", "z", "gradient"])
def test_a_bit_less_would_overflow(name: str) -> None:
    for build in _builds():
        least, greatest, bits = _largest(build)[name]
        assert not _fits(least, greatest, bits - 1), build
