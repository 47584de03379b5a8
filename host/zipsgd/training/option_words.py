"""Options by their names."""

from dataclasses import fields, replace
from typing import Any

from .options import Options

__all__ = ["options_with"]


def options_with(options: Options | None, words: dict[str, Any]) -> Options:
    """Replace some fields of the options.

    Parameters
    ----------
    options : Options or None
        Options to start from; None for the defaults.
    words : dict[str, Any]
        New values by field name.

    Returns
    -------
    Options
        The changed copy.

    Raises
    ------
    TypeError
        There is no field of that name; the message lists the fields.
    """
    names = [field.name for field in fields(Options)]
    for word in words:
        if word not in names:
            raise TypeError(f"there is no option {word!r}; options: {', '.join(names)}")
    return replace(options or Options(), **words)
