"""The gateware itself, simulated cycle by cycle, with a waveform to look at.

You learn how to train on the virtual board, and how to check it bit for bit against the emulator. What comes out is a
table of both runs, build/examples/board.vcd (the waveform) and build/examples/board.gtkw (a save file with groups of
signals). The board is compiled once, in half a minute or so. This needs the extra `sim`, g++, make and perl.
"""

import logging
import sys
from pathlib import Path

import numpy as np

import zipsgd

logging.basicConfig(level="INFO", format="%(message)s")  # says when the board is compiled
rows = 24 if "--small" in sys.argv else 64
rng = np.random.default_rng(1)
X = rng.normal(size=(rows, 10))
y = X @ rng.normal(size=10) + rng.normal(size=rows) / 10

folder = Path("build/examples")
folder.mkdir(parents=True, exist_ok=True)
build = zipsgd.Build(lanes=4, update_lanes=4, max_features=32, max_batch=32, clock_hz=24_000_000)
board = zipsgd.BackendOptions("sim", build, trace=folder / "board.vcd")
check = zipsgd.verify(X, y, zipsgd.Options(batch_size=8, epochs=1), backends=(board, "emulator"))

print("backend   loss      last word of the model  cycles  taking a plane")
for result in (check.first, check.second):
    cycles = f"{result.cycles:6}  {result.plane_cycles:14}" if result.cycles else ""
    print(f"{result.backend:8}  {result.loss[-1]:.6f}  {result.model_words[-1]:22}  {cycles}".rstrip())
print("all bits are the same" if check.identical else "bits differ")

print(f"""
Open the waveform:  gtkwave {folder}/board.gtkw  or  surfer {folder}/board.vcd
  group samples   planes__payload: the planes of a chunk come one a cycle, base planes first, then up planes
  group dot       scores__valid, scores__z: z_1 and z_2 appear some cycles after a sample's last plane
  group loss      deltas__valid, deltas__payload: what weights the planes in the gradient
  group update    q3__done: the model is written chunk by chunk, at the end of each mini-batch""")
