"""How many block RAMs a build takes: what limits lanes and widths on small devices."""

from dataclasses import dataclass

from zipsgd.protocol.formats import Build

__all__ = ["BlockRam", "memories", "memory_blocks"]


@dataclass(frozen=True)
class BlockRam:
    """A device's block RAM with one read and one write port.

    ``widths``: of its words; the depth is ``bits`` divided by it. ``count``: how many the device has.
    """

    bits: int
    widths: tuple[int, ...]
    count: int

    def blocks(self, width: int, depth: int) -> int:
        """Fewest blocks that make a memory of ``depth`` words of ``width`` bits."""
        return min(-(-width // own) * -(-depth // (self.bits // own)) for own in self.widths)


def _levels(build: Build) -> tuple[int, int]:
    return build.lanes * ((1 << build.level_p_max) + 1), build.max_chunks << (
        build.level_bits - 1
    ).bit_length()


def memories(build: Build) -> dict[str, tuple[int, int]]:
    """Width in bits and depth in words of each memory of a build."""
    return {
        "q3": (build.lanes * build.q3_bits, build.max_chunks),
        "gradient": (build.lanes * build.accumulator_bits, build.max_chunks),
        "master": (build.update_lanes * build.model_bits, build.max_features // build.update_lanes),
        "replay": (build.lanes, build.replay_words),
        "receive": (8, build.rx_bytes),
        "send": (8, 256),
        **({"levels": _levels(build)} if build.level_bits else {}),
    }


def memory_blocks(build: Build, ram: BlockRam) -> dict[str, int]:
    """Block RAMs that each memory of ``build`` takes, as an estimate: synthesis may put a small one into logic."""
    return {name: ram.blocks(width, depth) for name, (width, depth) in memories(build).items()}
