"""SDR SDRAM: a controller that keeps the bus busy, and the chips that it knows. It can be used alone."""

from .clocked_store import ClockedSdramStore
from .controller import SdramController
from .geometry import CHIPS, SdramChip, SdramCycles, SdramGeometry, SdramTiming
from .pins import sdram_pins

__all__ = [
    "CHIPS",
    "ClockedSdramStore",
    "SdramChip",
    "SdramController",
    "SdramCycles",
    "SdramGeometry",
    "SdramTiming",
    "sdram_pins",
]
