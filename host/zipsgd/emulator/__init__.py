"""The fast emulator: the golden model's bits at the speed of compiled code.

One pass over a sample draws its quantisations and computes both dot products. A second pass adds its gradient. The emulator
uses whole integers q_i = k + u_i instead of planes, and needs no comparison for an up bit: for a feature in fixed point, f = k
2^16 + fraction, and a uniform 16-bit number w, ``(f + 2^16 - 1 - w) >> 16`` is k + 1 exactly if w < fraction.

The emulator shares with :mod:`zipsgd.golden` only the inputs that the host prepares for every backend: quantised samples,
steps, seeds, row keys and fixed-point features. It has its own code for everything that a device computes.
"""

from .emulator import Emulator

__all__ = ["Emulator"]
