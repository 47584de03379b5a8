"""What is known of a board, and the checks of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, NoReturn, get_args

from amaranth.build import Platform
from amaranth.lib.wiring import Component

from zipsgd.extras import need
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart, Usb
from zipsgd_hw.store.block_ram import BlockRamStore
from zipsgd_hw.store.pace import StorePace

from .families.family import Family, OtherClock, Pll
from .loaders import Programming
from .memories import StoreMemory
from .memory_blocks import BlockRam
from .physical_links import check_link, link_clocks, missing_pins

__all__ = ["Board"]

_NAME = re.compile(r"\w[\w.-]*")
_TYPES = {"family": Family, "build": Build, "link": Uart | Usb, "programming": Programming | None}


@dataclass(frozen=True)
class Board:
    """A board, and the build chosen for it.

    Parameters
    ----------
    name : str
        The name that ``zipsgd build`` takes, and that of its files: letters, digits, ``_``, ``.`` and ``-``.
    title, device : str
        Names of the board and of its FPGA.
    family : Family
        The FPGA's family, which determines the tools.
    platform_class : str or type of Platform
        The Amaranth platform: a class, or ``MODULE:CLASS`` for one that is imported only when it is needed. It must have the
        resource of the link: ``uart``, ``usb`` for USB at full speed, or ``ulpi`` at high speed.
    build : Build
        Parameters of the accelerator. The PLL makes ``build.clock_hz`` from the oscillator.
    link : Uart or Usb
        What carries the link's bytes.
    input_hz : int
        Frequency of the board's oscillator in hertz.
    block_rams : int
        Block RAMs of the device.
    memory : StoreMemory or None
        The memory that is the build's store; None for a store in block RAM, or none.
    pll_pad : bool
        Whether the oscillator is wired to the PLL's own pad, which some iCE40 boards do.
    seed : int
        Seed of the placer with which the clock was met last.
    tried : str or None
        Who has tried the build on hardware, and when; None if nobody has.
    synth_opts, nextpnr_opts : tuple of str
        Options of Yosys' synthesis command and of nextpnr.
    logic_script : str or None
        The script by which Yosys maps logic: a name in its scratchpad, such as ``abc9.script.flow3``, which is slower than its
        own and finds smaller logic. None for its own.
    programming : Programming or None
        How bitstreams are loaded onto the board; None if ``zipsgd program`` cannot.

    Raises
    ------
    ValueError
        A field is of another type, ``name`` has other characters, ``input_hz``, ``block_rams`` or ``seed`` is below 1, the
        device is not of the family, the PLL cannot make ``build.clock_hz``, or that clock cannot make the link's rate.
    """

    name: str
    title: str
    device: str
    family: Family
    platform_class: str | type[Platform]
    build: Build
    link: Uart | Usb
    input_hz: int
    block_rams: int
    memory: StoreMemory | None = None
    pll_pad: bool = False
    seed: int = 1
    tried: str | None = None
    synth_opts: tuple[str, ...] = ()
    nextpnr_opts: tuple[str, ...] = ()
    logic_script: str | None = None
    programming: Programming | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"board {self.name!r}: a name has letters, digits, '_', '.' and '-' only: correct the name"
            )
        for field, kind in _TYPES.items():
            value = getattr(self, field)
            if not isinstance(value, kind):
                wanted = " or ".join(getattr(one, "__name__", "None") for one in get_args(kind) or (kind,))
                raise ValueError(f"board {self.name}: {field} must be a {wanted}, not {value!r}")
        for field in ("input_hz", "block_rams", "seed"):
            value = getattr(self, field)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"board {self.name}: {field} must be a whole number of at least 1, not {value!r}"
                )
        if not self.device.startswith(self.family.device_prefix):
            raise ValueError(
                f"board {self.name}: the device {self.device} is not of the family {self.family.name}, whose devices are named "
                f"{self.family.device_prefix}...: correct family or device"
            )
        try:
            _ = self.pll
            check_link(self.link, self.build)
            if self.memory is not None:
                self.memory.check(self.build)
        except ValueError as error:
            raise ValueError(f"board {self.name}: {error}") from None

    @cached_property
    def pll(self) -> Pll:
        """Settings by which the PLL makes ``build.clock_hz`` and :attr:`other_clocks` from the oscillator."""
        others = tuple(self.other_clocks.values())
        return self.family.find_pll(self.input_hz, self.build.clock_hz, self.pll_pad, others)

    @property
    def other_clocks(self) -> Mapping[str, OtherClock]:
        """The clocks that link and memory need besides the datapath's, by the names of their domains."""
        return {**link_clocks(self.link), **({} if self.memory is None else self.memory.clocks(self.build))}

    def store(self) -> "Component[Any] | None":
        """Make a new store.

        Returns
        -------
        Component or None
            The store; None for the accelerator's own, in block RAM, or none.

        Raises
        ------
        ValueError
            The clock does not suit the memory.
        """
        return None if self.memory is None else self.memory.store(self.build)

    @property
    def store_pace(self) -> StorePace | None:
        """How fast the build's store is read; None without one."""
        if not self.build.store_words:
            return None
        return BlockRamStore.pace if self.memory is None else self.memory.pace(self.build)

    @property
    def ram(self) -> BlockRam:
        """Geometry and number of the device's block RAMs."""
        return self.family.block_ram(self.block_rams)

    def platform(self) -> Any:
        """Make a new Amaranth platform of the board.

        Returns
        -------
        amaranth.build.Platform
            The platform.

        Raises
        ------
        ModuleNotFoundError
            ``amaranth_boards`` is not installed.
        ValueError
            ``platform_class`` is no platform, or one of another device, of another oscillator or without the link's pins.
        """
        platform_type = self._platform_type()
        try:
            platform = platform_type()
            device = getattr(platform, "device", None) or platform.part  # Gowin's have a part
            oscillator_hz = None if platform.default_clk is None else platform.default_clk_frequency
        except Exception as error:  # whatever a class of the user's own raises
            self._wrong_platform(f"cannot be used ({type(error).__name__}: {error})")
        if not self.device.startswith(device):
            self._wrong_platform(f"is for the device {device}, the row for {self.device}")
        if oscillator_hz is None:
            self._wrong_platform("has no default clock")
        if oscillator_hz != self.input_hz:
            self._wrong_platform(
                f"has an oscillator of {oscillator_hz:.0f} Hz, the row's input_hz is {self.input_hz}"
            )
        if (reason := missing_pins(self.link, platform)) is not None:
            self._wrong_platform(reason)
        return platform

    def _platform_type(self) -> Any:
        found = self.platform_class
        if isinstance(found, str):
            found = self._imported(found)
        if not (isinstance(found, type) and issubclass(found, Platform)):
            self._wrong_platform("is no Amaranth platform")
        return found

    def _imported(self, platform_class: str) -> Any:
        name, _, attribute = platform_class.partition(":")
        if name.partition(".")[0] == "amaranth_boards":
            need("build", "a build for a board", "amaranth_boards")
        try:
            return getattr(import_module(name), attribute)
        except ModuleNotFoundError as error:
            self._wrong_platform(f"is not found ({error})")
        except (AttributeError, ValueError):
            self._wrong_platform("is not found; it must be written MODULE:CLASS")

    def _wrong_platform(self, reason: str) -> NoReturn:
        shown = getattr(self.platform_class, "__qualname__", repr(self.platform_class))
        raise ValueError(f"board {self.name}: platform_class {shown} {reason}: correct the board's row")
