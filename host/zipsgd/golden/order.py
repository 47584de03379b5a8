"""The order in which a device reads the blocks of its store in an epoch.

A device permutes whole blocks of samples. The block at position i of an epoch is (first + i * stride) mod blocks. Both numbers
are drawn anew for each epoch. The stride has no divisor in common with the number of blocks, so each block comes once. In
gateware this is an adder. The rows are shuffled once, before they are loaded.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zipsgd.protocol.numbers import BLOCK_ROWS

__all__ = ["BlockWindow", "Order", "block_windows", "row_order"]

_Int = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """The order of an epoch's blocks.

    Parameters
    ----------
    blocks : int
        Blocks of the set, 1 or more.
    first : int
        The block that is read first, 0 to ``blocks`` - 1.
    stride : int
        Distance from a block to the next one, modulo ``blocks``: 1 to ``blocks`` - 1, or 0 for a single block.

    Raises
    ------
    ValueError
        A number is out of range, or a block would come twice.
    """

    blocks: int
    first: int = 0
    stride: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.blocks:
            raise ValueError(f"the first block must be in 0..{self.blocks - 1}, not {self.first}")
        if not 0 <= self.stride < max(2, self.blocks) or math.gcd(self.stride, self.blocks) != 1:
            raise ValueError(
                f"the stride must be below {self.blocks} blocks and have no divisor in common with it, but is {self.stride}"
            )

    @classmethod
    def draw(cls, blocks: int, seed: int, epoch: int) -> "Order":
        """The order of an epoch.

        Parameters
        ----------
        blocks : int
            Blocks of the set.
        seed : int
            Seed of the run.
        epoch : int
            The epoch, counted from 0.

        Returns
        -------
        Order
            Any first block, and any stride that is allowed.
        """
        random = np.random.default_rng((seed, epoch, blocks))
        first, stride = int(random.integers(blocks)), int(random.integers(blocks))
        while math.gcd(stride, blocks) != 1:
            stride = (stride + 1) % blocks
        return cls(blocks, first, stride)

    def positions(self) -> _Int:
        """The blocks in the order of the epoch.

        Returns
        -------
        npt.NDArray[np.int64] of shape (blocks,)
            A permutation of the blocks' numbers.
        """
        return (self.first + np.arange(self.blocks, dtype=np.int64) * self.stride) % self.blocks

    def registers(self, block_bursts: int) -> dict[str, int]:
        """The registers of the order. A device counts in bursts, so that it needs no multiplier.

        Parameters
        ----------
        block_bursts : int
            Bursts of a block.

        Returns
        -------
        dict of str to int
            Values by register name.
        """
        return {"order_first": self.first * block_bursts, "order_stride": self.stride * block_bursts}


@dataclass(frozen=True)
class BlockWindow:
    """Some blocks of a set, which a device reads as an epoch of their own.

    They are ``first``, ``first + stride`` and so on modulo ``modulus``, until ``first`` would come again: modulus / stride
    blocks, or one if the stride is 0.

    Parameters
    ----------
    modulus : int
        A multiple of ``stride``, and above ``first``.
    first : int
        The first block, below ``stride`` if that is not 0.
    stride : int
        Distance from a block to the next one; 0 for a single block.
    """

    modulus: int
    first: int
    stride: int

    def positions(self) -> _Int:
        """The blocks in the order in which they are read.

        Returns
        -------
        npt.NDArray[np.int64] of shape (blocks of the window,)
            Numbers of blocks.
        """
        count = self.modulus // self.stride if self.stride else 1
        return self.first + np.arange(count, dtype=np.int64) * self.stride

    def registers(self, block_bursts: int) -> dict[str, int]:
        """The registers of the window.

        Parameters
        ----------
        block_bursts : int
            Bursts of a block.

        Returns
        -------
        dict of str to int
            Values by register name.
        """
        return {
            "order_range": self.modulus * block_bursts,
            "order_first": self.first * block_bursts,
            "order_stride": self.stride * block_bursts,
        }


def block_windows(rows: int, most: int) -> list[BlockWindow]:
    """Windows that together hold each block of a set once. A last block with fewer rows has a window of its own.

    A device comes back to the first block of its order by counting modulo a number, not at the end of a stretch of blocks. So
    the blocks of a window are as far apart as there are windows.

    Parameters
    ----------
    rows : int
        Rows of the set, 1 or more.
    most : int
        Most rows of a window, ``BLOCK_ROWS`` or more.

    Returns
    -------
    list of BlockWindow
        As few windows as there can be, of about as many blocks each.
    """
    whole, left = divmod(rows, BLOCK_ROWS)
    windows = []
    if whole:
        stride = -(-whole // (most // BLOCK_ROWS))
        for first in range(stride):
            count = -(-(whole - first) // stride)
            windows.append(BlockWindow(count * stride, first, stride if count > 1 else 0))
    return [*windows, BlockWindow(whole + 1, whole, 0)] if left else windows


def row_order(order: Order | BlockWindow, rows: int) -> _Int:
    """The order of the rows in an epoch.

    Parameters
    ----------
    order : Order or BlockWindow
        Order of the blocks.
    rows : int
        Rows of the set; the last block may have fewer than the others.

    Returns
    -------
    npt.NDArray[np.int64] of shape (rows of these blocks,)
        Numbers of rows, as they lie in the store.
    """
    places = order.positions()[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)
    return places[places < rows]
