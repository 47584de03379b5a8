"""The golden model: the arithmetic of the accelerator, specified in readable NumPy code.

Each module specifies one part of the datapath in ``docs/architecture.md``; :mod:`.trainer` combines them. The emulator and the
gateware must produce the same bits. For the work of a device, they share only the widths in :mod:`zipsgd.protocol.formats` with
this package. The inputs that the host prepares for every device (quantised samples, steps, seeds) are computed here for all.
"""
