"""docs/registers.md, written from the tables of registers and windows: ``python -m zipsgd.protocol.registers_page``."""

from .identification import VERSION
from .registers import REGISTERS, WINDOW_OFFSET_BITS, WINDOWS, Control, Register, Status, Window
from .run import Flag

__all__ = ["markdown"]


def markdown() -> str:
    """docs/registers.md."""
    rows: list[Register | Window] = [*REGISTERS.values(), *WINDOWS.values()]
    lines = [
        "# Registers",
        "",
        f"Written by `make docs` from `zipsgd.protocol.registers`; version {VERSION} of the contract. Words have 32 bits,",
        "addresses count words. Access is the host's: r reads, w writes, rw writes and reads back, s sets what it keeps.",
        "Such a setting reads as zero, since a multiplexer for it would take a fifteenth of a small FPGA. The last rows are",
        f"windows: each has {1 << WINDOW_OFFSET_BITS} addresses, and its reads and writes wait until the datapath is idle.",
        "",
        "| address | name | access | bits | what |",
        "|---|---|---|---|---|",
        *(
            f"| {row.address:#04x} | `{row.name}` | {row.access} | {row.width} | {row.doc}"
            f"{f' (in builds with {row.option})' if row.option else ''} |"
            for row in rows
        ),
        "",
        "| `control` | |",
        "|---|---|",
        f"| {Control.LOAD} | LOAD: renew every Q3 word from the master model |",
        f"| {Control.CLEAR} | CLEAR: flags, loss and counters |",
        f"| {Control.ABORT} | ABORT: drop the samples under way; the model stays, seeds, Q3, flags, loss and counters do not |",
        "",
        "| `status` | |",
        "|---|---|",
        f"| {Status.BUSY} | BUSY: samples are still to come or under way, or a load runs |",
        "",
        "| `flags` | a value was saturated |",
        "|---|---|",
        *(f"| {bit} | {name} |" for bit, name in Flag.NAMES.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
