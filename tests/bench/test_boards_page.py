"""The tables of docs/boards.md."""

import json
from pathlib import Path

from zipsgd_bench.boards_page import tables, with_tables

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_tables_of_the_bench() -> None:
    page = (ROOT / "docs" / "boards.md").read_text()
    measured = json.loads((ROOT / "docs" / "results" / "gateware.json").read_text())
    assert with_tables(page, measured) == page
    assert tables(measured) in page


def test_figures() -> None:
    row = {
        "board": "one",
        "device": "D",
        "lanes": 8,
        "features": 64,
        "heads": 1,
        "MHz": "25.0",
        "asked": "24",
        "cells": "5 of 9",
        "ram": "1 of 2",
        "dsp": None,
    }
    epochs = [{"board": "one", "housing, link s": 0.04214, "housing, store s": None, "MNIST, link s": 1572.3}]
    text = tables({"rows": [row], "epochs": epochs})
    assert "| `one` | D | 8 | 64 | 1 | 5 of 9 | 1 of 2 | none | 25.0 | 24 |\n" in text
    assert "| epoch of | housing, link, s | housing, store, s | MNIST, link, s |\n" in text
    assert "| `one` | 0.042 |  | 1,572 |\n" in text
