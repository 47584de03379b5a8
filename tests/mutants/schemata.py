"""Many mutants in one circuit, one of which can be switched on when it is simulated.

Where a mutant would have ``b`` instead of ``a``, a circuit with mutants has ``Mux(chosen == k, b, a)``, and where it lacks a
statement, the statement under ``m.If(chosen != k)``. The simulator reads the signal ``chosen`` from the file ``mutant.hex``
in its working folder when it starts; 0 chooses no mutant. So one build serves all mutants of a component. Some changes
matter only while the circuit is made, such as the value of a register at reset. They cannot be switched; such a mutant is
*static* and is built alone.
"""

import ast
import contextlib
import importlib
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from amaranth.back import verilog
from amaranth.hdl import C, Cat, Fragment, Instance, Module, Mux, Signal, Value
from amaranth.hdl._ast import Statement
from operators import ENGINE, rewrite
from points import Mutant, Point

import zipsgd_hw
from zipsgd_sim.verilog import ports

__all__ = [
    "CHOICE_FILE",
    "Circuit",
    "Live",
    "Sources",
    "Textual",
    "live_mutants",
    "making",
    "with_mutants",
    "zipsgd_sources",
]

CHOICE_FILE = "mutant.hex"
_CHOOSER = f"""
module zipsgd_mutant(output [15:0] chosen);
  reg [15:0] number [0:0];
  initial $readmemh("{CHOICE_FILE}", number);
  assign chosen = number[0];
endmodule
"""


def _shaped(value: Any, like: Value) -> Value:
    """A value in the width and signedness of another. If it is wider, its upper bits are lost."""
    shape = like.shape()
    value = Value.cast(value)
    if len(value) < shape.width:
        top = value[-1] if value.shape().signed else C(0, 1)
        value = Cat(value, top.replicate(shape.width - len(value)))
    value = value[: shape.width]
    return value.as_signed() if shape.signed else value


@dataclass
class Live:
    """The possible mutants of a circuit: those with a switch, and those that need a build of their own."""

    switched: set[Mutant] = field(default_factory=set)
    static: set[Mutant] = field(default_factory=set)


