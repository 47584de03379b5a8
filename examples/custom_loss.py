"""A loss of your own: a prediction that is too low costs five times as much as one that is too high.

You learn how to compile the derivative of a loss to a polynomial, whose gradient the device estimates without bias from
several roundings of a value. What comes out is a table of this loss against least squares, and
build/examples/custom_loss.png: the derivative, the polynomial, and its error.
"""

import sys
from pathlib import Path

import numpy as np

import zipsgd

rows = 500 if "--small" in sys.argv else 5000
rng = np.random.default_rng(1)
X = rng.uniform(0, 10, (rows, 4))
demand = X @ [3, 1, 4, 2] + rng.gamma(2, 6, rows)

# The residual is the prediction less the label, of labels scaled to [-1, 1]. The slope falls from 1 to 0.2.
asymmetric = zipsgd.compile_loss(
    "asymmetric",
    lambda r: r * (0.6 - 0.4 * np.tanh(4 * r)),
    of="residual",
    radius=1,
    degree=5,
    tolerance=0.03,
)
print(asymmetric)

print("loss           bits a value  predictions too low  mean shortfall  mean excess")
for name, loss in {"least squares": "squared_error", "asymmetric": asymmetric}.items():
    result = zipsgd.train(X, demand, loss=loss, base_bits=3)
    over = result.predict(X) - demand
    shortfall, excess = np.maximum(-over, 0).mean(), np.maximum(over, 0).mean()
    print(f"{name:14} {result.bits_per_value:12} {np.mean(over < 0):20.1%} {shortfall:15.2f} {excess:12.2f}")

path = Path("build/examples/custom_loss.png")
path.parent.mkdir(parents=True, exist_ok=True)
asymmetric.plot(path=path)
print("wrote", path)
