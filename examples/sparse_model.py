"""An L1 penalty, which pulls the weights of useless features to 0.

You learn how to choose the penalty by rows that are held out. In these data the first five of twenty features matter.
What comes out is a table: for each penalty the score on the rows held out, the weights that are exactly 0, and the
features with a weight above 1 % of the largest, next to those of scikit-learn's Lasso if it is installed.
"""

import sys
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

import zipsgd

rows = 400 if "--small" in sys.argv else 2000
rng = np.random.default_rng(1)
X = rng.uniform(-1, 1, (rows, 20))
y = X[:, :5] @ [5, -4, 3, -2, 1] + rng.normal(0, 1.5, rows)
held, held_y, X, y = X[: rows // 5], y[: rows // 5], X[rows // 5 :], y[rows // 5 :]
options = zipsgd.Options(base_bits=4, batch_size=64, epochs=60)


def large(weights: npt.ArrayLike) -> str:
    sizes = np.abs(weights)
    return " ".join(map(str, np.flatnonzero(sizes > sizes.max() / 100)))


def lasso(penalty: float) -> npt.NDArray[np.float64]:
    """Weights of the Lasso, of features and labels scaled to [-1, 1] as zipsgd scales them."""
    from sklearn.linear_model import Lasso
    from sklearn.preprocessing import minmax_scale

    weights: npt.NDArray[np.float64] = (
        Lasso(penalty).fit(minmax_scale(X, (-1, 1)), minmax_scale(y, (-1, 1))).coef_
    )
    return weights


for penalty in (0.001, 0.003, 0.01, 0.03):
    result = zipsgd.train(X, y, options, l1=penalty, validation=(held, held_y))
    zeros = np.sum(np.array(result.coef) == 0)
    print(f"l1 {penalty}: R2 {result.held_out_score:.4f}, {zeros} weights are exactly 0")
    print(f"    zipsgd, weights above 1 % of the largest: {large(result.coef)}")
    if find_spec("sklearn"):
        print(f"    scikit-learn's Lasso, likewise:           {large(lasso(penalty))}")
