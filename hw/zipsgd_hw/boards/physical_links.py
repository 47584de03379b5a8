"""What the link's physical layers need of a board: clocks, pins, and the way from these to the accelerator."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from amaranth import ClockDomain, Module, ResetSignal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Component, connect

from zipsgd.extras import extra
from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart, Usb, uart_divisor
from zipsgd_hw.top import Accelerator, UartAccelerator

from .families.family import OtherClock
from .power_on_reset import PowerOnReset

__all__ = ["accelerator_on_pins", "check_link", "link_clocks", "link_queues", "missing_pins"]

_PINS = {"usb": ("d_p", "d_n"), "ulpi": ("data", "clk", "dir", "nxt", "stp"), "uart": ("rx", "tx")}
"""Resources of platforms, and the pins that are used of them."""
_START_SECONDS = 2e-3
"""How long the bus waits for a transceiver after its reset."""


def _resource(link: Uart | Usb) -> str:
    """Name of the platform's resource with the link's pins."""
    if isinstance(link, Uart):
        return "uart"
    return "ulpi" if link.high else "usb"


def check_link(link: Uart | Usb, build: Build) -> None:
    """Check that a build's clock can make a link's rate.

    Parameters
    ----------
    link : Uart or Usb
        The link.
    build : Build
        The build.

    Raises
    ------
    ValueError
        It cannot.
    """
    if isinstance(link, Uart):
        uart_divisor(build.clock_hz, link.baud)


def link_clocks(link: Uart | Usb) -> Mapping[str, OtherClock]:
    """The clocks that a link needs besides the datapath's.

    Parameters
    ----------
    link : Uart or Usb
        The link.

    Returns
    -------
    mapping of str to OtherClock
        Each by the name of its domain. At high speed, the transceiver makes the clock of the bus.
    """
    if isinstance(link, Uart) or link.high:
        return {}
    return {"usb": OtherClock(link.clock_hz), "usb_io": OtherClock(4 * link.clock_hz)}


def link_queues(link: Uart | Usb) -> tuple[str, ...]:
    """Names of submodules of the board in which a link has queues between clocks, see :func:`.synthesis.after_read`.

    Parameters
    ----------
    link : Uart or Usb
        The link.

    Returns
    -------
    tuple of str
        The names. LUNA's transceiver has such queues.
    """
    return () if isinstance(link, Uart) else ("usb",)


def missing_pins(link: Uart | Usb, platform: Any) -> str | None:
    """What a platform lacks for a link.

    Parameters
    ----------
    link : Uart or Usb
        The link.
    platform : Platform
        The platform.

    Returns
    -------
    str or None
        What to say of the platform; None if it has all that is needed.
    """
    name = _resource(link)
    resource = platform.resources.get((name, 0))
    have = set() if resource is None else {getattr(part, "name", None) for part in resource.ios}
    if set(_PINS[name]) <= have:
        return None
    return f"has no resource '{name}' with {' and '.join(_PINS[name][:2])}, on which the link runs"


def _uart(m: Module, platform: Any, build: Build, link: Uart, parts: tuple[Any, Any]) -> "Component[Any]":
    """Only the two data pins are used: the link's credit makes handshake lines unnecessary."""
    m.submodules.accelerator = accelerator = UartAccelerator(build, link, *parts)
    uart = platform.request("uart", 0, dir="-")
    m.submodules.rx = rx = io.Buffer("i", uart.rx)
    m.submodules.tx = tx = io.Buffer("o", uart.tx)
    m.d.comb += [accelerator.rx.eq(rx.i), tx.o.eq(accelerator.tx)]
    return accelerator


def _usb(m: Module, platform: Any, build: Build, link: Usb, parts: tuple[Any, Any]) -> "Component[Any]":
    """LUNA takes the pins as the platform gives them."""
    with extra("usb", "a board with USB"):
        from zipsgd_hw.link.usb import UsbPipe

    m.submodules.accelerator = accelerator = Accelerator(build, *parts)
    pins = platform.request(_resource(link), 0)
    if link.high:
        pins = _start_transceiver(m, platform, build, link, pins)
    m.submodules.usb = pipe = UsbPipe(link, pins)
    connect(m, pipe.rx, accelerator.rx)
    connect(m, accelerator.tx, pipe.tx)
    return accelerator


def _start_transceiver(m: Module, platform: Any, build: Build, link: Usb, pins: Any) -> Any:
    """The domain ``usb``, whose clock LUNA drives from the transceiver's; returns the pins that are left to LUNA.

    The transceiver is reset with ``sync``, since LUNA would reset it with ``usb``, whose reset needs the clock to end. It may
    take a millisecond to come up.
    """
    m.domains.usb = ClockDomain()
    m.submodules.usb_start = start = PowerOnReset(round(build.clock_hz * _START_SECONDS))
    m.submodules.usb_reset = ResetSynchronizer(start.reset, domain="usb", stages=3)
    m.d.comb += start.locked.eq(~ResetSignal("sync"))
    if hasattr(pins, "rst"):
        m.d.comb += pins.rst.o.eq(ResetSignal("sync"))
    platform.add_clock_constraint(pins.clk.i, link.clock_hz)
    return SimpleNamespace(**{name: getattr(pins, name) for name in _PINS["ulpi"]})


def accelerator_on_pins(
    m: Module,
    platform: Any,
    build: Build,
    link: Uart | Usb,
    datapath: "Component[Any]",
    store: "Component[Any] | None",
) -> "Component[Any]":
    """Add the accelerator to a board's top, on the pins of its link.

    Parameters
    ----------
    m : Module
        The top, with the domains of :func:`link_clocks`.
    platform : Platform
        The board's platform.
    build : Build
        The build.
    link : Uart or Usb
        The link.
    datapath, store : Component or None
        As for :class:`.Accelerator`.

    Returns
    -------
    Component
        The accelerator, with the store's ``pins`` if it has any.

    Raises
    ------
    MissingExtra
        The link is USB, and LUNA is not installed.
    """
    if isinstance(link, Uart):
        return _uart(m, platform, build, link, (datapath, store))
    return _usb(m, platform, build, link, (datapath, store))
