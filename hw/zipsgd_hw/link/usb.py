"""USB as a serial port: LUNA's gateware between a bus and the link's byte streams."""

from typing import Any

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out, Signature
from luna.gateware.interface.utmi import UTMIInterface
from luna.gateware.usb.devices.acm import USBSerialDevice
from luna.gateware.usb.usb2.device import USBDevice
from luna.gateware.usb.usb2.endpoints.stream import USBStreamInEndpoint, USBStreamOutEndpoint
from luna.gateware.usb.usb2.request import StallOnlyRequestHandler, USBRequestHandler
from usb_protocol.types import USBRequestType

from .physical import Usb

__all__ = ["UsbPipe", "Utmi", "connect_utmi"]

_QUEUE = 16
"""Room of the queues between the clocks: a byte moves in every cycle of the slower one."""
_PAUSE = 15
"""Cycles of the bus without a byte after which a packet ends. The bytes of a frame follow each other sooner."""

_TO_DEVICE = {"rx_data": 8, "rx_valid": 1, "rx_active": 1, "tx_ready": 1, "line_state": 2, "session_end": 1}
_FROM_DEVICE = {"tx_data": 8, "tx_valid": 1, "xcvr_select": 2, "term_select": 1, "op_mode": 2}
Utmi = Signature(
    {name: In(width) for name, width in _TO_DEVICE.items()}
    | {name: Out(width) for name, width in _FROM_DEVICE.items()}
)
"""What a device needs of a transceiver by UTMI, in the domain ``usb``; names and meanings are UTMI's."""


def connect_utmi(m: Module, port: Any) -> UTMIInterface:
    """Connect a port to a bus for :class:`UsbPipe`.

    Parameters
    ----------
    m : Module
        The module.
    port : interface object of Utmi
        The port.

    Returns
    -------
    UTMIInterface
        The bus.
    """
    bus = UTMIInterface()
    m.d.comb += [getattr(bus, name).eq(getattr(port, name)) for name in _TO_DEVICE]
    m.d.comb += [getattr(port, name).eq(getattr(bus, name)) for name in _FROM_DEVICE]
    return bus


class _LineRequests(USBRequestHandler):
    """Takes what a host sets of a serial line, its rate and its handshake lines, none of which exists here."""

    _SET_LINE_CODING, _SET_CONTROL_LINE_STATE = 0x20, 0x22

    def elaborate(self, platform):
        m = Module()
        interface, setup = self.interface, self.interface.setup
        with (
            m.If(setup.type == USBRequestType.CLASS),
            m.Switch(setup.request),
            m.Case(self._SET_LINE_CODING, self._SET_CONTROL_LINE_STATE),
        ):
            m.d.comb += [
                interface.claim.eq(1),
                interface.handshakes_out.ack.eq(interface.rx_ready_for_response),
            ]
            with m.If(interface.status_requested):
                m.d.comb += self.send_zlp()
        return m


class _FromHost(USBStreamOutEndpoint):
    """An endpoint that forgets its packets, and the parity of the next one, with ``restart``: LUNA's own never does."""

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.restart = Signal()

    def elaborate(self, platform):
        return ResetInserter({"usb": self.restart})(super().elaborate(platform))


class _ToHost(USBStreamInEndpoint):
    """The same for the other way."""

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.restart = Signal()

    def elaborate(self, platform):
        return ResetInserter({"usb": self.restart})(super().elaborate(platform))


class _Status(USBStreamInEndpoint):
    """The endpoint of notifications, of which there are none. LUNA names a submodule after its class."""


