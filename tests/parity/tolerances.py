"""How far an operation may be from its formula in float64. Reviewed like code.

An output passes if ``|got - want| <= relative * |want| + absolute * max(|want|, 1)``. float32 has 6e-8 to a rounding,
float64 1.1e-16. ``LONG`` is for outputs whose sums have as many terms as a row or column has elements; operations
that only move or compare numbers must be exact.
"""

from typing import NamedTuple


class Tolerance(NamedTuple):
    """Relative to the element, and absolute in units of the largest element of the output."""

    relative: float
    absolute: float


EXACT = {"float32": Tolerance(0.0, 0.0), "float64": Tolerance(0.0, 0.0)}
# A few roundings an element.
SHORT = {"float32": Tolerance(1e-6, 2e-7), "float64": Tolerance(2e-15, 4e-16)}
# A few roundings and an elementary function, of an argument that is not large; derivatives from a rounded output.
ELEMENTARY = {"float32": Tolerance(2e-6, 5e-7), "float64": Tolerance(5e-15, 1e-15)}
# Sums of up to 1,000 terms, in the dtype of the arrays, that may cancel.
LONG = {"float32": Tolerance(1e-5, 4e-6), "float64": Tolerance(1e-13, 1e-14)}
# An exponential of a difference of logits, and a sum of them: exp turns the absolute error of its argument, tens of
# units large, into a relative one (of the oracle, too).
EXPONENTIAL = {"float32": Tolerance(1e-5, 1e-6), "float64": Tolerance(1e-13, 1e-14)}
# Random bits, which are exact, through logarithms, sines or quantiles: a few roundings each, and a cancellation at the
# end of the quantile.
TRANSFORMED = {"float32": Tolerance(2e-6, 2e-6), "float64": Tolerance(1e-14, 1e-14)}
# A mean of four pixels whose weights are fractions of coordinates up to a few hundred, which float64 holds to 1e-13.
RESAMPLED = {"float32": Tolerance(1e-6, 4e-7), "float64": Tolerance(1e-12, 2e-13)}
# Few numbers a sample in float64, from cosines and powers of libm, whatever the dtype of the case.
DRAWN = {"float32": Tolerance(1e-12, 1e-13), "float64": Tolerance(1e-12, 1e-13)}
# A few roundings, of terms some units large that may cancel.
SHORT_SUMS = {"float32": Tolerance(1e-6, 1e-6), "float64": Tolerance(2e-15, 4e-15)}
