"""The contract between host, gateware and virtual board.

Three tables, each the single source for everybody who needs it:

* :mod:`.formats`: the parameters of a build and every width and binary point that follows from them;
* :mod:`.registers`: what stands at which address behind the link;
* :mod:`.frames`: how bytes become frames on the link.

Only the standard library is imported here, so that the gateware can use it without the host's packages and the
host without Amaranth.
"""
