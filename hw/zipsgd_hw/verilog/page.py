"""The tables of ports in docs/verilog.md: ``python -m zipsgd_hw.verilog.page docs/verilog.md`` renews them."""

import sys
from dataclasses import replace
from pathlib import Path

from zipsgd.protocol.formats import Build
from zipsgd_hw.link.physical import Uart

from .kinds import KINDS, Kind
from .text import verilog_file

__all__ = ["FULL", "renewed", "table"]

_UART = Uart(3_000_000)
_SAID = {"losses": "hinge or polynomial"}
FULL = Build(
    **{"heads": 2, "hinge": 1, "polynomial": 3, "refetch": 64, "prox": 1, "ball": 1, "diagonal": 1},
    **{"level_bits": 4, "level_p_max": 1, "score_words": 1024, "store_words": 1024, "schedule_words": 64},
)
"""A build with every optional part, and so with every port."""


def table(kind: Kind) -> str:
    """The ports of a kind in Markdown, with the widths of the default build where it has them.

    Parameters
    ----------
    kind : Kind
        The kind.

    Returns
    -------
    str
        The table.
    """
    usual = {line.name: line for line in verilog_file(kind, Build(), _UART).ports}
    rows = ["| port | direction | bits | meaning |", "|---|---|---|---|"]
    for found in verilog_file(kind, FULL, _UART).ports:
        line = replace(usual.get(found.name, found), option=found.option)
        only = f" (in builds with {_SAID.get(line.option, line.option)})" if line.option else ""
        rows.append(f"| `{line.name}` | {line.direction} | {line.width} | {line.meaning}{only} |")
    return "\n".join(rows)


def renewed(page: str) -> str:
    """A page with its tables made anew.

    Parameters
    ----------
    page : str
        The page. A table stands between ``<!-- ports: KIND -->`` and ``<!-- end -->``.

    Returns
    -------
    str
        The page.
    """
    for kind in KINDS.values():
        mark = f"<!-- ports: {kind.name} -->\n"
        before, found, after = page.partition(mark)
        if found:
            _, end, rest = after.partition("<!-- end -->")
            page = f"{before}{mark}\n{table(kind)}\n\n{end}{rest}"
    return page


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(renewed(file.read_text()))
