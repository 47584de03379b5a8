"""A save file for GTKWave beside a waveform: the most useful signals, in named groups."""

from collections.abc import Iterator
from pathlib import Path

from zipsgd.output import write_file

__all__ = ["GROUPS", "save_groups"]

GROUPS = {
    "link": "link",
    "samples": "unpacker",
    "dot": "dot",
    "loss": "loss",
    "gradient": "gradient",
    "update": "update",
}
"""The groups, and the module whose ports and registers each group shows."""

_HEX, _BIT, _OPEN, _CLOSE, _CLOSED = "@22", "@28", "@800200", "@1000200", "@c00200"


def _signals(waveform: Path) -> Iterator[tuple[str, str, int]]:
    """Module, name with path, and width of each signal that has a name of its own, from a VCD's header."""
    path: list[str] = []
    with waveform.open() as file:
        for line in file:
            match line.split():
                case ["$scope", _, name, "$end"]:
                    path.append(name)
                case ["$upscope", "$end"]:
                    path.pop()
                case ["$var", _, width, _, name, *span, "$end"] if not set(name) & set("$["):
                    # Amaranth makes names unique by appending a dollar sign and a number.
                    yield (
                        path[-1].partition("$")[0],
                        ".".join(path) + f".{name}{''.join(span[:1])}",
                        int(width),
                    )
                case ["$enddefinitions", *_]:
                    return


def save_groups(waveform: Path) -> Path:
    """Write ``NAME.gtkw`` beside ``NAME.vcd``, with the first group open and the others closed.

    Parameters
    ----------
    waveform : Path
        The waveform.

    Returns
    -------
    Path
        The save file.
    """
    signals = list(_signals(waveform))
    lines = [f'[dumpfile] "{waveform.resolve()}"']
    for group, module in GROUPS.items():
        opening = _OPEN if group == next(iter(GROUPS)) else _CLOSED
        lines += [opening, f"-{group}"]
        for place, name, width in signals:
            if place == module:
                lines += [_BIT if width == 1 else _HEX, name]
        lines += [_CLOSE, f"-{group}"]
    path = waveform.with_suffix(".gtkw")
    write_file(path, "\n".join(lines) + "\n")
    return path
