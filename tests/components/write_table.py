"""Writes the table of components in docs/trust.md, with the checks of each component; ``make docs`` runs it."""

import importlib
import json
import pkgutil
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from amaranth import Elaboratable

import zipsgd_hw

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- components -->\n", "<!-- end of components -->\n"

__all__ = ["PAGE", "Component", "components", "table", "with_table"]

_ELSEWHERE = {
    "TrainingCore": ("datapath/bench_core.py", "zipsgd.golden.trainer.GoldenTrainer"),
    "Datapath": ("datapath/bench_datapath.py", "zipsgd.golden.trainer.GoldenTrainer"),
    "UtmiAccelerator": ("sim/test_usb_board.py", "zipsgd.golden.trainer.GoldenTrainer"),
}
"""The benches of parts that are made of components. They run whole trainings, so they are in another folder."""


@dataclass
class Component:
    """A class of the gateware, and its checks."""

    name: str
    module: str
    bench: str = ""
    golden: str = ""
    proofs: list[str] = field(default_factory=list)
    mutants: str = ""


def _classes() -> dict[str, str]:
    """Every class of the gateware that becomes a circuit, but for private parts of another, and its module."""
    found = {}
    for info in pkgutil.walk_packages(zipsgd_hw.__path__, "zipsgd_hw."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            circuit = isinstance(value, type) and issubclass(value, Elaboratable)
            if circuit and value.__module__ == info.name and not name.startswith("_"):
                found[name] = info.name
    return found


def components() -> list[Component]:
    """All components, ordered by folder and name."""
    from component_bench import all_benches
    from properties import PROPERTIES

    found = {name: Component(name, module) for name, module in _classes().items()}
    for file, bench in all_benches().items():
        for of in bench.components:
            found[of.__name__].bench = file.relative_to(ROOT / "tests").as_posix()
            found[of.__name__].golden = bench.golden
    for name, (path, golden) in _ELSEWHERE.items():
        assert (ROOT / "tests" / path).exists()
        found[name].bench, found[name].golden = path, golden
    for shown in PROPERTIES:
        for name in shown.component.split(", "):
            found[name].proofs.append(shown.name)
    for row in json.loads((ROOT / "docs" / "results" / "mutants.json").read_text())["rows"]:
        if row["of"] in found:
            caught = row["caught by its own bench"] + row["caught above"]
            more = f", {row['equivalent']} equivalent" if row["equivalent"] else ""
            found[row["of"]].mutants = f"{caught} caught{more}"
    return sorted(found.values(), key=lambda component: (component.module.split(".")[:-1], component.name))


def table() -> str:
    """The table in Markdown."""
    lines = ["| component | bench, in `tests/` | held to | proofs | mutants |", "|---|---|---|---|---|"]
    lines += [
        f"| {each.name} | {each.bench} | {each.golden} | {'; '.join(each.proofs) or '-'} | {each.mutants or '-'} |"
        for each in components()
    ]
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """``page`` with the current table. Raises ValueError if the page has no place for it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{begin}{table()}{end}{after}"


if __name__ == "__main__":
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    sys.path += [str(ROOT / part) for part in settings["pythonpath"]]
    PAGE.write_text(with_table(PAGE.read_text()))
