"""What long work shows: lines, and that it is alive."""

import io

import pytest
from rich.console import Console

from zipsgd.cli import progress as progress_module
from zipsgd.cli.progress import WorkProgress


@pytest.fixture
def clock(monkeypatch):
    """Sets the time that progress sees."""
    now = [1000.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


def test_without_a_terminal_a_line_a_minute_says_what_is_done_and_for_how_long(clock):
    text = io.StringIO()
    with WorkProgress(Console(file=text)) as progress:
        progress.note("place and route [seed 1]")
        for second in range(200):
            clock[0] = 1000.0 + second
            progress.doing(f"seed 1: {'placing' if second < 100 else 'routing'}")
        progress.note("packing")
        clock[0] += 50
        progress.doing("packing")
    assert text.getvalue().splitlines() == [
        "place and route [seed 1]",
        "  seed 1: placing, after 1 min",
        "  seed 1: routing, after 2 min",
        "  seed 1: routing, after 3 min",
        "packing",
    ]


def test_on_a_terminal_it_stands_behind_a_spinner():
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    with WorkProgress(console) as progress:
        progress.note("synthesis")
        progress.doing("synthesis: [abc9]")
        progress._bar.refresh()
    assert "synthesis\n" in text.getvalue().replace("\r", "")
    assert "synthesis: [abc9]" in text.getvalue()
    assert "0:00:00" in text.getvalue()
