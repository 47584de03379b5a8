"""The fast emulator: the golden model's bits at compiled speed.

One pass over a sample draws its quantisations and both dot products, a second adds its gradient. Instead of planes there
are whole integers, q_i = k + u_i, and the up bit costs no comparison: with a feature in fixed point, f = k 2^16 + fraction,
and a 16-bit uniform number w, ``(f + 2^16 - 1 - w) >> 16`` is k + 1 exactly where w < fraction.

The emulator shares with :mod:`zipsgd.golden` what the host hands to any backend (quantised samples, step, seeds, row keys,
fixed-point features) and computes everything that a device does in code of its own.
"""

from .emulator import Emulator

__all__ = ["Emulator"]
