"""Every epsilon of the project, named, with its reason.

Bounds are computed in float64 with rounding to nearest. Where a bound decides a verdict, the worst rounding error of
the operations that led to it is added to it. The tool for that is the standard a priori bound (Higham, *Accuracy and
Stability of Numerical Algorithms*, 2nd ed., section 3.1): a sum of n products, added in any order, with or without
fused multiply-adds, is off by at most ``gamma(n)`` times the sum of the absolute values of its terms.
"""

from __future__ import annotations

UNIT_ROUNDOFF = 2.0**-53
"""Largest relative error of one float64 operation."""

WEIGHT_ROUNDINGS = 8
"""Roundings a stored weight may carry: reading folds scales into weights (BatchNormalization, Gemm's alpha, a fused
scaling), each a relative error of one unit roundoff; no chain of the reader's has more than this many."""

UNDERFLOW = 1e-290
"""Absolute error that covers gradual underflow, which the relative bound of `gamma` does not see."""

SMALLEST = 5e-324
"""The smallest positive double."""

TINY_NORM = 1e-150
"""Added to norms whose squares may have underflowed."""

SMALLEST_FORM_COEFFICIENT = 1e-100
"""Coefficients of a property below this, or above its reciprocal, are refused: their products could underflow."""

ELEMENTARY_ULPS = 16
"""Relative error, in units roundoff, allowed to the elementary functions of the array library (exp, tanh, erf ...).
NumPy's and glibc's float64 functions are documented and tested to stay under 4; the rest is reserve for compositions
such as sigmoid = 1 / (1 + exp(-x))."""

LARGEST_VALUE = 1e100
"""Bounds beyond this are treated as infinite, so that products of a few of them cannot overflow into NaN."""

MILP_WIDENING = 1e-7
"""A MILP is handed over in units of its own columns (`programs.scaling`), and every bound and inequality gives way by
this much: a hundred times the feasibility tolerance of the solver, which therefore cannot cut off a true point."""

MILP_ABSOLUTE_MARGIN = 1e-5
MILP_RELATIVE_MARGIN = 1e-6
"""A MILP's proven dual bound rests on the solver's float64 branch and bound, which we cannot rebuild. It settles a
property only where it clears the threshold by the absolute amount plus this share of the magnitude of the property's
terms and of the objective's own unit. This is a reserve, not a proof: see `docs/architecture.md`."""

SOLVER_FEASIBILITY = 1e-9
"""Primal and dual feasibility asked of LP solvers. Our bounds are rebuilt from multipliers and do not rest on it."""

SMALLEST_COEFFICIENT = 1e-9
"""HiGHS drops matrix entries below this. We drop them ourselves, into the row's error, so that the program solved and
the program bounded are the same one."""


def gamma(terms: int) -> float:
    """Relative error bound for a sum of `terms` products of stored weights, added in any order.

    Includes `WEIGHT_ROUNDINGS` and a few operations for the bias and the margin's own evaluation.
    """
    n = terms + WEIGHT_ROUNDINGS + 4
    return n * UNIT_ROUNDOFF / (1.0 - n * UNIT_ROUNDOFF)
