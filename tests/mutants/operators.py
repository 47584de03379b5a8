"""Rewrites a component's source so that it can be changed at single points.

A *point* is an expression or a statement of a function that makes hardware; each *variant* of it is one mutant. In the
rewritten source every point is a call. The call gets the operands at the point when the circuit is made, and returns what
stands there; :mod:`schemata` gives the calls their meaning.
"""

import ast
import copy
from collections.abc import Callable
from typing import Any

import replacements
from amaranth.hdl import C, Cat, Mux
from points import Kind, Mutant, Point, Variant

__all__ = ["ENGINE", "rewrite"]

ENGINE = "_mutants_"
"""The name that the rewritten source calls."""


class _Rewriter(ast.NodeTransformer):
    """Rewrites the body of one function, and appends its points to ``points``."""

    def __init__(self, source: str, file: str, place: str, points: list[Point], states: list[str]) -> None:
        self._lines = source.splitlines()
        self._file = file
        self._place = place
        self._points = points
        self._states = states
        self._seen: dict[Mutant, int] = {}

    # Points

    def _point(
        self, kind: Kind, node: ast.AST, original: Callable[..., Any], variants: list[tuple[Any, ...]]
    ) -> int:
        """The number of a new point. Each variant is a tuple of operator, change, ``make`` and, where the mutant needs a build
        of its own, True."""
        point = Point(kind, original)
        for operator, change, make, *only_static in variants:
            line = self._lines[node.lineno - 1].strip()
            name = Mutant(self._file, self._place, line, operator, change)
            nth = self._seen[name] = self._seen.get(name, 0) + 1
            mutant = Mutant(self._file, self._place, line, operator, change, nth)
            point.variants.append(Variant(mutant, make, bool(only_static)))
        self._points.append(point)
        return len(self._points) - 1

    @staticmethod
    def _call(node: ast.AST, method: str, *arguments: ast.expr) -> ast.expr:
        engine = ast.Attribute(ast.Name(ENGINE, ast.Load()), method, ast.Load())
        return ast.copy_location(ast.Call(engine, list(arguments), []), node)

    def _at(self, node: ast.AST, number: int, *operands: ast.expr) -> ast.expr:
        return self._call(node, "at", ast.Constant(number), *operands)

    def _value(
        self,
        node: ast.expr,
        operands: list[ast.expr],
        original: Callable[..., Any],
        variants: list[tuple[Any, ...]],
    ) -> ast.expr:
        number = self._point(Kind.VALUE, node, original, variants)
        return self._at(node, number, *(self.visit(operand) for operand in operands))

    @staticmethod
    def _changed(node: ast.AST, **fields: Any) -> str:
        changed = copy.copy(node)
        for name, value in fields.items():
            setattr(changed, name, value)
        return f"{ast.unparse(node)} → {ast.unparse(changed)}"

    # Expressions

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) not in replacements.BINARY:
            return self.generic_visit(node)
        sign, original = replacements.BINARY[type(node.op)]
        swap = replacements.SWAPS[type(node.op)]
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        old = ast.unparse(node)
        operator = {"<<": "shift", ">>": "shift", "&": "logic", "|": "logic", "^": "logic"}.get(
            sign, "arithmetic"
        )
        # Differences make widths, and one bit more would change nothing: no swap for them, but one bit less.
        narrower = replacements.plain if sign == "-" else replacements.hardware
        not_wider = replacements.hardware if sign == "-" else replacements.plain
        variants: list[tuple[Any, ...]] = [
            (operator, self._changed(node, op=swap()), not_wider(replacements.BINARY[swap][1])),
            (
                "constant",
                f"{old} → {left} {sign} ({right} + 1)",
                narrower(lambda a, b: original(a, replacements.more(b))),
            ),
            (
                "constant",
                f"{old} → {left} {sign} ({right} - 1)",
                replacements.hardware(lambda a, b: original(a, replacements.less(b))),
            ),
            (
                "constant",
                f"{old} → ({left} + 1) {sign} {right}",
                replacements.hardware(lambda a, b: original(replacements.more(a), b)),
            ),
            ("operand dropped", f"{old} → {left}", not_wider(replacements.first)),
        ]
        if operator == "logic":
            variants.append(
                ("operand dropped", f"{old} → {right}", replacements.without_numbers(replacements.second))
            )
        return self._value(node, [node.left, node.right], original, variants)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1 or type(node.ops[0]) not in replacements.COMPARES:
            return self.generic_visit(node)
        right = node.comparators[0]
        sign, original = replacements.COMPARES[type(node.ops[0])]
        variants: list[tuple[Any, ...]] = [
            ("comparison", self._changed(node, ops=[other()]), replacements.COMPARES[other][1])
            for other in replacements.NEIGHBOURS[type(node.ops[0])]
        ]
        if sign in ("==", "!="):
            # For < and the like, the neighbouring comparison is the same as another constant.
            changes = (
                (f"{ast.unparse(right)} + 1", replacements.other),
                (f"{ast.unparse(right)} - 1", replacements.less),
            )
            variants += [
                (
                    "constant",
                    f"{ast.unparse(node)} → {ast.unparse(node.left)} {sign} ({text})",
                    replacements.hardware(lambda a, b, change=change: original(a, change(b))),
                )
                for text, change in changes
            ]
        return self._value(node, [node.left, right], original, variants)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        change = f"{ast.unparse(node)} → {ast.unparse(node.operand)}"
        match node.op:
            case ast.Invert():
                variants = [("inversion dropped", change, replacements.hardware(lambda a: a))]
                return self._value(node, [node.operand], lambda a: ~a, variants)
            case ast.USub() if not isinstance(node.operand, ast.Constant):
                variants = [("negation dropped", change, replacements.hardware(lambda a: a))]
                return self._value(node, [node.operand], lambda a: -a, variants)
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        if not isinstance(node.ctx, ast.Load):
            return self.generic_visit(node)
        whole, part = ast.unparse(node.value), ast.unparse(node.slice)
        variants = [
            ("slice", f"{whole}[{part}] → one up", replacements.moved(1)),
            ("slice", f"{whole}[{part}] → one down", replacements.moved(-1)),
        ]
        index = node.slice
        if isinstance(index, ast.Slice):
            ends = [ast.Constant(None) if end is None else end for end in (index.lower, index.upper)]
            ends += [] if index.step is None else [index.step]
            index = ast.copy_location(ast.Call(ast.Name("slice", ast.Load()), ends, []), node)
        return self._value(node, [node.value, index], lambda a, i: a[i], variants)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        node.test = self._made_when(node.test)
        node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
        return node

    def _made_when(self, test: ast.expr) -> ast.expr:
        """A choice that is made while the circuit is made, such as the test of a Python ``if``."""
        if isinstance(test, ast.Compare):
            return self.visit(test)  # the variants of the comparison are enough
        text = ast.unparse(test)
        variants = [("choice of the build", f"{text} → not ({text})", lambda a: not a, True)]
        return self._at(test, self._point(Kind.VALUE, test, bool, variants), self.visit(test))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        plain = not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
        match node.func:
            case ast.Name("Mux") if plain and len(node.args) == 3:
                return self._mux(node)
            case ast.Name("Cat") if plain and len(node.args) > 1:
                texts = [ast.unparse(a) for a in node.args]
                swapped = ", ".join([texts[1], texts[0], *texts[2:]])
                variants = [
                    (
                        "order",
                        f"{ast.unparse(node)} → Cat({swapped})",
                        lambda a, b, *more: Cat(b, a, *more),
                    )
                ]
                return self._value(node, node.args, Cat, variants)
            case ast.Name("ResetInserter") if plain and len(node.args) == 1:
                change = f"{ast.unparse(node)} → no reset"
                point = self._point(
                    Kind.VALUE, node, lambda a: a, [("reset dropped", change, lambda a: C(0))]
                )
                node.args = [self._at(node.args[0], point, self.visit(node.args[0]))]
                return node
            case ast.Name("Signal"):
                return self._signal(node)
            case ast.Attribute(_, "eq") if plain and len(node.args) == 1:
                return self._assignment(node)
            case ast.Attribute(ast.Name("m"), "If" | "Elif") if plain:
                node.args = [self._hardware_condition(node.args[0])]
                return node
            case ast.Attribute(whole, "any" | "all" as name) if plain and not node.args:
                other = "all" if name == "any" else "any"
                change = f"{ast.unparse(node)} → {ast.unparse(whole)}.{other}()"
                variants = [("any and all", change, lambda a: getattr(a, other)())]
                return self._value(node, [whole], lambda a: getattr(a, name)(), variants)
            case ast.Attribute(whole, "word_select" | "bit_select" as name) if plain and len(node.args) == 2:
                index = ast.unparse(node.args[0])
                change = f"{ast.unparse(node)} → {ast.unparse(whole)}.{name}({index} + 1, ...)"
                variants = [("slice", change, lambda a, i, width: replacements.offset(a, name, i, width))]
                return self._value(
                    node, [whole, *node.args], lambda a, i, width: getattr(a, name)(i, width), variants
                )
        return self.generic_visit(node)

    def _mux(self, node: ast.Call) -> ast.expr:
        test, first, second = map(ast.unparse, node.args)
        old = ast.unparse(node)
        variants = [
            ("choice", f"{old} → Mux({test}, {second}, {first})", lambda s, a, b: Mux(s, b, a)),
            ("choice", f"{old} → {first}", lambda s, a, b: Mux(C(1), a, b)),
            ("choice", f"{old} → {second}", lambda s, a, b: Mux(C(0), a, b)),
            (
                "constant",
                f"{old} → Mux(..., {first} + 1, ...)",
                lambda s, a, b: Mux(s, replacements.other(a), b),
            ),
            (
                "constant",
                f"{old} → Mux(..., ..., {second} + 1)",
                lambda s, a, b: Mux(s, a, replacements.other(b)),
            ),
        ]
        return self._value(node, node.args, Mux, variants)

    def _signal(self, node: ast.Call) -> ast.expr:
        """The value of a signal at reset. No multiplexer can choose it, so the mutant needs a build of its own."""
        self.generic_visit(node)
        if any(keyword.arg == "reset_less" for keyword in node.keywords):
            return node  # data behind a valid bit
        inits = [keyword for keyword in node.keywords if keyword.arg == "init"]
        old = ast.unparse(inits[0].value) if inits else "0"
        variants = [("init", f"init={old} → another", lambda init: 0 if init == 1 else (init or 0) + 1, True)]
        number = ast.Constant(self._point(Kind.INIT, node, lambda init: init, variants))
        value = inits[0].value if inits else ast.Constant(None)
        call = self._call(node, "init", number, value)
        node.keywords = [keyword for keyword in node.keywords if keyword.arg != "init"]
        node.keywords.append(ast.keyword("init", call))
        return node

    def _hardware_condition(self, test: ast.expr) -> ast.expr:
        text = ast.unparse(test)
        variants: list[tuple[Any, ...]] = [
            ("condition", f"{text} → always", lambda a: C(1)),
            ("condition", f"{text} → never", lambda a: C(0)),
        ]
        opposite_anyhow = isinstance(test, ast.UnaryOp) or (
            isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.NotEq)
        )
        if not opposite_anyhow:
            variants.append(("condition", f"{text} → ~({text})", lambda a: ~replacements.condition(a)))
        return self._call(
            test,
            "condition",
            ast.Constant(self._point(Kind.VALUE, test, replacements.condition, variants)),
            self.visit(test),
        )

    # Statements

    def _assignment(self, node: ast.Call) -> ast.expr:
        """An assignment. Its target stays as it is, since a multiplexer cannot be assigned to."""
        assert isinstance(node.func, ast.Attribute)
        target, value = ast.unparse(node.func.value), ast.unparse(node.args[0])
        variants: list[tuple[Any, ...]] = [
            ("statement dropped", f"{target}.eq({value}) dropped", None),
            ("constant", f"{target}.eq({value}) → {target}.eq({value} + 1)", replacements.other),
        ]
        number = self._point(Kind.ASSIGN, node, lambda value: value, variants)
        return self._call(node, "assign", ast.Constant(number), node.func.value, self.visit(node.args[0]))

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        match node.target:
            case ast.Attribute(ast.Attribute(module, "d"), domain):
                call = self._call(node, "add", module, ast.Constant(domain), self.visit(node.value))
                return ast.copy_location(ast.Expr(call), node)
        node.value = self.visit(node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        match node.targets:
            case [ast.Attribute(ast.Name("m") as module, "next")]:
                assert isinstance(node.value, ast.Constant)
                state = node.value.value
                at = self._states.index(state)
                other = self._states[(at + 1) % len(self._states)]
                variants: list[tuple[Any, ...]] = [
                    ("statement dropped", f"m.next = {state!r} dropped", None),
                    ("next state", f"m.next = {state!r} → {other!r}", lambda: other),
                ]
                number = ast.Constant(self._point(Kind.NEXT, node, lambda: state, variants))
                return ast.copy_location(ast.Expr(self._call(node, "go", number, module)), node)
        node.value = self.visit(node.value)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        match node.value:
            case ast.Call(ast.Name("connect") | ast.Attribute(_, "connect") as function, arguments):
                variants = [("statement dropped", f"{ast.unparse(node)} dropped", None)]
                number = ast.Constant(self._point(Kind.CONNECT, node, lambda: None, variants))
                node.value = self._call(node, "connect", number, function, *arguments)
                return node
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.stmt:
        node.test = self._made_when(node.test)
        node.body = [self.visit(part) for part in node.body]
        node.orelse = [self.visit(part) for part in node.orelse]
        return node

    def visit_While(self, node: ast.While) -> ast.stmt:
        """The condition of a loop stays as it is: with another one the loop might never end."""
        node.body = [self.visit(part) for part in node.body]
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """Texts are names only, and stay as they are."""
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node


def _states(function: ast.FunctionDef) -> list[str]:
    """The states of the function's state machine, in the order of the source."""
    found = []
    for node in ast.walk(function):
        match node:
            case ast.Call(ast.Attribute(ast.Name("m"), "State"), [ast.Constant(str(name))]):
                found.append((node.lineno, name))
    return [name for _, name in sorted(found)]


def _counts(function: ast.FunctionDef) -> bool:
    """Whether the function returns a number rather than hardware."""
    return isinstance(function.returns, ast.Name) and function.returns.id == "int"


def rewrite(source: str, file: str, points: list[Point]) -> ast.Module:
    """Replaces each point in the functions of a module by a call.

    Left as they are: constructors, which shape the ports; functions that return a number; and everything outside functions.

    Parameters
    ----------
    source : str
        The text of the module.
    file : str
        The module's path below ``zipsgd_hw``, for the mutants' names.
    points : list of Point
        The new points are appended to it. A call's number is the point's index in this list.

    Returns
    -------
    ast.Module
        The rewritten module.
    """
    module = ast.parse(source)

    def walk(body: list[ast.stmt], outer: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{outer}{node.name}.")
            elif isinstance(node, ast.FunctionDef) and node.name != "__init__" and not _counts(node):
                rewriter = _Rewriter(source, file, outer + node.name, points, _states(node))
                node.body = [rewriter.visit(part) for part in node.body]

    walk(module.body, "")
    return ast.fix_missing_locations(module)
