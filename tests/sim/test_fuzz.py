"""The fuzzer of the gateware's link: it finds nothing, and it would find something."""

import inspect
import sys
import textwrap
from typing import Any

import pytest

from zipsgd.protocol.formats import Build
from zipsgd_hw.datapath.model_window import ModelWindow
from zipsgd_hw.link.frame_receiver import FrameReceiver
from zipsgd_sim.designs import rtl
from zipsgd_sim.fuzz import fuzz

BUILD = Build(lanes=4, update_lanes=4, max_features=32, max_batch=32, clock_hz=24_000_000)
FRAMES = 30_000


def test_hostile_bytes_change_nothing() -> None:
    report = fuzz(BUILD, FRAMES, optimise=1)
    assert report.findings == []
    counts = report.counts
    assert counts["frames"] >= FRAMES
    assert counts["golden runs"] >= counts["bursts"] // 200
    for name in ("damaged", "taken", "epochs started", "bursts carried out", "bursts left waiting"):
        assert counts[name] > 100, name
    assert counts["bursts beyond the buffer"] > 0


def test_the_same_seed_sends_the_same_bytes() -> None:
    one, again, other = (fuzz(BUILD, 1000, seed=seed, optimise=1) for seed in (7, 7, 8))
    assert one == again
    assert one != other


@pytest.mark.parametrize(
    ("component", "line", "mutant", "finds"),
    [
        (
            ModelWindow,
            "in_range = (word_in.offset >> lane_bits) < self._rows",
            "in_range = C(1)",
            "model word",
        ),
        (FrameReceiver, "good = crc.match_detected & ", "good = ", "frames miscounted"),
    ],
)
def test_a_fault_is_found(
    component: type[Any], line: str, mutant: str, finds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check is taken out of the gateware."""
    source = textwrap.dedent(inspect.getsource(component.elaborate))
    assert source.count(line) == 1
    names = dict(vars(sys.modules[component.__module__]))
    exec(source.replace(line, mutant), names)
    monkeypatch.setattr(component, "elaborate", names["elaborate"])
    design = rtl.__wrapped__(BUILD)
    report = fuzz(BUILD, 20_000, design=design, optimise=0)
    assert any(finds in finding.what for finding in report.findings), report.findings
    assert all(finding.sent for finding in report.findings)
