"""Arithmetic of twice double precision from error-free transformations.

A number of twice the precision is an unevaluated sum ``high + low``, as two floats. Sums and products of floats are exact
in this form (Knuth's two-sum; a fused multiply-add for the product), so that differences of long prefix sums keep some 100
bits. None of it may be compiled with ``fastmath``.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zipsgd.compiled import compiled

__all__ = ["fast_two_sum", "less", "two_product", "two_sum"]


def _fma_intrinsic(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """Numba's recipe for ``_fma(x, y, z)``: x y + z, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.DoubleType()
        kind = ir.FunctionType(number, [number] * 3)
        return builder.call(builder.module.declare_intrinsic("llvm.fma", (number,), kind), arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


_fma = cast(Callable[[float, float, float], float], intrinsic(_fma_intrinsic))


@compiled
def two_sum(x: float, y: float) -> tuple[float, float]:
    """x + y as a rounded sum and its error."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


@compiled
def fast_two_sum(x: float, y: float) -> tuple[float, float]:
    """x + y as a rounded sum and its error, for |x| >= |y|."""
    total = x + y
    return total, y - (total - x)


@compiled
def two_product(x: float, y: float) -> tuple[float, float]:
    """x y as a rounded product and its error."""
    product = x * y
    return product, _fma(x, y, -product)


@compiled
def less(high: float, low: float, than_high: float, than_low: float) -> bool:
    """Whether the first of two numbers, each with |low| at most half a unit of high, is less."""
    return high < than_high or (high == than_high and low < than_low)
