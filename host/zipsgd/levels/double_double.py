"""Arithmetic with twice the precision of float64, from error-free transformations.

A number of twice the precision is an unevaluated sum ``high + low`` of two floats. In this form, the sum and the product of two
floats are exact (Knuth's two-sum, and a fused multiply-add for the product). So differences of long prefix sums keep about 100
bits. None of these functions may be compiled with ``fastmath``.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zipsgd.compiled import compiled

__all__ = ["fast_two_sum", "less", "quotient", "two_product", "two_sum"]


def _fma_intrinsic(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """Numba's implementation of ``_fma(x, y, z)``: x y + z, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.DoubleType()
        kind = ir.FunctionType(number, [number] * 3)
        return builder.call(builder.module.declare_intrinsic("llvm.fma", (number,), kind), arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_fma = cast(Callable[[float, float, float], float], intrinsic(_fma_intrinsic))


@compiled
def two_sum(x: float, y: float) -> tuple[float, float]:
    """The exact sum x + y.

    Parameters
    ----------
    x : float
        First summand.
    y : float
        Second summand.

    Returns
    -------
    tuple[float, float]
        The rounded sum and its rounding error.
    """
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


@compiled
def fast_two_sum(x: float, y: float) -> tuple[float, float]:
    """The exact sum x + y for |x| >= |y|.

    Parameters
    ----------
    x : float
        The summand with the larger absolute value.
    y : float
        The other summand.

    Returns
    -------
    tuple[float, float]
        The rounded sum and its rounding error.
    """
    total = x + y
    return total, y - (total - x)


@compiled
def two_product(x: float, y: float) -> tuple[float, float]:
    """The exact product x y.

    Parameters
    ----------
    x : float
        First factor.
    y : float
        Second factor.

    Returns
    -------
    tuple[float, float]
        The rounded product and its rounding error.
    """
    product = x * y
    return product, _fma(x, y, -product)


@compiled
def quotient(high: float, low: float, by_high: float, by_low: float) -> tuple[float, float]:
    """The quotient of two numbers of twice the precision, to some 100 bits.

    Parameters
    ----------
    high, low : float
        The dividend.
    by_high, by_low : float
        The divisor, not zero.

    Returns
    -------
    tuple[float, float]
        High and low part.
    """
    ratio = high / by_high
    rest = _fma(-ratio, by_high, high) + (low - ratio * by_low)
    return fast_two_sum(ratio, rest / by_high)


@compiled
def less(high: float, low: float, than_high: float, than_low: float) -> bool:
    """Whether one number is less than another; in each, |low| is at most half a unit of the last place of high.

    Parameters
    ----------
    high, low : float
        The first number.
    than_high, than_low : float
        The second number.

    Returns
    -------
    bool
        Whether the first number is less.
    """
    return high < than_high or (high == than_high and low < than_low)
