"""The golden model: the arithmetic of the accelerator, written once, in NumPy, to be read.

Each module is one part of the datapath of ``docs/architecture.md``; :mod:`.trainer` puts them together. The emulator and
the gateware have to give the same bits. For what a device computes they share with this package the widths of
:mod:`zipsgd.protocol.formats` and nothing else; what the host hands to a device (quantised samples, step, seeds) is made
here for all of them.
"""
