"""The loss that SGD on quantised samples will reach, computed before training from a sample of the rows.

Let x* be the least-squares model, C = A^T A / rows, and D the diagonal matrix of the mean variances with which the values of
each column are quantised. In a step of size g on a mini-batch of B samples, the model's error e = x - x* becomes

    e' = (I - g C) e + g n / sqrt(B)

where n is the noise of the gradient of one sample. With two quantisations of each value, used in both orders, its covariance is

    N = C (R + Q / 2) + D (R + Q) / 2,      R = r*^2 + e^T C e,      Q = x^T D x

if rows, errors of quantisation and residuals are taken as independent. R is the mean squared residual, r*^2 that of x*, and Q
is the noise of the output z. So the mean squares of e along the eigenvectors of C follow a linear recursion. Two of its
features matter:

* Where columns are collinear, an eigenvalue of C is 0. Nothing brings the error in that direction back, and it grows with the
  number of steps.
* Q contains the error itself. So the error even grows exponentially where steps are too large and too many.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["NoisyLeastSquares"]

_Float = npt.NDArray[np.float64]

_MOST_DIRECTIONS = 256
"""Most eigenvectors that are told apart. The time to find them grows with the cube of their number."""
_ROWS_PER_DIRECTION = 4
"""Rows of the sample for each eigenvector that is told apart, so that x* does not fit noise."""
_MOST_HEADS = 8
"""Most models whose losses are computed."""
_MOST_SEGMENTS = 40
"""Most parts of the run whose step sizes are told apart."""
_TURNS = 10
"""Parts of a segment in which R and Q are taken as constant."""
_NULL = 1e-7
"""Curvature, relative to the largest one, below which a direction does not matter for x*."""
_HUGE = 1e30


@dataclass(frozen=True)
class NoisyLeastSquares:
    """Least squares on quantised samples, seen along the eigenvectors of C.

    Parameters
    ----------
    directions : _Float of shape (features, directions)
        Eigenvectors of C.
    curvatures, noises : _Float of shape (parts,)
        Eigenvalues of C, and the values u^T D u of its eigenvectors u. If not all eigenvectors are told apart, the last entry
        is the mean of the others.
    counts : _Float of shape (parts,)
        Number of eigenvectors for each entry.
    optimum : _Float of shape (heads, parts)
        Squares of the components of x*.
    noise_at_optimum : _Float of shape (heads,)
        x*^T D x*.
    residuals, totals : _Float of shape (heads,)
        Mean squares of the residuals of x* and of the targets.
    both_orders : bool
        Whether two quantisations are used in both orders. Otherwise all noise of quantisation counts fully.
    """

    directions: _Float = field(repr=False)
    curvatures: _Float
    noises: _Float
    counts: _Float
    optimum: _Float
    noise_at_optimum: _Float
    residuals: _Float
    totals: _Float
    both_orders: bool

    @classmethod
    def fit(
        cls, values: _Float, targets: _Float, variances: _Float, *, both_orders: bool
    ) -> "NoisyLeastSquares":
        """Measure rows.

        Parameters
        ----------
        values : _Float of shape (rows, features)
            A sample of the rows, with values in [-1, 1].
        targets : _Float of shape (rows, heads)
            Their targets.
        variances : _Float of shape (features,)
            Mean variance of quantisation of each column.
        both_orders : bool
            Whether two quantisations are used in both orders.

        Returns
        -------
        NoisyLeastSquares
            What :meth:`unexplained` needs.
        """
        rows, features = values.shape
        targets = targets[
            :, np.linspace(0, targets.shape[1] - 1, min(targets.shape[1], _MOST_HEADS)).astype(int)
        ]
        curvatures, directions = _eigenvectors(
            values, min(features, _MOST_DIRECTIONS, rows // _ROWS_PER_DIRECTION)
        )
        noises = variances @ directions**2
        slopes = directions.T @ (values.T @ targets) / rows
        strong = curvatures > _NULL * max(curvatures.max(initial=0), 1e-300)
        components = np.divide(slopes, curvatures[:, None], out=np.zeros_like(slopes), where=strong[:, None])
        best = directions @ components
        freedom = max(1, rows - int(strong.sum()))
        counts, optimum = np.ones_like(curvatures), components.T**2
        rest = features - counts.size
        if rest:
            trace = float(np.einsum("ij,ij->", values, values)) / rows
            others = max(trace - float(curvatures.sum()), 0.0) / rest
            curvatures = np.append(curvatures, others)
            noises = np.append(noises, (variances.sum() - noises.sum()) / rest)
            counts, optimum = np.append(counts, rest), np.pad(optimum, ((0, 0), (0, 1)))
        return cls(
            directions,
            curvatures,
            noises,
            counts,
            optimum,
            variances @ best**2,
            ((targets - values @ best) ** 2).sum(axis=0) / freedom,
            (targets**2).mean(axis=0),
            both_orders,
        )

    def unexplained(
        self, sizes: _Float, steps: float, batch: int, *, l2: float = 0.0, noise: float = 1.0
    ) -> _Float:
        """Expected loss of the final model as a share of the loss of the zero model: 1 - R2, for centred targets.

        Parameters
        ----------
        sizes : _Float of shape (candidates, epochs)
            Step size of each epoch.
        steps : float
            Steps of an epoch.
        batch : int
            Samples of a mini-batch.
        l2 : float
            Strength of an L2 penalty, which draws all weights to 0.
        noise : float
            Factor of the noise.

        Returns
        -------
        _Float of shape (candidates,)
            The mean over heads. Very large if training diverges.
        """
        groups = np.array_split(np.arange(sizes.shape[1]), min(sizes.shape[1], _MOST_SEGMENTS))
        part = 0.5 if self.both_orders else 1.0
        curvatures, noises = self.curvatures, self.noises
        squares = np.tile(self.optimum, (sizes.shape[0], 1, 1))
        for group in groups:
            size = sizes[:, group].mean(axis=1)[:, None, None]
            count = steps * group.size / _TURNS
            rate = 2 * size * (curvatures + l2)
            kept = np.exp(-rate * count)
            gain = np.divide(1 - kept, rate, out=np.full_like(rate, count), where=rate * count > 1e-9)
            gain = gain * size**2 * self.counts * noise / batch
            for _ in range(_TURNS):
                residual = (self.residuals + squares @ curvatures)[..., None]
                output = (self.noise_at_optimum + squares @ noises)[..., None]
                kick = curvatures * (residual + part * output) + part * noises * (residual + output)
                squares = np.minimum(squares * kept + kick * gain, _HUGE)
        loss = self.residuals + squares @ curvatures
        return np.asarray(np.mean(loss / np.maximum(self.totals, 1e-300), axis=1))


def _eigenvectors(values: _Float, count: int) -> tuple[_Float, _Float]:
    """The ``count`` largest eigenvalues of C and their eigenvectors: all exactly, or some by subspace iteration."""
    rows, features = values.shape
    if count == features:
        curvatures, directions = np.linalg.eigh(values.T @ values / rows)
        return np.maximum(curvatures, 0.0), directions
    directions = np.random.default_rng(0).normal(size=(features, count))
    for _ in range(4):
        directions, _ = np.linalg.qr(values.T @ (values @ directions))
    projected = values @ directions
    curvatures, turn = np.linalg.eigh(projected.T @ projected / rows)
    return np.maximum(curvatures, 0.0), directions @ turn