class _SerialPort(USBSerialDevice):
    """LUNA's serial port, whose endpoints begin anew with each bus reset and configuration.

    ``listening``: a host has configured the device.
    """

    def __init__(self, usb: Usb, bus):
        super().__init__(
            bus=bus,
            idVendor=usb.vendor,
            idProduct=usb.product,
            manufacturer_string="zipsgd",
            product_string="zipsgd accelerator",
            max_packet_size=usb.packet_bytes,
        )
        self._usb = usb
        self.listening = Signal()

    def elaborate(self, platform):
        m = Module()
        m.submodules.usb = usb = USBDevice(bus=self._bus)
        if isinstance(self._bus, UTMIInterface) and self._usb.high:
            # LUNA takes any UTMI for a bus of full speed in a clock of 12 MHz
            usb.always_fs, usb.data_clock = False, self._usb.clock_hz

        control = usb.add_standard_control_endpoint(self.create_descriptors())
        control.add_request_handler(_LineRequests())
        control.add_request_handler(
            StallOnlyRequestHandler(
                lambda setup: (setup.type == USBRequestType.VENDOR) | (setup.type == USBRequestType.RESERVED)
            )
        )
        size = self._usb.packet_bytes
        usb.add_endpoint(_Status(endpoint_number=self._STATUS_ENDPOINT_NUMBER, max_packet_size=size))
        from_host = _FromHost(endpoint_number=self._DATA_ENDPOINT_NUMBER, max_packet_size=size)
        to_host = _ToHost(endpoint_number=self._DATA_ENDPOINT_NUMBER, max_packet_size=size)
        usb.add_endpoint(from_host)
        usb.add_endpoint(to_host)
        restart = Signal()
        m.d.comb += [
            restart.eq(usb.reset_detected | control.interface.config_changed),
            from_host.restart.eq(restart),
            to_host.restart.eq(restart),
            to_host.stream.stream_eq(self.tx),
            self.rx.stream_eq(from_host.stream),
            usb.connect.eq(self.connect),
            self.listening.eq((to_host.interface.active_config != 0) & ~usb.suspended),
        ]
        return m


class UsbPipe(wiring.Component):
    """A serial port on USB, for the host any CDC-ACM device, and the link's byte streams.

    The streams are in the domain ``sync``, the bus in ``usb``; both are to be reset together. A bus reset, or another
    configuration, empties the endpoints and leaves the link as it is. Bytes to the host are dropped while no host has
    configured the device, as on a line at which nobody listens. A packet to the host ends when it is full, or after a pause of
    16 cycles of the bus; a full packet before a pause is followed by an empty one, for which hosts wait.

    Throughput: a byte in every cycle of the slower clock, as far as the bus allows. Bytes from the host come in packets of
    ``usb.packet_bytes``, for two of which there is room; the host waits while there is none.

    Parameters
    ----------
    usb : Usb
        Speed and numbers.
    bus : UTMIInterface, or a platform's pins
        UTMI (in ``usb``, of 60 MHz at high speed and 12 MHz at full speed), ULPI (which makes the clock of ``usb``), or the
        pins ``d_p``, ``d_n`` and ``pullup`` (with the domains ``usb`` of 12 MHz and ``usb_io`` of 48 MHz).

    Members
    -------
    rx : Out(stream.Signature(8, always_ready=True))
        Bytes from the host.
    tx : In(stream.Signature(8))
        Bytes to the host.
    """

    rx: Out(stream.Signature(8, always_ready=True))
    tx: In(stream.Signature(8))

    def __init__(self, usb: Usb, bus):
        self._usb, self._bus = usb, bus
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.port = port = _SerialPort(self._usb, self._bus)
        m.submodules.from_host = from_host = AsyncFIFO(width=8, depth=_QUEUE, w_domain="usb", r_domain="sync")
        m.submodules.to_host = to_host = AsyncFIFO(width=8, depth=_QUEUE, w_domain="sync", r_domain="usb")
        m.d.comb += [
            port.connect.eq(1),
            from_host.w_data.eq(port.rx.payload),
            from_host.w_en.eq(port.rx.valid),
            port.rx.ready.eq(from_host.w_rdy),
            self.rx.payload.eq(from_host.r_data),
            self.rx.valid.eq(from_host.r_rdy),
            from_host.r_en.eq(1),
            to_host.w_data.eq(self.tx.payload),
            to_host.w_en.eq(self.tx.valid),
            self.tx.ready.eq(to_host.w_rdy),
        ]
        self._send(m, to_host, port)
        return m

    def _send(self, m: Module, queue: AsyncFIFO, port: _SerialPort) -> None:
        """Hold a byte back until it is known whether it is the last one before a pause."""
        held, byte = Signal(), Signal(8)
        pause = Signal(range(_PAUSE + 1))
        moves = Signal()
        m.d.comb += [
            port.tx.payload.eq(byte),
            port.tx.valid.eq(held & (queue.r_rdy | (pause == _PAUSE))),
            port.tx.last.eq(~queue.r_rdy),
            moves.eq(port.tx.valid & port.tx.ready),
            queue.r_en.eq(~held | moves),
        ]
        with m.If(queue.r_en):
            m.d.usb += [held.eq(queue.r_rdy), byte.eq(queue.r_data), pause.eq(0)]
        with m.Elif(pause != _PAUSE):
            m.d.usb += pause.eq(pause + 1)
        with m.If(~port.listening):
            m.d.comb += queue.r_en.eq(1)
            m.d.usb += held.eq(0)
