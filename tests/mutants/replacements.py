"""What a change makes of the operands at a point.

The functions that make a change raise :exc:`NotHere` if it makes no sense for the operands at hand, such as a slice of a
number.
"""

import ast
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Value
from amaranth.lib.data import View

__all__ = [
    "BINARY",
    "COMPARES",
    "NEIGHBOURS",
    "SWAPS",
    "NotHere",
    "condition",
    "first",
    "hardware",
    "less",
    "more",
    "moved",
    "offset",
    "other",
    "plain",
    "second",
    "without_numbers",
]


class NotHere(Exception):
    """The change makes no sense for these operands."""


def _is_value(operand: Any) -> bool:
    return isinstance(operand, Value | View)


def _number(operand: Any) -> int:
    """The operand, which must be a Python number."""
    if not isinstance(operand, int):
        raise NotHere
    return int(operand)


def more(operand: Any) -> int:
    """One more."""
    return _number(operand) + 1


def less(operand: Any) -> int:
    """One less. Not for 0 and 1: what that would give, other variants make already."""
    number = _number(operand)
    if number in (0, 1):
        raise NotHere
    return number - 1


def other(operand: Any) -> int:
    """Another number. The two values of a bit are exchanged."""
    number = _number(operand)
    return 0 if number == 1 else number + 1


def condition(operand: Any) -> Value:
    """The operand as a condition of one bit."""
    value = Value.cast(operand)
    return value if len(value) == 1 else value.bool()


def moved(by: int) -> Callable[[Any, Any], Any]:
    """A function that takes the slice or the bit of a value ``by`` bits further up."""

    def make(whole: Any, index: Any) -> Any:
        if not _is_value(whole):
            raise NotHere
        if not isinstance(index, slice):
            place = range(len(whole))[_number(index)] + by
            if not 0 <= place < len(whole):
                raise NotHere
            return whole[place]
        start, stop, step = index.indices(len(whole))
        if step != 1 or not 0 <= start + by < stop + by <= len(whole):
            raise NotHere
        return whole[start + by : stop + by]

    return make


def offset(whole: Any, name: str, index: Any, width: int) -> Any:
    """The result of ``word_select`` or ``bit_select``, whichever ``name`` says, one place further up."""
    return getattr(whole, name)(index + 1, width)


BINARY: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", lambda a, b: a + b),
    ast.Sub: ("-", lambda a, b: a - b),
    ast.Mult: ("*", lambda a, b: a * b),
    ast.BitAnd: ("&", lambda a, b: a & b),
    ast.BitOr: ("|", lambda a, b: a | b),
    ast.BitXor: ("^", lambda a, b: a ^ b),
    ast.LShift: ("<<", lambda a, b: a << b),
    ast.RShift: (">>", lambda a, b: a >> b),
}
"""Operators of two operands: as text, and as a function."""
SWAPS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
"""The operator that takes the place of each."""
COMPARES: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", lambda a, b: a == b),
    ast.NotEq: ("!=", lambda a, b: a != b),
    ast.Lt: ("<", lambda a, b: a < b),
    ast.LtE: ("<=", lambda a, b: a <= b),
    ast.Gt: (">", lambda a, b: a > b),
    ast.GtE: (">=", lambda a, b: a >= b),
}
"""Comparisons: as text, and as a function."""
NEIGHBOURS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
}
"""The comparisons that take the place of each."""


def first(a: Any, b: Any) -> Any:
    """The first operand."""
    return a


def second(a: Any, b: Any) -> Any:
    """The second operand."""
    return b


def without_numbers(make: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``make`` for operands that are both hardware. Numbers are changed by other variants."""

    def made(a: Any, b: Any) -> Any:
        if not (_is_value(a) and _is_value(b)):
            raise NotHere
        return make(a, b)

    return made


def hardware(make: Callable[..., Any]) -> Callable[..., Any]:
    """``make`` where at least one operand is hardware, so that widths and other numbers stay as they are."""

    def made(*operands: Any) -> Any:
        if not any(map(_is_value, operands)):
            raise NotHere
        return make(*operands)

    return made


def plain(make: Callable[..., Any]) -> Callable[..., Any]:
    """``make`` as it is: for operands of any kind."""
    return make
