"""Proves that a mutant is equivalent to the original component, with the solver of ``tests/formal``."""

from amaranth.hdl import Const, Elaboratable, Fragment, Value
from amaranth.lib.wiring import Component, In
from checker import Outcome, Property, prove
from harness import Harness
from points import Mutant
from schemata import Sources, making
from targets import Target

__all__ = ["prove_equivalent"]


class _Changed(Elaboratable):
    """A component with a mutant."""

    def __init__(self, component: Component, mutant: Mutant, sources: Sources) -> None:
        self._component = component
        self._mutant = mutant
        self._sources = sources

    def elaborate(self, platform: object) -> Fragment:
        with making(self._sources, self._mutant):
            return Fragment.get(self._component, platform)


def _side_by_side(target: Target, mutant: Mutant, sources: Sources) -> Harness:
    """The component and its mutant with the same inputs.

    The inputs are free, except that a run's configuration is constant. The outputs must be equal, except for the payload of a
    stream that is not valid.
    """
    harness = Harness()
    one, other = target.case.make(), target.case.make()
    harness.m.submodules.one = one
    harness.m.submodules.other = _Changed(other, mutant, sources)
    members = {path: Value.cast(value) for path, _, value in one.signature.flatten(one)}
    for (path, member, value), (_, _, twin) in zip(
        one.signature.flatten(one), other.signature.flatten(other), strict=True
    ):
        if isinstance(value, Const):
            continue
        name, value, twin = "__".join(map(str, path)), Value.cast(value), Value.cast(twin)
        if member.flow == In:
            make = harness.constant if path[0] == "run" else harness.free
            harness.m.d.comb += [value.eq(make(len(value), name)), twin.eq(value)]
        elif path[-1] == "payload":
            harness.show(name, ~members[*path[:-1], "valid"] | (value == twin))
        else:
            harness.show(name, value == twin)
    return harness


def prove_equivalent(target: Target, mutant: Mutant, sources: Sources, *, seconds: float = 60) -> Outcome:
    """Whether the outputs are equal for all inputs. If not, the outcome names an output that differs, and the cycle."""
    shown = Property(
        str(mutant), "", target.name, "", lambda: _side_by_side(target, mutant, sources), mutations=()
    )
    return prove(shown, timeout=seconds)
