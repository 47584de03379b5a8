"""Mutation testing of the gateware: ``make mutants``.

Samples changes of single operators, constants, conditions and statements of the Amaranth sources, and runs each changed
circuit against the benches, nearest first. Fails if one passes them all that is not listed as equivalent in equivalent.py.
"""

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import search_path
from campaign import Campaign, Fate, Verdict, clean
from chosen import CHOSEN
from drawing import group_of, sample
from equivalent import PROVED, entry, reasons
from points import Mutant
from rich.console import Console
from rich.table import Table
from schemata import Textual

_DETAILS = search_path.ROOT / "build" / "mutants" / "mutants.txt"
_ENTRIES = _DETAILS.with_name("alive.txt")
_COUNTED = ("caught by its own bench", "caught above", "equivalent", "alive")


def _kind(mutant: Mutant | Textual, fate: Fate, known: Mapping[Mutant, str]) -> str:
    """The column that a mutant counts in; empty if it is none."""
    if fate.verdict == Verdict.CAUGHT:
        return "caught by its own bench" if fate.own else "caught above"
    if mutant in known:
        return "equivalent"
    return "alive" if fate.verdict == Verdict.PASSED else ""


def _rows(
    fates: Mapping[Mutant | Textual, Fate], known: Mapping[Mutant, str], name_of: Any
) -> list[dict[str, Any]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for mutant, fate in fates.items():
        kind = _kind(mutant, fate, known)
        if kind:
            counts[name_of(mutant)][kind] += 1
    return [
        {"of": name, "mutants": found.total(), **{kind: found[kind] for kind in _COUNTED}}
        for name, found in sorted(counts.items())
    ]


def _catchers(fates: Mapping[Mutant | Textual, Fate]) -> dict[str, int]:
    """How many mutants each test caught."""
    caught = Counter(fate.by for fate in fates.values() if fate.verdict == Verdict.CAUGHT)
    return dict(sorted(caught.items()))


def _write_details(fates: Mapping[Mutant | Textual, Fate], known: Mapping[Mutant, str]) -> None:
    """Each mutant's fate in a line."""
    _DETAILS.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{_kind(mutant, fate, known) or fate.verdict}\t{mutant}\t{fate.by}\t{fate.message}\t{fate.seconds:.1f} s"
        for mutant, fate in sorted(fates.items(), key=lambda item: str(item[0]))
    ]
    _DETAILS.write_text("\n".join(lines) + "\n")