class _Engine:
    """The object that the rewritten source calls while a circuit is made. Without mutants, it changes nothing.

    Parameters
    ----------
    points : list of Point
        All points; the source calls with an index in this list.
    numbers : dict of Mutant to int, optional
        The mutants in the circuit, each with the value of ``chosen`` that switches it on.
    alone : Mutant, optional
        A mutant that is always on.
    live : Live, optional
        Collects the mutants that the circuit could have.
    """

    def __init__(
        self,
        points: list[Point],
        numbers: dict[Mutant, int] | None = None,
        alone: Mutant | None = None,
        live: Live | None = None,
    ) -> None:
        self._points = points
        self._numbers = numbers or {}
        self._alone = alone
        self._live = live
        self.chosen = Signal(16, name="mutant")
        self._statements: dict[int, tuple[Any, Point]] = {}

    def _is_chosen(self, mutant: Mutant) -> Value:
        return self.chosen == self._numbers[mutant]

    def _note(self, mutant: Mutant, *, static: bool) -> None:
        if self._live is not None:
            (self._live.static if static else self._live.switched).add(mutant)

    def _vary(self, point: Point, value: Any, operands: tuple[Any, ...]) -> Any:
        """The value at a point, or what one of its variants makes of it."""
        if isinstance(value, Value):
            plain = value
            for variant in point.variants:
                if variant.make is None or variant.only_static or not self._wants(variant.mutant):
                    continue
                with contextlib.suppress(Exception):  # it makes no sense here
                    mutated = _shaped(variant.make(*operands), plain)
                    self._note(variant.mutant, static=False)
                    if variant.mutant == self._alone:
                        value = mutated
                    elif variant.mutant in self._numbers:
                        value = Mux(self._is_chosen(variant.mutant), mutated, value)
        elif isinstance(value, int):
            for variant in point.variants:
                if not self._wants(variant.mutant):
                    continue
                with contextlib.suppress(Exception):
                    other = variant.make(*operands)
                    if isinstance(other, int) and other != value:
                        self._note(variant.mutant, static=True)
                        if variant.mutant == self._alone:
                            return other
        return value

    def _wants(self, mutant: Mutant) -> bool:
        return self._live is not None or mutant == self._alone or mutant in self._numbers

    # What the source calls

    def at(self, number: int, *operands: Any) -> Any:
        point = self._points[number]
        return self._vary(point, point.original(*operands), operands)

    def condition(self, number: int, operand: Any) -> Any:
        """As it was unless it is mutated: it may have several bits."""
        point = self._points[number]
        plain = point.original(operand)
        value = self._vary(point, plain, (operand,))
        return operand if value is plain else value

    def init(self, number: int, init: Any) -> Any:
        (variant,) = self._points[number].variants
        if init is None or isinstance(init, int):
            self._note(variant.mutant, static=True)
            if variant.mutant == self._alone:
                return variant.make(init)
        return init

    def assign(self, number: int, target: Any, value: Any) -> Any:
        point = self._points[number]
        if isinstance(value, int):
            plain = Value.cast(value)
            changed = value
            for variant in point.variants:
                if variant.make is not None and self._wants(variant.mutant):
                    self._note(variant.mutant, static=False)
                    if variant.mutant == self._alone:
                        changed = variant.make(value)
                    elif variant.mutant in self._numbers:
                        changed = Mux(self._is_chosen(variant.mutant), variant.make(value), plain)
            value = changed
        statement = target.eq(value)
        self._statements[id(statement)] = statement, point
        return statement

    def _unless_dropped(self, module: Module, point: Point, act: Callable[[], None]) -> None:
        (dropped,) = (variant.mutant for variant in point.variants if variant.make is None)
        self._note(dropped, static=False)
        if dropped == self._alone:
            return
        if dropped in self._numbers:
            with module.If(~self._is_chosen(dropped)):
                act()
        else:
            act()

    def add(self, module: Module, domain: str, statements: Any) -> None:
        for statement in _flat(statements):

            def act(statement: Statement = statement) -> None:
                module.d[domain] += statement

            _, point = self._statements.pop(id(statement), (None, None))
            if point is None:
                act()
            else:
                self._unless_dropped(module, point, act)

    def connect(self, number: int, connect: Callable[..., None], module: Module, *ends: Any) -> None:
        self._unless_dropped(module, self._points[number], lambda: connect(module, *ends))

    def go(self, number: int, module: Module) -> None:
        point = self._points[number]
        (other,) = (variant for variant in point.variants if variant.make is not None)

        def act() -> None:
            self._note(other.mutant, static=False)
            module.next = other.make() if other.mutant == self._alone else point.original()
            if other.mutant in self._numbers:
                with module.If(self._is_chosen(other.mutant)):
                    module.next = other.make()

        self._unless_dropped(module, point, act)


def _flat(statements: Any) -> Iterator[Any]:
    if isinstance(statements, Iterable) and not isinstance(statements, Statement):
        for statement in statements:
            yield from _flat(statement)
    else:
        yield statements


