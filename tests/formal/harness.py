"""The surroundings of a component in a proof: free inputs, assumptions, and statements that must hold."""

import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import patch

from amaranth.back import rtlil
from amaranth.hdl import Assert, Cat, ClockDomain, Const, Elaboratable, Module, ShapeLike, Signal, Value
from amaranth.lib.wiring import Component, In
from amaranth.sim import Simulator, SimulatorContext

__all__ = ["Harness", "Inside", "inside", "state", "steady"]


class Inside:
    """The local names of a component's ``elaborate``, and of the methods that it calls."""

    def __init__(self, component: Component, names: dict[str, Any], calls: dict[str, list[dict[str, Any]]]):
        self._component = component
        self._names = names
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        try:
            return self._names[name]
        except KeyError:
            raise AttributeError(f"{type(self._component).__name__} has no local name {name}") from None

    def in_method(self, method: str, call: int = 0) -> "Inside":
        """The names of one call of a method alone, where several have a name."""
        return Inside(self._component, self._calls[method][call], {})


def inside(component: Component, **constants: int) -> Inside:
    """Elaborates ``component`` once, and gives access to the local names of the methods that elaborate it. ``constants`` of its
    module have other values meanwhile."""
    methods = vars(type(component)).values()
    codes = {method.__code__ for method in methods if isinstance(method, types.FunctionType)}
    names: dict[str, Any] = {}
    calls: dict[str, list[dict[str, Any]]] = {}

    def profile(frame: types.FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code in codes:  # elaborate returns last, so that its own names count
            names.update(frame.f_locals)
            calls.setdefault(frame.f_code.co_name, []).append(dict(frame.f_locals))

    with patch.dict(
        type(component).elaborate.__globals__, constants
    ):  # those of a mutation, where there is one
        sys.setprofile(profile)
        try:
            module = component.elaborate(None)
        finally:
            sys.setprofile(None)
    component.elaborate = lambda platform: module
    return Inside(component, names, calls)


def state(fsm: Any, name: str) -> Value:
    """Whether a state machine of a component that was looked into is in this state."""
    return fsm._data["signal"] == fsm.encoding[name]  # Amaranth gives it to the machine's module alone


class Harness(Elaboratable):
    """A component, its surroundings, and the statements to be proved.

    Registers start from their reset values. Only the harness may reset them again.

    Attributes
    ----------
    m : Module
        The component and its surroundings are added to this module.
    started : Signal
        Low in the first cycle, high in all others.
    """

    def __init__(self) -> None:
        self.m = Module()
        self._domain = ClockDomain("sync", reset_less=True)
        self._inputs: list[Signal] = []
        self._constants: list[Signal] = []
        self._assumed: list[tuple[str, Value]] = []
        self._shown: list[tuple[str, Value]] = []
        self._lemmas: list[tuple[str, Value]] = []
        self.started = Signal()
        self.m.d.sync += self.started.eq(1)

    def free(self, shape: ShapeLike, name: str) -> Signal:
        """An input that may have any value in any cycle."""
        self._inputs.append(Signal(shape, name=name))
        return self._inputs[-1]

    def constant(self, shape: ShapeLike, name: str) -> Signal:
        """An input that may have any value, the same in every cycle."""
        self._constants.append(Signal(shape, name=name))
        return self._constants[-1]

    def drive(self, component: Component, *, but: tuple[str, ...] = ()) -> None:
        """Makes a component's inputs free, but for the members named."""
        for path, member, value in component.signature.flatten(component):
            if member.flow == In and not isinstance(value, Const) and path[0] not in but:
                value = Value.cast(value)
                self.m.d.comb += value.eq(self.free(len(value), "__".join(map(str, path))))

    def cut(self, part: Any, *outputs: Value) -> None:
        """Replaces a part by free values on its outputs."""
        m = Module()
        for output in outputs:
            m.d.comb += Value.cast(output).eq(self.free(len(Value.cast(output)), f"cut{len(self._inputs)}"))
        part.elaborate = lambda platform: m

    def assume(self, what: str, condition: Value) -> None:
        """Checks a run only as long as ``condition`` has held in every cycle."""
        self._assumed.append((what, condition))

    def show(self, what: str, condition: Value) -> None:
        """States that ``condition`` must hold in every cycle."""
        self._shown.append((what, condition))

    def lemma(self, what: str, condition: Value) -> None:
        """States the same of a component's inside. It helps a proof, and is proved with it; a mutation must break more."""
        self._lemmas.append((what, condition))

    def past(self, value: Value, init: int = 0, cycles: int = 1) -> Signal:
        """``value`` so many cycles ago."""
        before = Signal(Value.cast(value).shape(), init=init, name="past")
        self.m.d.sync += before.eq(value if cycles == 1 else self.past(value, init, cycles - 1))
        return before

    def elaborate(self, platform: Any) -> Module:
        return self.m

    def _stated(self, lemmas: bool) -> list[tuple[str, Value]]:
        return self._shown + (self._lemmas if lemmas else [])

    def _checked(self, *, lemmas: bool, step: bool) -> Module:
        """The harness with one assertion: all statements hold, as long as all assumptions have held. As a ``step`` of an
        induction: if all hold in the first cycle, they hold in the next one."""
        m = Module()
        m.domains += self._domain
        m.submodules.top = self
        over, first, good, allowed = (
            Signal(name="formal_over"),
            Signal(name="formal_first", init=1),
            Signal(),
            Signal(),
        )
        stated = self._stated(lemmas)
        m.d.comb += [
            allowed.eq(Cat(condition.bool() for _, condition in self._assumed).all() & ~over),
            good.eq(Cat(condition.bool() for _, condition in stated).all()),
            Assert(~allowed | good | (first if step else 0)),
        ]
        m.d.sync += [over.eq(~allowed | ~good), first.eq(0)]
        return m

    def to_rtlil(self, *, lemmas: bool = True, step: bool = False) -> str:
        """RTLIL of the checked harness, in a module ``formal`` that binds its constants."""
        signals = [self._domain.clk, *self._inputs, *self._constants]
        text = rtlil.convert(
            self._checked(lemmas=lemmas, step=step), name="top", ports=signals, emit_src=False
        )
        lines = ["module \\formal"]
        for index, signal in enumerate(signals):
            constant = any(signal is other for other in self._constants)
            lines.append(f"  wire width {len(signal)} {'' if constant else f'input {index} '}\\{signal.name}")
            if constant:
                lines += [
                    f"  cell $anyconst $any${signal.name}",
                    f"    parameter \\WIDTH {len(signal)}",
                    f"    connect \\Y \\{signal.name}",
                    "  end",
                ]
        lines.append("  cell \\top \\top")
        lines += [f"    connect \\{signal.name} \\{signal.name}" for signal in signals]
        return "\n".join([text, *lines, "  end", "end", ""])

    def replay(self, folder: Path, *, lemmas: bool = True) -> tuple[int, str]:
        """Simulates the trace that ABC wrote. Returns the first cycle in which a statement breaks, and the statement."""
        frames = [
            line for line in (folder / "trace.txt").read_text().splitlines() if line[:1] in "01" and line
        ][1:]
        places: dict[str, dict[int, int]] = {}
        for line in (folder / "top.aim").read_text().splitlines():
            kind, place, bit, name = [*line.split(), "", "", ""][:4]
            if kind in ("input", "init"):
                places.setdefault(name, {})[int(bit)] = int(place)

        def value(signal: Signal, frame: str) -> int:
            return sum((frame[place] == "1") << bit for bit, place in places.get(signal.name, {}).items())

        broken: list[tuple[int, str]] = []

        async def testbench(context: SimulatorContext) -> None:
            for signal in self._constants:
                context.set(signal, value(signal, frames[0]))
            for cycle, frame in enumerate(frames):
                for signal in self._inputs:
                    context.set(signal, value(signal, frame))
                broken.extend(
                    (cycle, what)
                    for what, condition in self._stated(lemmas)
                    if not context.get(condition.bool())
                )
                await context.tick()

        simulator = Simulator(self)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.run()
        if not broken:
            raise RuntimeError("the solver's trace breaks nothing in simulation")
        return broken[0]


def steady(harness: Harness, stream: Any, *, unless: Value | None = None) -> Value:
    """Whether a word that waits in ``stream`` stays, unchanged, for the next cycle. ``unless`` allows it to be withdrawn."""
    waits = stream.valid & ~stream.ready
    waited = harness.past(waits if unless is None else waits & ~unless)
    payload = Value.cast(stream.payload)
    return ~waited | (stream.valid & (payload == harness.past(payload)))
