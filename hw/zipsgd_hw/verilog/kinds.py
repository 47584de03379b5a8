"""What Verilog there is: the accelerator behind a UART or behind streams of bytes, and the training core."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.lib.wiring import Component

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.core import TrainingCore
from zipsgd_hw.datapath.datapath import Datapath
from zipsgd_hw.link.physical import Uart
from zipsgd_hw.top import Accelerator, UartAccelerator

from .plain_top import PlainTop
from .ports import CORE, STREAMS, UART, Port

__all__ = ["KINDS", "Kind"]

_Make = Callable[[Build, Uart, bool], "Component[Any]"]


@dataclass(frozen=True)
class Kind:
    """A kind of Verilog.

    Parameters
    ----------
    name : str
        What ``zipsgd build --verilog`` calls it.
    module : str
        Name of the module, and of its file.
    title : str
        What it is, in a line.
    usage : tuple of str
        Lines that say how to use it.
    ports : tuple of Port
        The table of its ports.
    make : callable
        Makes the component of a build; takes the UART, and whether the FPGA's memory is fast, as well.
    """

    name: str
    module: str
    title: str
    usage: tuple[str, ...]
    ports: tuple[Port, ...]
    make: _Make

    def top(self, build: Build, uart: Uart, fast_memory: bool) -> PlainTop:
        """The component with its plain names.

        Parameters
        ----------
        build : Build
            The build.
        uart : Uart
            The line; not used without one.
        fast_memory : bool
            As of :class:`.Datapath`.

        Returns
        -------
        PlainTop
            The component.

        Raises
        ------
        ValueError
            The build's clock cannot make the line's rate.
        """
        return PlainTop(self.make(build, uart, fast_memory), self.ports)


_BYTES = (
    "A host writes registers, streams samples and reads results by frames of bytes: docs/link.md",
    "describes them, docs/registers.md what is at which address.",
)
_STORE = (
    "Samples stay in block RAM where the build has a store (store_words): memory outside the FPGA",
    "takes a design in Amaranth, see docs/store.md.",
)

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "uart",
            "zipsgd_accelerator",
            "the accelerator behind a UART",
            (*_BYTES, *_STORE),
            UART,
            lambda build, uart, fast: UartAccelerator(build, uart, Datapath(build, fast_memory=fast)),
        ),
        Kind(
            "streams",
            "zipsgd_streams",
            "the accelerator behind two streams of bytes",
            (*_BYTES, "A byte is taken in a cycle in which its valid and its ready are both 1.", *_STORE),
            STREAMS,
            lambda build, uart, fast: Accelerator(build, Datapath(build, fast_memory=fast)),
        ),
        Kind(
            "core",
            "zipsgd_core",
            "the training core, without link and registers",
            (
                "An epoch: set run_*; pulse clear; give seeds; pulse load; set samples and pulse start; feed",
                "planes and labels; wait until busy is 0. Then read flags, loss and the model. A word is",
                "taken in a cycle in which its valid and its ready are both 1. docs/link.md (A sample) has",
                "the order of the planes, docs/verilog.md an example.",
            ),
            CORE,
            lambda build, uart, fast: TrainingCore(build, fast_memory=fast),
        ),
    )
}
"""Every kind, by name."""