def _codes(code: types.CodeType) -> Iterator[tuple[str, types.CodeType]]:
    """Code of the functions of a module and of its classes, by qualified name."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _function(module: types.ModuleType, name: str) -> types.FunctionType | None:
    found: Any = module
    for part in name.split("."):
        found = vars(found).get(part)
        if found is None:
            return None
    found = getattr(found, "__func__", found)
    return found if isinstance(found, types.FunctionType) else None


class Sources:
    """Modules whose functions make hardware, and their points.

    Parameters
    ----------
    modules : by file, as mutants name it.
    """

    def __init__(self, modules: dict[str, types.ModuleType]) -> None:
        self.modules = modules
        self.points: list[Point] = []
        self._rewritten: list[tuple[types.FunctionType, types.CodeType]] = []
        for file, module in modules.items():
            tree = rewrite(inspect.getsource(module), file, self.points)
            self._rewritten += self._functions(module, tree)

    @staticmethod
    def _functions(
        module: types.ModuleType, tree: ast.Module | str
    ) -> Iterator[tuple[types.FunctionType, types.CodeType]]:
        """The module's functions with the code that they have in a changed source."""
        path = module.__file__ or "<changed>"
        for name, code in _codes(compile(tree, path, "exec")):
            function = _function(module, name)
            if function is not None and function.__code__.co_freevars == code.co_freevars:
                yield function, code

    @contextlib.contextmanager
    def _replaced(self, codes: Iterable[tuple[types.FunctionType, types.CodeType]]) -> Iterator[None]:
        """Changes the code of the functions, not the functions, so that modules that imported them see the change."""
        originals = []
        try:
            for function, code in codes:
                originals.append((function, function.__code__))
                function.__code__ = code
            yield
        finally:
            for function, code in originals:
                function.__code__ = code

    @contextlib.contextmanager
    def calling(self, engine: _Engine) -> Iterator[None]:
        """In this context, the modules call the engine at each point."""
        with contextlib.ExitStack() as stack:
            for module in self.modules.values():
                stack.enter_context(patch.dict(vars(module), {ENGINE: engine}))
            stack.enter_context(self._replaced(self._rewritten))
            yield

    @contextlib.contextmanager
    def edited(self, file: str, old: str, new: str) -> Iterator[None]:
        """In this context, a module's functions have ``new`` in place of ``old``.

        Raises ValueError if ``old`` is not in the source exactly once.
        """
        source = inspect.getsource(self.modules[file])
        if source.count(old) != 1:
            raise ValueError(f"{file} has {source.count(old)} times {old!r}, not once")
        with self._replaced(self._functions(self.modules[file], source.replace(old, new))):
            yield


@cache
def zipsgd_sources() -> Sources:
    """All modules of the gateware that make hardware."""
    root = Path(zipsgd_hw.__file__).parent
    modules = {}
    for found in pkgutil.walk_packages([str(root)], "zipsgd_hw."):
        file = Path(*found.name.split(".")[1:]).with_suffix(".py")
        source = root / file
        if source.exists() and "from amaranth import" in source.read_text():
            modules[str(file)] = importlib.import_module(found.name)
    return Sources(modules)


@dataclass(frozen=True)
class Textual:
    """A mutant that edits the source: ``new`` replaces ``old``, which must be in the file exactly once."""

    file: str
    old: str
    new: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True)
class Circuit:
    """Verilog, the number that chooses each mutant, and whether the Verilog has delays."""

    verilog: str
    numbers: dict[Mutant, int] = field(default_factory=dict)
    timing: bool = False


def _to_verilog(component: Any, fragment: Fragment) -> str:
    return str(
        verilog.convert(
            fragment, name="dut", ports=ports(component), emit_src=False, strip_internal_attrs=True
        )
    )


def live_mutants(make: Callable[[], Any], sources: Sources) -> Live:
    """The possible mutants of a component's circuit. If ``make`` returns Verilog, all of them are static."""
    live = Live()
    made = make()
    with sources.calling(_Engine(sources.points, live=live)):
        if isinstance(made, str):
            make()
        else:
            Fragment.get(made, None)
    return Live(set(), live.switched | live.static) if isinstance(made, str) else live


@contextlib.contextmanager
def making(sources: Sources, mutant: Mutant) -> Iterator[None]:
    """In this context, circuits are made with a mutant that is always on."""
    with sources.calling(_Engine(sources.points, alone=mutant)):
        yield


def with_mutants(
    make: Callable[[], Any],
    sources: Sources,
    switched: Iterable[Mutant] = (),
    alone: Mutant | Textual | None = None,
) -> Circuit:
    """A component's circuit: with mutants to switch on, with one that is always on, or unchanged if neither is given."""
    numbers = {mutant: number for number, mutant in enumerate(sorted(switched), 1)}
    if isinstance(alone, Textual):
        changed = sources.edited(alone.file, alone.old, alone.new)
    else:
        engine = _Engine(sources.points, numbers, alone)
        changed = sources.calling(engine)
    component = make()
    with changed:
        if isinstance(component, str):
            return Circuit(make(), timing=True)
        fragment = Fragment.get(component, None)
    if not numbers:
        return Circuit(_to_verilog(component, fragment))
    chooser = Instance("zipsgd_mutant", o_chosen=engine.chosen)
    fragment.add_subfragment(Fragment.get(chooser, None), "mutants")
    return Circuit(_to_verilog(component, fragment) + _CHOOSER, numbers)
