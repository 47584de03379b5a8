"""How many block RAMs a build takes: what limits lanes and widths on small devices."""

from dataclasses import dataclass

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_hw.link.link import Link
from zipsgd_hw.memory import Memories

__all__ = ["BlockRam", "memories", "memory_blocks"]


@dataclass(frozen=True)
class BlockRam:
    """A device's block RAM with one read and one write port.

    Parameters
    ----------
    bits : int
        Bits of a block.
    widths : tuple of int
        Widths that its words may have; the depth is ``bits`` divided by the width.
    count : int
        Blocks that the device has.
    """

    bits: int
    widths: tuple[int, ...]
    count: int

    def blocks(self, width: int, depth: int) -> int:
        """Fewest blocks that make a memory of ``depth`` words of ``width`` bits."""
        return min(-(-width // own) * -(-depth // (self.bits // own)) for own in self.widths)


def memories(build: Build) -> Memories:
    """Block RAMs of an accelerator: what its datapath and its link have, by name.

    Parameters
    ----------
    build : Build
        Build parameters.

    Returns
    -------
    dict of str to (int, int)
        Bits of a word, and number of words.
    """
    return {**Datapath.memories(build), **Link.memories(build)}


def memory_blocks(build: Build, ram: BlockRam) -> dict[str, int]:
    """Block RAMs that each memory of ``build`` takes, as an estimate: synthesis may put a small one into logic.

    Parameters
    ----------
    build : Build
        Build parameters.
    ram : BlockRam
        The device's block RAM.

    Returns
    -------
    dict of str to int
        Blocks by the memory's name.
    """
    return {name: ram.blocks(width, depth) for name, (width, depth) in memories(build).items()}
