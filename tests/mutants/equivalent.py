"""Mutants that behave like the original, so that no test can catch them, each with the reason.

An entry names its mutant as ``make mutants`` prints it. An entry is an error if its mutant no longer exists, or if a bench
catches it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from points import Mutant

__all__ = ["EQUIVALENT", "PROVED", "Equivalent", "entry", "reasons"]

PROVED = "A solver proved it, for any input and in each build that the component's bench has."
"""The reason of what ``run.py --prove`` proved: but for words of streams that are not valid, no output ever differs."""


@dataclass(frozen=True)
class Equivalent:
    """All mutants of one file with this line, operator, change and number; see :class:`.Mutant` for these.

    Attributes
    ----------
    file, line, operator, change : str
        As in the mutant's name.
    why : str
        Why the mutants are equivalent, in a sentence.
    nth : int
        As in the mutant's name.
    """

    file: str
    line: str
    operator: str
    change: str
    why: str
    nth: int = 1

    def matches(self, mutant: Mutant) -> bool:
        return (self.file, self.line, self.operator, self.change, self.nth) == (
            mutant.file,
            mutant.line,
            mutant.operator,
            mutant.change,
            mutant.nth,
        )


EQUIVALENT: tuple[Equivalent, ...] = (
    Equivalent(
        file="datapath/loss_unit.py",
        line="lfsr.mark.eq(product_delta & fresh),",
        operator="operand dropped",
        change="product_delta & fresh → fresh",
        why="The state marked stays the same until the sample's first draw, whenever it is marked.",
    ),
    Equivalent(
        file="datapath/loss_unit.py",
        line="within = Signal(signed(width))",
        operator="init",
        change="init=0 → another",
        why="It is combinational and always assigned.",
    ),
    Equivalent(
        file="datapath/model_norms.py",
        line="tree.terms[lane].eq(Mux(sign * word > 0, sign * word, 0))",
        operator="comparison",
        change="sign * word > 0 → sign * word >= 0",
        why="It chooses between a word that is 0 and 0.",
    ),
    Equivalent(
        file="datapath/model_norms.py",
        line="count = Signal(range(len(number) + 1), name=name)",
        operator="init",
        change="init=0 → another",
        why="It matters for the number 0 alone: half of 1 bit is none, and of an excess of 0 nothing is used.",
    ),
    Equivalent(
        file="datapath/polynomial_evaluator.py",
        line="of_second, of_loss = Signal(), Signal()",
        operator="init",
        change="init=0 → another",
        why="A sample's last argument sets it before it is used.",
        nth=2,
    ),
    Equivalent(
        file="datapath/polynomial_evaluator.py",
        line="with m.Elif(running):",
        operator="condition",
        change="running → always",
        why="What turns count while nothing runs is not used, and the next sample's last argument sets it anew.",
    ),
    Equivalent(
        file="datapath/proximal_step.py",
        line='later_next = [self.next, *(Signal(name=f"next{cycle}") for cycle in range(1, 5))]',
        operator="init",
        change="init=0 → another",
        why="It moves the threshold's phase right behind a reset; the load that begins an epoch sets it later.",
    ),
    Equivalent(
        file="datapath/proximal_step.py",
        line="crossed.eq((nearer < 0) ^ negative),",
        operator="comparison",
        change="nearer < 0 → nearer <= 0",
        why="They differ where the value has come to 0 exactly, and it is 0 then on both ways.",
    ),
    Equivalent(
        file="datapath/sample_unpacker.py",
        line="with m.If(label_ends & (more_labels != 0)):",
        operator="operand dropped",
        change="label_ends & (more_labels != 0) → label_ends",
        why="A solver proved it: the count is set anew before it is looked at again.",
    ),
    Equivalent(
        file="datapath/update_unit.py",
        line="begins_heads, ends_head = Signal(), Signal()",
        operator="init",
        change="init=0 → another",
        why="Behind a reset, the generators' state and the state they have marked are the same.",
    ),
    Equivalent(
        file="link/command_unit.py",
        line="word = Signal(32)",
        operator="init",
        change="init=0 → another",
        why="Four bytes are shifted in before the word is used.",
    ),
    Equivalent(
        file="link/frame_sender.py",
        line="body, body_valid, body_next = Signal(8), Signal(), Signal(8)",
        operator="init",
        change="init=0 → another",
        why="Idle, where a reset leads, sets the places, and closing a frame writes place 0 again.",
        nth=2,
    ),
    Equivalent(
        file="link/frame_sender.py",
        line="lane = Signal(2)",
        operator="init",
        change="init=0 → another",
        why="Idle, where a reset leads, sets it.",
    ),
    Equivalent(
        file="link/uart.py",
        line="shift = Signal(9)",
        operator="init",
        change="init=0 → another",
        why="A start bit sets it before it is used.",
    ),
    Equivalent(
        file="datapath/score_list.py",
        line="inside = Signal()",
        operator="init",
        change="init=0 → another",
        why="No score is read before the first cycle behind a reset is over.",
    ),
    Equivalent(
        file="link/register_bank.py",
        line="m.d.comb += self.write.ready.eq(Cat(*takes).all())",
        operator="any and all",
        change="Cat(*takes).all() → Cat(*takes).any()",
        why="There is one window that is written and read.",
    ),
    Equivalent(
        file="store/block_reader.py",
        line="self.words.valid.eq(self.read.valid & in_body & counts & ~discards & ~drains),",
        operator="operand dropped",
        change="self.read.valid & in_body & counts & ~discards & ~drains → self.read.valid & in_body & counts & ~discards",
        why="While the reader drains, sends is 0, so that nobody looks at its words.",
    ),
)


def entry(mutant: Mutant, why: str) -> str:
    """The source of a mutant's entry."""
    fields = {"file": mutant.file, "line": mutant.line, "operator": mutant.operator, "change": mutant.change}
    lines = [f"        {name}={json.dumps(value, ensure_ascii=False)}," for name, value in fields.items()]
    lines.append(f"        why={'PROVED' if why == PROVED else json.dumps(why)},")
    if mutant.nth > 1:
        lines.append(f"        nth={mutant.nth},")
    return "\n".join(["    Equivalent(", *lines, "    ),"])


def reasons(population: Iterable[Mutant], entries: Iterable[Equivalent] = EQUIVALENT) -> dict[Mutant, str]:
    """Why each listed mutant is equivalent. Raises ValueError if an entry fits none."""
    by_line: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in population:
        by_line.setdefault((mutant.file, mutant.line), []).append(mutant)
    found = {}
    for entry in entries:
        fits = [mutant for mutant in by_line.get((entry.file, entry.line), []) if entry.matches(mutant)]
        if not fits:
            raise ValueError(
                f"{entry.file} has no mutant '{entry.operator}: {entry.change}' (no. {entry.nth}) in '{entry.line}'"
            )
        found.update(dict.fromkeys(fits, entry.why))
    return found
