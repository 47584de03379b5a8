"""docs/link.md and docs/registers.md suffice for a client in another language: one of standard library Python, here."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from zipsgd.golden.loss import Step
from zipsgd.golden.quantise import Codes
from zipsgd.golden.run import RunConfig
from zipsgd.golden.trainer import GoldenTrainer
from zipsgd.protocol.formats import Build
from zipsgd_sim.board import VirtualBoard
from zipsgd_sim.faults import Fault, Faults
from zipsgd_sim.faulty_link import FaultyLink

CLIENT = Path(__file__).with_name("minimal_client.py")
BUILDS = {
    "4 lanes": Build(lanes=4, update_lanes=4, max_features=32, max_batch=32, clock_hz=24_000_000),
    "8 lanes": Build(lanes=8, update_lanes=2, max_features=64, rx_bytes=4096),
}


def run(url):
    """What the client prints, run where it finds the standard library and nothing else."""
    parts = urlsplit(url)
    command = [sys.executable, "-I", "-S", str(CLIENT), str(parts.hostname), str(parts.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(result, build, monkeypatch):
    """The golden model, given the same samples and seeds, has the same losses, flags and model."""
    p, m = result["p"], result["m"]
    epochs, features = result["epochs"], len(result["model"])
    monkeypatch.setattr("zipsgd.golden.trainer.seed_words", lambda seed, epoch, lanes: epochs[epoch]["seeds"])
    trainer = GoldenTrainer(build, [0] * features, RunConfig(features, p, m, result["batch"]), seed=0)
    for number, epoch in enumerate(epochs):
        base = np.array([[k for k, _ in row] for row in epoch["codes"]], dtype=np.int8)
        ups = np.array([[bits for _, bits in row] for row in epoch["codes"]], dtype=np.uint8)
        up = (ups << np.arange(m, dtype=np.uint8)).sum(axis=2, dtype=np.uint8)
        labels = np.array(epoch["labels"], dtype=np.int16)
        trainer.start_epoch(number)
        assert trainer.epoch(Codes(base, up, labels, p, m), Step(*result["step"])) == epoch["loss_sum"]
        assert trainer.flags == epoch["flags"]
    assert trainer.master.tolist() == result["model"]
    unit = 2.0 ** (-2 * build.residual_frac)
    assert [epoch["loss"] for epoch in epochs] == [e["loss_sum"] * unit / len(e["labels"]) for e in epochs]
    assert max(abs(w - t / 2) for w, t in zip(result["weights"], result["truth"], strict=True)) < 0.03


@pytest.mark.parametrize("name", BUILDS)
def test_it_trains_to_the_golden_models_bits(name, monkeypatch):
    build = BUILDS[name]
    with VirtualBoard(build, optimise=1) as board:
        for _ in range(2):
            result = run(board.url)
            assert result["build"][2] == build.hash()
            check(result, build, monkeypatch)


def test_it_trains_over_a_bad_line_too(monkeypatch):
    build = BUILDS["4 lanes"]
    faults = Faults(corrupt=5e-4, drop=5e-4, stall=1e-3, junk=50, seed=3)
    with VirtualBoard(build, optimise=1) as board, FaultyLink(board.url, faults) as line:
        check(run(line.url), build, monkeypatch)
        assert line.hits[Fault.CORRUPT] + line.hits[Fault.DROP] > 1


def test_it_is_small_and_needs_nothing():
    text = CLIENT.read_text()
    assert len(text.splitlines()) < 200
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported
    assert imported <= sys.stdlib_module_names
    assert "__import__" not in text
