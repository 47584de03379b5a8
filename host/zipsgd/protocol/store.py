"""How a set of samples lies in a device's store, and the check of its content.

The rows of a set are cut into *blocks* of equally many samples; the last block may have fewer. In the store, a block begins
with a burst. So a device can read the blocks of an epoch in any order, one after the other (:mod:`zipsgd.golden.order`).
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import xor

from .numbers import BLOCK_ROWS, BURST_WORDS

__all__ = ["StoreLayout"]


@dataclass(frozen=True)
class StoreLayout:
    """The places of a set's samples in the store.

    Blocks have the same number of samples in every store, so that a run's bits do not depend on the store. If a burst has no
    more bytes than a block has samples, the bursts of a block are full.

    Parameters
    ----------
    rows : int
        Samples of the set, 1 or more.
    sample_bytes : int
        Bytes of a sample, 1 or more.
    word_bytes : int
        Bytes of a word of the store: 1, 2, 4 or 8.
    """

    rows: int
    sample_bytes: int
    word_bytes: int

    @property
    def burst_bytes(self) -> int:
        """int: Bytes of a burst."""
        return BURST_WORDS * self.word_bytes

    @property
    def blocks(self) -> int:
        """int: Blocks of the set."""
        return -(-self.rows // BLOCK_ROWS)

    @property
    def block_bytes(self) -> int:
        """int: Bytes of a block's samples."""
        return BLOCK_ROWS * self.sample_bytes

    @property
    def last_block_bytes(self) -> int:
        """int: Bytes of the last block's samples."""
        return (self.rows - (self.blocks - 1) * BLOCK_ROWS) * self.sample_bytes

    @property
    def block_bursts(self) -> int:
        """int: Bursts of a block, and the distance of two blocks in the store."""
        return -(-self.block_bytes // self.burst_bytes)

    @property
    def bursts(self) -> int:
        """int: Bursts of the set."""
        return (self.blocks - 1) * self.block_bursts + -(-self.last_block_bytes // self.burst_bytes)

    def rows_within(self, bursts: int) -> int:
        """How many rows of such samples fit into a store.

        Parameters
        ----------
        bursts : int
            Bursts of the store.

        Returns
        -------
        int
            Rows of whole blocks, and of the bursts behind them.
        """
        blocks, left = divmod(bursts, self.block_bursts)
        return blocks * BLOCK_ROWS + left * self.burst_bytes // self.sample_bytes

    def registers(self) -> dict[str, int]:
        """The registers that tell a device where the blocks are.

        Returns
        -------
        dict of str to int
            Values by register name.
        """
        return {
            "block_bursts": self.block_bursts,
            "block_bytes": self.block_bytes,
            "last_block_bytes": self.last_block_bytes,
            "order_range": self.blocks * self.block_bursts,
        }

    def images(self, parts: Iterable[bytes]) -> Iterable[bytes]:
        """The store's content from its first burst on, in parts, from the samples' bytes in parts.

        Parameters
        ----------
        parts : iterable of bytes
            The samples, without gaps.

        Yields
        ------
        bytes
            The bursts of one block or more; zeros behind a block's samples complete its last burst.
        """
        waiting = bytearray()
        gap = bytes(-self.block_bytes % self.burst_bytes)
        for part in parts:
            waiting += part
            whole = len(waiting) // self.block_bytes * self.block_bytes
            if whole:
                blocks = range(0, whole, self.block_bytes) if gap else ()
                yield b"".join(waiting[i : i + self.block_bytes] + gap for i in blocks) or bytes(
                    waiting[:whole]
                )
                del waiting[:whole]
        if waiting:
            yield bytes(waiting) + bytes(-len(waiting) % self.burst_bytes)

    def check(self, images: Iterable[bytes], first: int = 0) -> int:
        """The check word that a device computes whenever it reads all blocks, in whatever order.

        It is the exclusive or of a CRC-32 (that of zlib) for each block: of the number of the block's first burst, in four
        bytes or a word if that is longer, and of the words that hold the block's samples.

        Parameters
        ----------
        images : iterable of bytes
            Parts of the content, from :meth:`images`.
        first : int
            Burst that the first part begins with.

        Returns
        -------
        int
            32 bits. The check of several parts is the exclusive or of their checks.
        """
        return reduce(xor, self.block_checks(images, first), 0)

    def block_checks(self, images: Iterable[bytes], first: int = 0) -> Iterator[int]:
        """The check of each block, of which the check of an epoch on some blocks is the exclusive or.

        Parameters
        ----------
        images : iterable of bytes
            Parts of the content, from :meth:`images`.
        first : int
            Burst that the first part begins with.

        Yields
        ------
        int
            32 bits.
        """
        burst, size = first, self.block_bursts * self.burst_bytes
        for image in images:
            for start in range(0, len(image), size):
                yield self._block_check(burst, image[start : start + size])
                burst += self.block_bursts

    def _block_check(self, burst: int, block: bytes) -> int:
        last = burst + self.block_bursts == self.blocks * self.block_bursts
        held = self.last_block_bytes if last else self.block_bytes
        words = -(-held // self.word_bytes) * self.word_bytes
        head = burst.to_bytes(max(4, self.word_bytes), "little")
        return zlib.crc32(block[:words], zlib.crc32(head))
