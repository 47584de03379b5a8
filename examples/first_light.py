"""The smallest training run: two arrays in, a linear model out.

You learn how to train, predict and score, and what it costs to use few bits. What comes out is a table that compares
three runs with the same steps on the same rows: float64 SGD, zipsgd's default (one rounding, whose bias is taken away), and
naive quantisation with the same rounding. Below it are the coefficients, in the units of the data.
"""

import sys

import numpy as np

import zipsgd

rows = 1000 if "--small" in sys.argv else 20_000
rng = np.random.default_rng(1)
X = np.column_stack([rng.uniform(30, 200, rows), rng.integers(1, 9, rows), rng.uniform(0, 60, rows)])
y = X @ [2, 10, -1] + 50 + rng.normal(0, 20, rows)
new, new_y, X, y = X[: rows // 5], y[: rows // 5], X[rows // 5 :], y[rows // 5 :]

options = zipsgd.Options(bits=3, seed=1)
result = zipsgd.train(X, y, options)
comparison = zipsgd.compare(X, y, options, result)

print("run              bits a value      loss      R2")
print(f"float64          {64:12}  {comparison.float_loss[-1]:.6f}  {comparison.float_score:.4f}")
print(f"one draw         {result.bits_per_value:12}  {result.final_loss:.6f}  {result.train_score:.4f}")
print(
    f"naive            {result.bits_per_value:12}  {comparison.naive_final_loss:.6f}  {comparison.naive_score:.4f}"
)
print()
for name, weight, true in zip(("size", "rooms", "age"), result.coef, (2, 10, -1), strict=True):
    print(f"{name:5} {weight:6.2f} (the data were made with {true})")
print(f"first prediction on new rows: {result.predict(new)[0]:.1f}, its label: {new_y[0]:.1f}")
print(f"R2 on new rows: {result.score(new, new_y):.4f}")