def _print(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table()
    for column in rows[0]:
        table.add_column(column, justify="left" if column == "of" else "right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    total = {column: sum(row[column] for row in rows) for column in rows[0] if column != "of"}
    table.add_section()
    table.add_row("all", *map(str, total.values()))
    console.print(table)


def _write_entries(campaign: Campaign, alive: Sequence[Mutant], say: Callable[[str], None]) -> None:
    """Entries for equivalent.py of what is alive: with the reason where a solver gives it, else to be judged."""
    proofs = campaign.prove(alive)
    lines = []
    for mutant, (proved, said) in proofs.items():
        lines += [f"    # {mutant.place}: {said}", entry(mutant, PROVED if proved else "?")]
    _ENTRIES.write_text("\n".join(lines) + "\n")
    count = sum(proved for proved, _ in proofs.values())
    say(
        f"{count} of {len(alive)} alive are proved equivalent; entries in {_ENTRIES.relative_to(search_path.ROOT)}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default 1)")
    parser.add_argument("--count", type=int, default=330, help="mutants, about (default 330); 0 for all")
    parser.add_argument(
        "--component",
        metavar="NAME",
        nargs="+",
        default=[],
        help="only of these classes, or of functions of these files",
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--out", type=Path, help="folder for mutants.json")
    parser.add_argument("--own", action="store_true", help="benches of the components themselves alone")
    parser.add_argument("--prove", action="store_true", help="try to prove what is alive equivalent")
    parser.add_argument("--clean", action="store_true", help="forget simulators of earlier runs first")
    return parser.parse_args()


def main() -> int:
    options = _options()
    begun = time.monotonic()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)

    def say(text: str) -> None:
        console.print(f"{time.monotonic() - begun:6.0f} s  {text}", soft_wrap=True)

    if options.clean:
        clean()
    campaign = Campaign(options.jobs, say)
    known = reasons(campaign.population)
    say(f"{len(campaign.switched)} mutants to switch on, {len(campaign.static)} to be built one by one")
    drawn = sorted(campaign.population)
    if options.count:
        drawn = sample(drawn, campaign.static, options.count, options.seed)
    chosen = [] if options.component else CHOSEN
    if options.component:
        every = {group_of(mutant) for mutant in campaign.population}
        for name in options.component:
            if name not in every:
                raise SystemExit(f"no component {name!r}: choose from {', '.join(sorted(every))}")
        drawn = [mutant for mutant in drawn if group_of(mutant) in options.component]
    say(f"{len(chosen)} chosen ones, and {len(drawn)} drawn with seed {options.seed}")
    fates = campaign.run([*chosen, *drawn], known=frozenset(known), above=not options.own)
    _write_details(fates, known)

    edits = {mutant: fate for mutant, fate in fates.items() if isinstance(mutant, Textual)}
    operated = {mutant: fate for mutant, fate in fates.items() if isinstance(mutant, Mutant)}
    rows = _rows(operated, known, group_of)
    operators = _rows(operated, known, lambda mutant: mutant.operator)
    if rows:
        _print(console, rows)
        _print(console, operators)
    alive = [mutant for mutant, fate in fates.items() if _kind(mutant, fate, known) == "alive"]
    # A chosen one that changes no circuit that is built here is not caught
    alive += [
        mutant for mutant, fate in edits.items() if fate.verdict not in (Verdict.CAUGHT, Verdict.PASSED)
    ]
    wrong = [mutant for mutant in known if mutant in fates and fates[mutant].verdict == Verdict.CAUGHT]
    for title, mutants in (("alive", alive), ("listed as equivalent, but caught", wrong)):
        for mutant in mutants:
            console.print(f"{title}: {mutant}", soft_wrap=True)
    if options.prove:
        _write_entries(campaign, [mutant for mutant in alive if isinstance(mutant, Mutant)], say)
    for text in campaign.broken:
        console.print(f"fails without a mutant: {text}", soft_wrap=True)
    seconds = round(time.monotonic() - begun)
    unreached = Counter(mutant.file for mutant in campaign.unreached)
    if unreached:
        say(f"in no circuit of a bench: {dict(unreached)}")
    counted = Counter(_kind(mutant, fate, known) for mutant, fate in operated.items())
    say(
        f"{sum(counted[kind] for kind in _COUNTED)} mutants and {len(edits)} chosen ones: "
        + ", ".join(f"{counted[kind]} {kind}" for kind in _COUNTED)
        + f"; details in {_DETAILS.relative_to(search_path.ROOT)}"
    )
    if options.out:
        report = {
            "bench": "mutants",
            "summary": "changes of single points of the gateware, and what catches them",
            "command": "make mutants",
            "goal": "no mutant passes all benches unless it is listed as equivalent, with its reason",
            "met": not (alive or wrong or campaign.broken),
            "seed": options.seed,
            "seconds": seconds,
            "points with a switch": len(campaign.switched),
            "points with a build of their own": len(campaign.static),
            "not counted": {
                str(verdict): sum(
                    fate.verdict == verdict and mutant not in known for mutant, fate in operated.items()
                )
                for verdict in (Verdict.SAME, Verdict.NONE)
            },
            "in no circuit of a bench": dict(unreached),
            "chosen": [
                {"file": m.file, "mutant": m.what, "verdict": str(f.verdict), "by": f.by}
                for m, f in edits.items()
            ],
            "rows": rows,
            "operators": operators,
            "caught by": _catchers(operated),
            "equivalent": [
                {"mutant": str(mutant), "why": known[mutant]} for mutant in operated if mutant in known
            ],
            "alive": [str(mutant) for mutant in alive],
        }
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "mutants.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return 1 if alive or wrong or campaign.broken else 0


if __name__ == "__main__":
    sys.exit(main())
