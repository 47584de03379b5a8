"""Verilog and RTLIL of Amaranth components."""

from typing import Any

from amaranth.back import verilog
from amaranth.back.rtlil import convert as convert_rtlil
from amaranth.hdl import Const, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Component, In

__all__ = ["ports", "to_rtlil", "to_verilog"]


def ports(component: "Component[Any]") -> dict[str, tuple[Value, PortDirection]]:
    """The ports of the module that :func:`to_verilog` writes, except for clock and reset.

    Parameters
    ----------
    component : Component
        The component.

    Returns
    -------
    dict of str to (Value, PortDirection)
        Signal and direction of each port, by name.
    """
    return {
        "__".join(map(str, path)): (
            Value.cast(value),
            PortDirection.Input if member.flow == In else PortDirection.Output,
        )
        for path, member, value in component.signature.flatten(component)
        if not isinstance(value, Const)
    }


def to_verilog(component: "Component[Any]", name: str) -> str:
    """Verilog of a component.

    The module's ports are ``clk`` and ``rst`` (synchronous, active high) if it has any state, and the component's members with
    their paths joined by ``__``, such as ``bytes__payload``. Members that are constants, such as the ``ready`` of a stream that
    is always ready, have no port. The same component always gives the same text.

    Parameters
    ----------
    component : Component
        The component.
    name : str
        Name of the module.

    Returns
    -------
    str
        The Verilog.
    """
    return str(
        verilog.convert(
            component, name=name, ports=ports(component), emit_src=False, strip_internal_attrs=True
        )
    )


def to_rtlil(component: "Component[Any]", name: str) -> str:
    """RTLIL, which synthesis reads, of the module that :func:`to_verilog` writes.

    Parameters
    ----------
    component : Component
        The component.
    name : str
        Name of the module.

    Returns
    -------
    str
        The RTLIL.
    """
    return str(convert_rtlil(component, name=name, ports=ports(component), emit_src=False))
