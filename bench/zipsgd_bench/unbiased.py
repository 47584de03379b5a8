"""Compare the means of all roundings with exact values, and find the solutions that the estimators converge to.

ZipML (section 2.1): the naive gradient Q(a)(Q(a)^T x - b) has the mean (a a^T + D) x - a b, where D is the diagonal matrix of
the variances (a - l)(u - a). So naive SGD converges to (A^T A + sum D) x = A^T b. Double sampling converges to the least
squares solution, and so does one draw, where the device takes sum D x away.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zipsgd.emulator import Emulator
from zipsgd.golden.diagonal import Diagonal, Growth
from zipsgd.golden.dot import dot
from zipsgd.golden.gradient import gradient
from zipsgd.golden.lfsr import Lfsr, seed_words
from zipsgd.golden.loss import Step, deltas, residuals
from zipsgd.golden.quantise import Codes, quantise
from zipsgd.golden.run import RunConfig
from zipsgd.golden.update import update
from zipsgd.protocol.formats import Build
from zipsgd.protocol.numbers import LABEL_FRAC

from .convergence import DRAWS, METHODS
from .corrected_step import block_means, cases
from .progress import Steps
from .registry import Bench, Result

__all__ = ["BENCH", "run"]

SEED = 20
BLOCKS = 256
LIMIT = 4.0
"""Largest distance of a mean from the exact value, in standard errors."""
NEAR = 0.05
"""Largest distance of a trained model from its solution, relative to the distance of the two solutions."""

_Float = npt.NDArray[np.float64]


def _row(
    what: str, against: str, draws: int, blocks: list[_Float], exact: npt.ArrayLike
) -> dict[str, object]:
    """Compare the mean over blocks of equal size with ``exact``.

    The standard error is that of the blocks' means. So it includes any dependence between draws.
    """
    means = np.array(blocks)
    error = means.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    difference = np.abs(means.mean(axis=0) - exact)
    deviation = np.divide(difference, error, out=np.where(difference > 0, np.inf, 0.0), where=error > 0)
    return {
        "what": what,
        "against": against,
        "values": means.shape[1],
        "draws": draws,
        "worst deviation (standard errors)": float(deviation.max()),
        "within 4": bool(deviation.max() <= LIMIT),
    }


def _row_blocks(draws: int) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers of BLOCKS blocks. Each row has its own up bits."""
    size = -(-draws // BLOCKS)
    for block in range(BLOCKS):
        yield np.arange(block * size, (block + 1) * size)


def _draw(values: _Float, label: int, p: int, m: int, rows: npt.NDArray[np.int64]) -> Codes:
    """One sample, quantised once for each of ``rows``."""
    copies = np.broadcast_to(values, (rows.size, values.size))
    return quantise(copies, np.full(rows.size, label, np.int16), p, m, seed=SEED, epoch=0, rows=rows)


def samples(draws: int) -> list[dict[str, object]]:
    """Check that E[Q_i(a)] = a, and that E[Q_1(a) Q_2(a)] = a^2.

    Parameters
    ----------
    draws : int
        Number of draws of each value.

    Returns
    -------
    list[dict[str, object]]
        A row for each mean.
    """
    values = np.random.default_rng(SEED).integers(-(1 << 16), 1 << 16, 16) / 2.0**16
    table = []
    for p in (1, 2, 4, 8):
        unit = 2.0 ** (1 - p)
        first, second, product = [], [], []
        for rows in _row_blocks(draws):
            codes = _draw(values, 0, p, 2, rows)
            q1, q2 = (codes.base + (codes.up >> i & 1).astype(np.int64) for i in range(2))
            first.append(q1.mean(axis=0) * unit)
            second.append(q2.mean(axis=0) * unit)
            product.append((q1 * q2).mean(axis=0) * unit**2)
        table.append(_row(f"Q1, p={p}", "a", draws, first, values))
        table.append(_row(f"Q2, p={p}", "a", draws, second, values))
        table.append(_row(f"Q1 Q2, p={p}", "a^2", draws, product, values**2))
    return table


def gradients(draws: int) -> list[dict[str, object]]:
    """Check the gradient at a fixed model, through dot product, residual, delta and accumulator.

    With double sampling, its mean is a (a^T x - b). The naive estimator is off by D x.

    Parameters
    ----------
    draws : int
        Number of draws of each value.

    Returns
    -------
    list[dict[str, object]]
        A row for each mean.
    """
    build = Build()
    rng = np.random.default_rng(SEED)
    values = rng.integers(-(1 << 16), 1 << 16, 8) / 2.0**16
    q3 = rng.integers(-(1 << (build.q3_frac - 1)), 1 << (build.q3_frac - 1), 8)
    label = int(rng.integers(-(1 << 14), 1 << 14))
    step = Step.nearest(0.1)
    model = q3 * 2.0**-build.q3_frac
    residual = values @ model - label * 2.0**-LABEL_FRAC
    unit = step.value * 2.0**build.accumulator_frac
    table = []
    for p, m in ((1, 2), (2, 2), (1, 1)):
        low = np.floor(values * 2 ** (p - 1)) / 2 ** (p - 1)
        variance = (values - low) * (low + 2.0 ** (1 - p) - values)
        lfsr = Lfsr(seed_words(SEED, p, 1)[-1:])
        blocks: dict[bool, list[_Float]] = {False: [], True: []}
        for rows in _row_blocks(draws):
            codes = _draw(values, label, p, m, rows)
            r, saturated = residuals(dot(codes, q3), codes.labels.astype(np.int64), p, build)
            delta, also = deltas(r, step, lfsr, build)
            if saturated or also:
                raise AssertionError("the fixed point of this bench must not saturate")
            for one_sided in blocks:
                blocks[one_sided].append(gradient(codes, delta, one_sided, build) / rows.size / unit)
        if m == 2:
            exact = values * residual
            table.append(_row(f"gradient, symmetric, p={p}", "a (a^T x - b)", draws, blocks[False], exact))
            table.append(_row(f"gradient, one-sided, p={p}", "a (a^T x - b)", draws, blocks[True], exact))
        else:
            biased = values * residual + variance * model
            table.append(_row(f"gradient, naive, p={p}", "(a a^T + D) x - a b", draws, blocks[False], biased))
    return table


def model_roundings(draws: int) -> list[dict[str, object]]:
    """Check that E[Q3(x)] = x and E[Q4(G)] = G, through the update unit.

    Parameters
    ----------
    draws : int
        Number of draws of each value.

    Returns
    -------
    list[dict[str, object]]
        A row for each mean.
    """
    build = Build(lanes=64, update_lanes=64, max_features=1024)
    rng = np.random.default_rng(SEED)
    kinds, copies = 16, 64
    model = np.tile(rng.integers(-(1 << 22), 1 << 22, kinds), copies)
    accumulated = np.tile(rng.integers(-(1 << 24), 1 << 24, kinds), copies)
    calls = -(-draws // (BLOCKS * copies))
    q3_blocks, q4_blocks = [], []
    lfsr = Lfsr(seed_words(SEED, 0, build.update_lanes)[:-1])
    for _ in range(BLOCKS):
        q3_sum = np.zeros(model.size)
        q4_sum = np.zeros(model.size)
        for _ in range(calls):
            _, q3, _ = update(model, np.zeros_like(model), lfsr, build)
            moved, _, _ = update(model, accumulated, lfsr, build)
            q3_sum += q3
            q4_sum += (model - moved) >> build.gradient_shift
        q3_blocks.append(q3_sum.reshape(copies, kinds).mean(axis=0) / calls)
        q4_blocks.append(q4_sum.reshape(copies, kinds).mean(axis=0) / calls)
    done = calls * BLOCKS * copies
    exact3 = model[:kinds] / 2.0**build.q3_drop
    exact4 = accumulated[:kinds] / 2.0**build.q4_drop
    return [_row("Q3", "x", done, q3_blocks, exact3), _row("Q4", "G", done, q4_blocks, exact4)]


def corrected_steps(draws: int) -> list[dict[str, object]]:
    """Check the mean of the whole step with one draw: minus the gradient of the unquantised rows.

    Parameters
    ----------
    draws : int
        Number of quantised samples.

    Returns
    -------
    list[dict[str, object]]
        A row for each case, also with the deviation from the mean that the step would have without the diagonal.
    """
    table = []
    for case in cases():
        blocks = block_means(case, draws, BLOCKS)
        biased = _row("", "", draws, blocks, -case.gradient - case.bias)["worst deviation (standard errors)"]
        row = _row(f"step of one draw, {case.what}", "- A^T (A x - b) / rows", draws, blocks, -case.gradient)
        table.append({**row, "deviation from the biased mean": biased})
    return table


def solutions(epochs: int) -> list[dict[str, object]]:
    """Train with p = 1 and a constant step until convergence, and compare the mean of the late models with both solutions.

    Parameters
    ----------
    epochs : int
        Number of epochs.

    Returns
    -------
    list[dict[str, object]]
        A row for each estimator.
    """
    rng = np.random.default_rng(SEED)
    rows, features, batch = 512, 8, 16
    values = np.round(rng.uniform(-1, 1, (rows, features)) * 2**15) / 2**15
    values[:, -1] = 1  # the intercept
    target = values @ rng.uniform(-0.25, 0.25, features) + rng.normal(size=rows) * 0.05
    labels = np.clip(np.round(target * 2**LABEL_FRAC), -(1 << 15), (1 << 15) - 1).astype(np.int16)
    b = labels * 2.0**-LABEL_FRAC
    low = np.floor(values)
    variances = ((values - low) * (low + 1 - values)).mean(axis=0)
    normal = values.T @ values
    exact = {
        "least squares": np.linalg.solve(normal, values.T @ b),
        "naive": np.linalg.solve(normal + rows * np.diag(variances), values.T @ b),
    }
    gap = float(np.linalg.norm(exact["naive"] - exact["least squares"]))
    build = Build(diagonal=1)
    diagonal = Diagonal.nearest(variances)
    step = Step.nearest(0.02 / batch)
    inputs = values.astype(np.float32)
    table = []
    for estimator, one_sided, own in (
        ("double", False, "least squares"),
        ("double", True, "least squares"),
        ("one-draw", False, "least squares"),
        ("naive", False, "naive"),
    ):
        corrected = diagonal if estimator == "one-draw" else None
        config = RunConfig(features, 1, DRAWS[estimator], batch, one_sided, diagonal=corrected)
        emulator = Emulator(build, np.zeros(features), config, seed=SEED)
        late = np.zeros(features)
        for epoch in range(epochs):
            order = np.random.default_rng((SEED, epoch)).permutation(rows)
            growth = Growth.nearest(step.value * batch * diagonal.unit, epoch * rows // batch)
            own_step = step if corrected is None else replace(step, growth=growth)
            emulator.epoch_rows(inputs, labels, order, seed=SEED, epoch=epoch, step=own_step)
            if epoch >= epochs // 5:
                late += emulator.master * 2.0**-build.model_frac
        late /= epochs - epochs // 5
        distance = {name: float(np.linalg.norm(late - solution)) / gap for name, solution in exact.items()}
        table.append(
            {
                "what": METHODS[estimator] + ", one-sided" * one_sided,
                "converges to": own,
                "distance to least squares / gap": distance["least squares"],
                "distance to (A^T A + sum D) x = A^T b / gap": distance["naive"],
                "near its own": distance[own] <= NEAR,
                "flags": emulator.flags,
            }
        )
    return table


def run(draws: int = 1 << 20, epochs: int = 4000, samples_of_steps: int = 10_000_000) -> Result:
    """Check all means, and train with each estimator.

    Parameters
    ----------
    draws : int
        Number of draws of each value.
    epochs : int
        Epochs of each training.
    samples_of_steps : int
        Quantised samples of each check of whole steps.

    Returns
    -------
    Result
        The result of the bench.
    """
    with Steps(5) as steps:
        steps.next("means of quantised samples")
        means = samples(draws)
        steps.next("means of gradients")
        means += gradients(draws)
        steps.next("means of Q3 and Q4")
        means += model_roundings(draws)
        steps.next("means of steps with one draw")
        means += corrected_steps(samples_of_steps)
        steps.next("solutions that SGD converges to")
        trained = solutions(epochs)
    return {
        "goal": f"with at least 10^6 draws (10^7 for steps with one draw), every mean is within {LIMIT:g} standard errors of "
        f"the exact value; naive SGD converges to (A^T A + sum D) x = A^T b, and double sampling and one draw to least "
        f"squares, all within {NEAR:.0%} of the distance between the two solutions",
        "met": all(row["within 4"] for row in means) and all(row["near its own"] for row in trained),
        "seeds": [SEED],
        "rows": means,
        "solutions": trained,
    }


BENCH = Bench(
    "unbiased",
    "means of all roundings and gradients compared with exact values, and the solutions that SGD converges to",
    run,
)
