"""Models of a family's cells, as a netlist's simulation needs them: with unknown state at power-up."""

import re

from zipsgd_hw.boards.families import Family
from zipsgd_hw.boards.toolchain import yosys_files

__all__ = ["cell_arguments", "cell_library", "of_unknown_state"]

_INITIAL = re.compile(r"\binitial\b\s*(begin\b|[^;]*;)")
_WORD = re.compile(r"(\w+)\s*\[[^]]*\]\s*<?=")
_REGISTER = re.compile(r"(\w+)\s*<?=")
_REGISTERS = re.compile(r"(?:begin\b)?((?:\s*\w+\s*<?=[^;]*;)+)\s*(?:end)?")
_NESTING = re.compile(r"\b(begin|end)\b")


def cell_arguments(family: Family) -> tuple[str, ...]:
    """Verilator's arguments for Verilog in a family's cells.

    Parameters
    ----------
    family : Family
        The family.

    Returns
    -------
    tuple of str
        The arguments.
    """
    return (
        *("--x-assign", "unique", "--x-initial", "unique"),
        *("-Wno-lint", "-Werror-USERERROR", "-Werror-PINMISSING"),
        *(f"-D{name}" for name in family.cell_defines),
    )


def cell_library(family: Family) -> dict[str, str]:
    """Yosys' models of a family's cells, with unknown state at power-up.

    Parameters
    ----------
    family : Family
        The family.

    Returns
    -------
    dict of str to str
        Verilog by file name.

    Raises
    ------
    BuildFailed
        Yosys is missing.
    """
    folder = yosys_files() / family.name
    return {name: of_unknown_state((folder / name).read_text()) for name in family.cell_library}


def of_unknown_state(source: str) -> str:
    """Make the registers and memories of cell models random at power-up.

    Parameters
    ----------
    source : str
        Verilog of cell models, each of whose initial blocks sets a register or a memory.

    Returns
    -------
    str
        The same, with initial blocks that set them to random values.

    Raises
    ------
    ValueError
        There is another kind of initial block.
    """
    kept = []
    start = 0
    while found := _INITIAL.search(source, start):
        kept.append(source[start : found.start()])
        start = found.end()
        depth = 1 if found[1] == "begin" else 0
        while depth:
            bracket = _NESTING.search(source, start)
            if bracket is None:
                raise ValueError("an initial block does not end")
            depth += 1 if bracket[1] == "begin" else -1
            start = bracket.end()
        block = source[found.start(1) : start]
        if memory := _WORD.search(block):
            kept.append(f"initial foreach ({memory[1]}[word]) {memory[1]}[word] = $urandom;")
        elif registers := _REGISTERS.fullmatch(block):
            # Verilator might otherwise start an unset output of a cell at zero.
            unknown = " ".join(f"{name} = $urandom;" for name in _REGISTER.findall(registers[1]))
            kept.append(f"initial begin {unknown} end" if found[1] == "begin" else f"initial {unknown}")
        else:
            raise ValueError(f"an initial block sets neither a register nor a memory: {block}")
    return "".join([*kept, source[start:]])
