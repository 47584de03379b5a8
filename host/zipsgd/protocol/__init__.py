"""The contract between host, gateware and virtual board.

Each module is the single source of what it defines:

* :mod:`.numbers`: the numbers that are the same in every build;
* :mod:`.formats`: the parameters of a build, and every width and binary point that follows from them;
* :mod:`.run`: what a run chooses and reports, as the registers hold it;
* :mod:`.samples`: how a sample lies on the wire;
* :mod:`.store`: how samples lie in a store;
* :mod:`.registers`: the registers and windows behind the link, and their addresses;
* :mod:`.frames`: the frames on the link;
* :mod:`.greeting`: what a host and the server of a board say to each other before any frame.

Only the standard library is imported here, so that the gateware needs none of the host's packages, and the host needs no
Amaranth.
"""
