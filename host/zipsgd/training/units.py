"""Whether a model can be expressed in the units of the data."""

from collections.abc import Sequence

import numpy as np

from zipsgd.data import DataError, Scaling, Table

__all__ = ["check_units"]

_LARGEST_WEIGHT = 64.0
"""More than any weight of a model of scaled features: the device keeps them within 8, times the scale of the levels."""


def check_units(scalings: Sequence[Scaling], table: Table) -> None:
    """Check that the coefficients of any model are float64 numbers in the units of the data.

    Parameters
    ----------
    scalings : sequence of Scaling
        Scaling of each head.
    table : Table
        The training rows, for messages.

    Raises
    ------
    DataError
        A column varies by so little, against the label, that its coefficient may exceed float64. The message names it.
    """
    for scaling in scalings:
        with np.errstate(over="ignore"):
            coef = _LARGEST_WEIGHT * max(scaling.label_spread, 1.0) / scaling.spread
            share = coef * np.maximum(np.abs(scaling.centre), 1.0)
        bad = np.flatnonzero(~np.isfinite(share * len(share)))
        if bad.size:
            name, spread = table.names[bad[0]], float(scaling.spread[bad[0]])
            raise DataError(
                f"{table.source}: column {name!r} varies by {spread:.3g} alone, so that its coefficient may exceed float64; "
                f"multiply the column by a constant, such as {10.0 ** min(300, round(-np.log10(spread))):.0e}, or leave it out"
            )
