"""Softmax regression in float64, for a few features: Newton's method, whose steps conjugate gradients find."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["fit_softmax"]

_Float = npt.NDArray[np.float64]

_STEPS = 100
"""Most steps of Newton's method. From 0, some 20 suffice for sets that the outputs nearly separate."""
_INNER_STEPS = 100
"""Most conjugate gradients for a step."""
_ACCURACY = 1e-7
"""The method ends when a step promises to lower the loss by less than this."""


def fit_softmax(features: _Float, classes: npt.NDArray[np.integer], weights: _Float, l2: float) -> _Float:
    """The weights W that minimise the mean of -log softmax(features W)[class], plus l2 / 2 ||W||^2 without its last row.

    Parameters
    ----------
    features : _Float of shape (rows, features)
        Features of about the same size; the last one is the constant 1.
    classes : npt.NDArray[np.integer] of shape (rows,)
        Class of each row, from 0 on. Each class has a row.
    weights : _Float of shape (rows,)
        Weight of each row, above 0.
    l2 : float
        Strength of the penalty, above 0.

    Returns
    -------
    _Float of shape (features, classes)
        The weights.
    """
    problem = _Problem(
        features, np.eye(int(classes.max()) + 1)[classes], weights / weights.sum(), _strengths(features, l2)
    )
    model = np.zeros((features.shape[1], problem.targets.shape[1]))
    loss, shares = problem.loss(model)
    for _ in range(_STEPS):
        gradient = problem.gradient(model, shares)
        step = problem.newton_step(shares, gradient)
        promised = -float(np.sum(gradient * step))
        if promised < _ACCURACY:
            break
        size = 1.0
        while True:
            lower, moved = problem.loss(model + size * step)
            if lower <= loss - 1e-4 * size * promised or size < 1e-6:
                break
            size /= 2
        model, loss, shares = model + size * step, lower, moved
    return model


def _strengths(features: _Float, l2: float) -> _Float:
    """The penalty of each feature. A tiny one of the constant makes the solution unique."""
    strengths = np.full((features.shape[1], 1), l2)
    strengths[-1] = 1e-9
    return strengths


@dataclass(frozen=True)
class _Problem:
    """The function to minimise, and its derivatives."""

    features: _Float
    targets: _Float
    weights: _Float
    strengths: _Float

    def loss(self, model: _Float) -> tuple[float, _Float]:
        """The function, and the probabilities of the classes."""
        outputs = self.features @ model
        outputs -= outputs.max(axis=1, keepdims=True)
        powers = np.exp(outputs)
        sums = powers.sum(axis=1, keepdims=True)
        mean = self.weights @ (np.log(sums[:, 0]) - np.sum(outputs * self.targets, axis=1))
        return float(mean + np.sum(self.strengths * model**2) / 2), powers / sums

    def gradient(self, model: _Float, shares: _Float) -> _Float:
        """The gradient at a model with these probabilities."""
        return np.asarray(
            self.features.T @ ((shares - self.targets) * self.weights[:, None]) + self.strengths * model
        )

    def newton_step(self, shares: _Float, gradient: _Float) -> _Float:
        """The step of Newton's method, by conjugate gradients preconditioned with the Hessian of each class alone."""
        weighted = shares * self.weights[:, None]
        inverses = self._inverses(weighted * (1 - shares))

        def curved(model: _Float) -> _Float:
            outputs = self.features @ model
            outputs -= np.sum(shares * outputs, axis=1, keepdims=True)
            return np.asarray(self.features.T @ (weighted * outputs) + self.strengths * model)

        def preconditioned(left: _Float) -> _Float:
            moved = np.einsum("cij,jc->ic", inverses, left)
            # The same weights added to all classes change nothing, so that gradients do not have such a part
            return np.asarray(moved - moved.mean(axis=1, keepdims=True))

        step, left = np.zeros_like(gradient), -gradient
        direction = ready = preconditioned(left)
        size = first = float(np.sum(left * ready))
        for _ in range(_INNER_STEPS):
            moved = curved(direction)
            length = size / float(np.sum(direction * moved))
            step, left = step + length * direction, left - length * moved
            ready = preconditioned(left)
            size, before = float(np.sum(left * ready)), size
            if size < 1e-4 * first:
                break
            direction = ready + size / before * direction
        return step

    def _inverses(self, curvatures: _Float) -> _Float:
        """The inverse of the Hessian of each class alone, shape (classes, features, features)."""
        penalty = np.diag(self.strengths[:, 0])
        return np.stack(
            [
                np.linalg.inv(self.features.T @ (self.features * each[:, None]) + penalty)
                for each in curvatures.T
            ]
        )
