"""How many block RAMs a build takes: what limits lanes and widths on small devices."""

from dataclasses import dataclass

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_hw.link.link import Link
from zipsgd_hw.link.schedule import Schedule
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


def memories(build: Build, *, in_block_ram: bool = True) -> Memories:
    """Block RAMs of an accelerator: what its datapath, its link, its schedule and its store have, by name.

    Parameters
    ----------
    build : Build
        Build parameters.
    in_block_ram : bool
        Whether the store, if there is one, is in block RAM.

    Returns
    -------
    dict of str to (int, int)
        Bits of a word, and number of words.
    """
    return {
        **Datapath.memories(build),
        **Link.memories(build),
        **(Schedule.memories(build) if build.schedule_words else {}),
        **(
            {"store": (8 * build.word_bytes, build.store_words)} if in_block_ram and build.store_words else {}
        ),
    }


def memory_blocks(build: Build, ram: BlockRam, *, in_block_ram: bool = True) -> dict[str, int]:
    """Block RAMs that each memory of ``build`` takes, as an estimate: synthesis may put a small one into logic.

    Parameters
    ----------
    build : Build
        Build parameters.
    ram : BlockRam
        The device's block RAM.
    in_block_ram : bool
        Whether the store, if there is one, is in block RAM.

    Returns
    -------
    dict of str to int
        Blocks by the memory's name.
    """
    return {
        name: ram.blocks(width, depth)
        for name, (width, depth) in memories(build, in_block_ram=in_block_ram).items()
    }
