"""The figure of the ZipML paper: the loss by epoch for several numbers of bits a value.

You learn how to train on the same data with many settings. What comes out is build/examples/precision_sweep.png, with a
panel for each way to quantise (naive, double sampling, the same with optimal levels, and one draw whose bias is taken
away), and a table: for each number of base bits the final loss over that of float64 SGD. At as many base bits, one draw costs
one bit a value less than double sampling.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import zipsgd

if "--small" in sys.argv:
    table, epochs, bits = zipsgd.load("synthetic10").split(0.9, seed=0)[0], 5, range(1, 4)
else:
    table, epochs, bits = zipsgd.load("cadata"), 20, range(1, 9)  # downloaded once
panels = {
    "naive, uniform levels": (zipsgd.Options(epochs=epochs, estimator="naive"), bits),
    "double sampling, uniform levels": (zipsgd.Options(epochs=epochs), bits),
    "double sampling, optimal levels": (zipsgd.Options(epochs=epochs, levels="optimal"), bits[:4]),
    "one draw, uniform levels": (zipsgd.Options(epochs=epochs, estimator="one-draw"), bits),
}

figure = Figure(figsize=(19, 4.5), layout="constrained")
print("final loss over that of float64 SGD")
print(f"{'base bits':33}", *(f"{p:6}" for p in bits))
for axes, (title, (options, base_bits)) in zip(
    figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True
):
    sweep = zipsgd.sweep(table, None, {"base_bits": base_bits}, options)
    sweep.plot(axes)
    axes.set_title(title)
    print(f"{title:33}", *(f"{row['over float']:6.3f}" for row in sweep.table()))

path = Path("build/examples/precision_sweep.png")
path.parent.mkdir(parents=True, exist_ok=True)
figure.savefig(path, dpi=120)
print("wrote", path)
