"""A component under plain names."""

from collections.abc import Iterator, Sequence
from typing import Any

from amaranth import Module, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Component, Flow, Member

from .ports import Port

__all__ = ["PlainTop"]


def _leaves(component: "Component[Any]") -> Iterator[tuple[str, Flow, Any]]:
    """Path, flow and value of each member of a component, and of each field of those that are structures."""
    for path, member, value in component.signature.flatten(component):
        name = ".".join(map(str, path))
        if isinstance(value, data.View) and isinstance(value.shape(), data.StructLayout):
            for field, _ in value.shape():
                yield f"{name}.{field}", member.flow, value[field]
        else:
            yield name, member.flow, value


class PlainTop(wiring.Component):
    """A component, whose members have the names of a table of ports. It adds no cycle.

    Parameters
    ----------
    component : Component
        The component.
    ports : sequence of Port
        The table. Each member of the component needs a row; rows of other builds are left out.

    Members
    -------
    ... : In or Out
        Those of the rows, by their names.

    Raises
    ------
    KeyError
        A member has no row.
    """

    def __init__(self, component: "Component[Any]", ports: Sequence[Port]):
        self._component = component
        rows = {port.member: port for port in ports}
        self._leaves = {rows[member].name: (flow, value) for member, flow, value in _leaves(component)}
        self.rows = [port for port in ports if port.name in self._leaves]
        super().__init__(
            {
                port.name: Member(flow, Value.cast(value).shape())
                for port in self.rows
                for flow, value in [self._leaves[port.name]]
            }
        )

    def width(self, port: Port) -> int:
        """Bits of a port."""
        return len(getattr(self, port.name))

    def is_input(self, port: Port) -> bool:
        """Whether a port is an input."""
        return self._leaves[port.name][0] == wiring.In

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = self._component
        for port in self.rows:
            inner, outer = self._leaves[port.name][1], getattr(self, port.name)
            m.d.comb += inner.eq(outer) if self.is_input(port) else outer.eq(inner)
        return m
