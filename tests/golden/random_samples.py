"""Random quantised samples and hypothesis strategies for the tests of the golden model."""

import numpy as np
from hypothesis import strategies as st

from zipsgd.golden.quantise import Codes, level_offset
from zipsgd.protocol.numbers import LABEL_ONE
from zipsgd.protocol.run import LabelForm
from zipsgd.protocol.samples import SampleLayout

__all__ = ["base_planes", "codes_of", "layouts", "quantised_values", "random_codes", "seeds", "up_planes"]

seeds = st.integers(0, 2**32 - 1)
base_planes = st.integers(1, 8)
up_planes = st.integers(0, 2)


@st.composite
def layouts(draw: st.DrawFn) -> SampleLayout:
    """Any layout that is not too long; often with the intercept alone in its chunk."""
    lanes = draw(st.sampled_from([4, 8, 16, 32, 64, 128, 256]))
    features = draw(st.integers(1, 70) | st.integers(0, 3).map(lambda chunks: chunks * lanes + 1))
    p = draw(st.integers(0, 8))
    labels = draw(st.sampled_from([1, 1, 2, 5]))
    return SampleLayout(
        features,
        p,
        draw(st.integers(0 if p else 1, 8)),
        lanes,
        labels,
        draw(st.booleans()),
        draw(st.sampled_from(LabelForm)) if labels == 1 else LabelForm.WORD,
    )


def codes_of(seed: int, count: int, layout: SampleLayout) -> Codes:
    """Random samples of a layout."""
    rng = np.random.default_rng(seed)
    offset = level_offset(layout.p)
    base = rng.integers(-offset, (1 << layout.p) - offset, (count, layout.features))
    up = rng.integers(0, 1 << layout.m, (count, layout.features))
    if layout.intercept:
        base[:, -1], up[:, -1] = (1 << layout.p) - 1 - offset, (1 << layout.m) - 1
    shape = (count,) if layout.labels == 1 else (count, layout.labels)
    labels = {
        LabelForm.WORD: rng.integers(-(1 << 15), 1 << 15, shape),
        LabelForm.BYTE: rng.integers(0, 256, shape),
        LabelForm.SIGN: rng.choice([-LABEL_ONE, LABEL_ONE], shape),
    }[layout.label_form]
    return Codes(base.astype(np.int8), up.astype(np.uint8), labels.astype(np.int16), layout.p, layout.m)


def random_codes(seed: int, count: int, features: int, p: int, m: int) -> Codes:
    rng = np.random.default_rng(seed)
    return Codes(
        rng.integers(-(1 << (p - 1)), 1 << (p - 1), (count, features)).astype(np.int8),
        rng.integers(0, 1 << m, (count, features)).astype(np.uint8),
        rng.integers(-(1 << 15), 1 << 15, count).astype(np.int16),
        p,
        m,
    )


def quantised_values(codes: Codes) -> list[np.ndarray]:
    """Q_i in units of the last base plane, for each i."""
    base = codes.base.astype(np.int64)
    return [base + (codes.up >> i & 1) for i in range(codes.m)] or [base]
