"""Names in messages."""

from collections.abc import Sequence

__all__ = ["listed"]


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, and how many more there are.

    Parameters
    ----------
    names : sequence of str
        Names, as they are to be shown.
    most : int
        Most names to show.

    Returns
    -------
    str
        Such as "'rooms', 'age' and 3 more".
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
