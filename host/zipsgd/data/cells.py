"""What a cell of a text file holds, and what to say about a cell that cannot be used."""

import math
import re
from enum import Enum

__all__ = [
    "Kind",
    "boolean_of",
    "has_decimal_comma",
    "is_missing",
    "kind_of",
    "number_of",
    "quoted",
    "special_text",
    "unread_number",
    "why_not_a_number",
]

_MISSING = frozenset({"", "?", "na", "n/a", "nan", "-nan", "null", "<na>", "#n/a"})
"""In lower case. All of them are missing in text, too, unlike "none"."""
_BOOLEANS = {"true": 1.0, "false": 0.0}
_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?|[-+]?,\d+")
_THOUSANDS = re.compile(
    r"[-+]?\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?|[-+]?\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?|[-+]?\d{1,3}(?:\.\d{3})+,\d+"
)
_DATE = re.compile(
    r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ].*)?"  # 2020-01-31, 31.1.2020 12:30
    r"|\d{1,2}[-/. ][a-z]{3,9}[-/. ]\d{2,4}"  # 31-Jan-20
    r"|[a-z]{3,9}\.? \d{1,2},? \d{2,4}"  # January 31, 2020
    r"|\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]m)?",  # 12:30
    re.IGNORECASE,
)
_PAIR = re.compile(r"\d+:[-+]?[\d.]+(?:[eE][-+]?\d+)?")
_UNIT = re.compile(r"[-+]?[$€£¥]\s?[\d.,]+|[-+]?[\d.,]+\s?[%$€£¥]")


class Kind(Enum):
    """What a cell holds."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    MISSING = "missing"
    TEXT = "text"


def number_of(cell: str, decimal: str = ".") -> float | None:
    """The number in a cell.

    Parameters
    ----------
    cell : str
        The cell, without blanks around it.
    decimal : str
        The decimal mark, a point or a comma.

    Returns
    -------
    float or None
        The nearest float64, which may be infinite or NaN; None if the cell is not a number.
    """
    if decimal == ",":
        if "." in cell:
            return None
        cell = cell.replace(",", ".", 1)
    if "_" in cell or not cell.isascii():  # which Python takes, and no file means
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def has_decimal_comma(cell: str) -> bool:
    """Whether a cell is a number with a decimal comma."""
    return _COMMA.fullmatch(cell) is not None


def boolean_of(cell: str) -> float | None:
    """1 for true, 0 for false, in any case of letters; None for anything else."""
    return _BOOLEANS.get(cell.lower())


def is_missing(cell: str, *, text: bool = False) -> bool:
    """Whether a cell stands for a missing value. ``text``: in a column of text, where "None" is a value."""
    lower = cell.lower()
    return lower in _MISSING or (lower == "none" and not text)


def kind_of(cell: str, decimal: str = ".") -> Kind:
    """What a cell holds, see :func:`number_of` for the arguments."""
    if is_missing(cell):
        return Kind.MISSING
    if number_of(cell, decimal) is not None:
        return Kind.NUMBER
    return Kind.TEXT if boolean_of(cell) is None else Kind.BOOLEAN


def why_not_a_number(cell: str, column: str) -> str:
    """What is wrong with a cell in a column of numbers, and what can be done about it.

    Parameters
    ----------
    cell : str
        The cell, which is not a finite number.
    column : str
        Name of its column.

    Returns
    -------
    str
        The end of a message that has named the place of the cell.
    """
    number = number_of(cell)
    if not cell:
        return "the cell is empty; fill it in or leave the row out"
    if is_missing(cell):
        return f"{cell!r} stands for a missing value; fill it in or leave the row out"
    if number is not None and not math.isfinite(number):
        return f"{cell} is not a finite number in the range of float64; correct it or leave the row out"
    if boolean_of(cell) is not None:
        return f"{cell!r} in a column of numbers; write 1 for true and 0 for false"
    known = unread_number(cell) or special_text(cell, column)
    return known or f"{cell!r} is not a number; correct it or leave the row out. {_leave_out(column)}"


def _leave_out(column: str) -> str:
    return f"--ignore {quoted(column)} leaves the column out (in Python: ignore=[{column!r}])"


def unread_number(cell: str) -> str | None:
    """What is wrong with a number in a spelling that is not read, and what can be done about it; None if it is none."""
    if _THOUSANDS.fullmatch(cell):
        return f"{cell!r} has marks between thousands; write digits alone, with a decimal point"
    if has_decimal_comma(cell):
        return (
            f"{cell!r} has a decimal comma; write a decimal point, or separate the columns of all rows by semicolons or tabs "
            f"and use decimal commas alone"
        )
    return None


def special_text(cell: str, column: str) -> str | None:
    """What can be done about a date, a value with a unit, or a pair of the LIBSVM format; None for other text."""
    if _DATE.fullmatch(cell):
        return f"{cell!r} is a date or a time; make numbers of it, such as year, month and hour. {_leave_out(column)}"
    if _PAIR.fullmatch(cell):
        return f"{cell!r} looks like a value of the LIBSVM format; --format libsvm reads it (in Python: format='libsvm')"
    if _UNIT.fullmatch(cell):
        return f"{cell!r} has a unit; write the number alone. {_leave_out(column)}"
    return None


def quoted(word: str) -> str:
    """A word as it is written on a command line."""
    return word if re.fullmatch(r"[\w.,:=@%+/-]+", word) else "'" + word.replace("'", "'\\''") + "'"
