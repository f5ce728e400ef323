"""Elementary functions from + - * / and scaling by powers of two alone, each with a bound on its error.

With u = 2**-53. Arguments are doubles; each function returns its value and a bound on the absolute error.

*exp.* x = k ln 2 + r with |r| <= 0.36. `LN2_HIGH` has 32 bits, so that k LN2_HIGH is exact for |k| < 2**20; what is
left is wrong by at most 2 u 0.36 + |k| 2**-85 < 1.1e-16. The Taylor polynomial of degree 14 misses exp(r) by at most
0.36**15 / 15! / (1 - 0.36/16) < 2e-19; Horner's rule errs by at most 4 u e**0.36 < 7e-16 (each step's rounding is
damped by r / j <= 0.36). In all, below 1e-15 relative; `EXP` is twice that.

*sigmoid* of x <= 0 is e / (1 + e), e = exp(x), and 1 - that beyond; the derivative in e is at most 1, its relative
condition as well: below 2 EXP + 4 u, absolute since values are at most 1. *tanh* x = 2 sigmoid(2x) - 1 doubles that.

*sin, cos.* x = k pi/2 + r with |r| <= 0.79 for |x| <= 1e5, pi/2 in three parts of 33 bits: r is wrong by less than
3e-16. The series up to r**17 and r**18 miss by 0.79**19/19! < 1e-18; summing them errs by less than 5 u.

*log.* x = m 2**k with m in [0.707, 1.415], s = (m - 1) / (m + 1), |s| <= 0.1716: log m = 2 (s + s**3/3 + ...), which
up to s**23 misses less than 1e-20. m - 1 is exact, s is wrong by 2 u and the sum, dominated by its first term, by less
than 2 u: log m by 5 u relatively, 2 u absolutely. k LN2_HIGH is exact; k LN2_LOW and its sum with log m cost less than
u, the last sum u times its value: below 4 u + u |log x|, and 1e-15 is more than 9 u. *softplus* max(x, 0) + log(1 +
e), e = exp(-|x|) <= 1: log's derivative is at most 1 there, so EXP + 2 u + 1e-15 + 4 u, and u times the value for the
sum.

*erf* x = 2 x / sqrt pi exp(-x x) (1 + t_1 + t_2 + ...), t_n the product of 2 x x / (2 k + 1) for k <= n: no term is
negative. What is left out after n = 120 grows with |x| <= 6, where it is below 1e-24. Relatively, each of 120 steps of
Horner's rule errs by at most 4 u, exp by EXP and, of a rounded x x <= 36, 36 u, the rest by 5 u: in all less than
1e-13. Beyond 6 erf differs from erf 6 by less than 1e-16.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verifier.checker.linear import Array

UNIT = 2.0**-53
EXP = 2e-15
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
HALF_PI = (
    float.fromhex("0x1.921fb544p+0"),
    float.fromhex("0x1.0b4611a6p-34"),
    float.fromhex("0x1.3198a2e037073p-69"),
)
TURNS = 1e5
"""The largest argument of sin and cos."""
SMALL, LARGE = -700.0, 350.0
"""Arguments between which exp is computed."""


def exp(x: Array) -> tuple[Array, Array]:
    """exp, up to 350; below -700 it is between 0 and 1e-300."""
    inside = np.clip(x, SMALL, LARGE)
    k = np.rint(inside * 1.4426950408889634)
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    total = np.ones_like(r)
    for j in range(14, 0, -1):
        total = 1.0 + r / j * total
    value = np.ldexp(total, k.astype(np.int64))
    error = np.where(x < SMALL, 1e-300, EXP * value)
    return np.where(x < SMALL, 0.0, value), np.where(x > LARGE, np.inf, error)


def sigmoid(x: Array) -> tuple[Array, Array]:
    """1 / (1 + exp(-x))."""
    e, _ = exp(-np.abs(x))
    half = e / (1.0 + e)
    return np.where(x > 0, 1.0 - half, half), np.full_like(x, 2 * EXP + 8 * UNIT)


def tanh(x: Array) -> tuple[Array, Array]:
    """Tanh."""
    value, error = sigmoid(2.0 * x)
    return 2.0 * value - 1.0, 2.0 * error + 4 * UNIT


def sin(x: Array) -> tuple[Array, Array]:
    """Sin."""
    return _turned(x, 0)


def cos(x: Array) -> tuple[Array, Array]:
    """Cos."""
    return _turned(x, 1)


def _turned(x: Array, quarters: int) -> tuple[Array, Array]:
    inside = np.clip(x, -TURNS, TURNS)
    k = np.rint(inside * 0.6366197723675814)
    r = ((inside - k * HALF_PI[0]) - k * HALF_PI[1]) - k * HALF_PI[2]
    square = r * r
    sine, cosine = np.zeros_like(r), np.zeros_like(r)
    for j in range(18, -1, -2):  # from the last term to the first
        cosine = 1.0 - cosine * square / ((j + 1) * (j + 2))
        sine = 1.0 - sine * square / ((j + 2) * (j + 3))
    sine = sine * r
    quarter = (k.astype(np.int64) + quarters) % 4
    value = np.choose(quarter, [sine, cosine, -sine, -cosine])
    return value, np.where(np.abs(x) > TURNS, np.inf, 4e-15)


def square(x: Array) -> tuple[Array, Array]:
    """X x."""
    return x * x, x * x * 2 * UNIT + 1e-300


def reciprocal(x: Array) -> tuple[Array, Array]:
    """1 / x, where x is not 0."""
    with np.errstate(divide="ignore"):
        value = 1.0 / x
    return value, np.abs(value) * 2 * UNIT + 1e-300


def sqrt(x: Array) -> tuple[Array, Array]:
    """The square root, which IEEE 754 rounds correctly."""
    with np.errstate(invalid="ignore"):
        value = np.sqrt(x)
    return value, value * 2 * UNIT


def log(x: Array) -> tuple[Array, Array]:
    """The natural logarithm of positive numbers."""
    m, k = np.frexp(np.where(x > 0, x, np.nan))
    small = m < 0.7071
    m, k = np.where(small, 2.0 * m, m), np.where(small, k - 1, k)
    s = (m - 1.0) / (m + 1.0)
    total = np.zeros_like(s)
    for j in range(23, 0, -2):
        total = 1.0 / j + s * s * total
    value = k * LN2_HIGH + (k * LN2_LOW + 2.0 * s * total)
    return value, 1e-15 + 4 * UNIT * np.abs(value)


def softplus(x: Array) -> tuple[Array, Array]:
    """log(1 + exp(x))."""
    value = np.maximum(x, 0.0) + log(1.0 + exp(-np.abs(x))[0])[0]
    return value, 5e-15 + 4 * UNIT * value


def erf(x: Array) -> tuple[Array, Array]:
    """The error function."""
    inside = np.clip(x, -6.0, 6.0)
    total = np.ones_like(inside)
    for j in range(120, 0, -1):
        total = 1.0 + 2.0 * inside * inside / (2 * j + 1) * total
    return 1.1283791670955126 * inside * exp(-inside * inside)[0] * total, np.full_like(inside, 2e-13)


VALUE: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "exp": exp,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "sin": sin,
    "cos": cos,
    "square": square,
    "reciprocal": reciprocal,
    "sqrt": sqrt,
    "log": log,
    "softplus": softplus,
    "erf": erf,
}
"""Those that are smooth."""


def curvature(kind: str, lower: Array, upper: Array) -> Array:
    """A bound on the absolute second derivative between two ends."""
    nearest = np.where((lower <= 0) & (upper >= 0), 0.0, np.minimum(np.abs(lower), np.abs(upper)))
    if kind == "exp":
        return _above(exp(upper))
    if kind == "sigmoid":  # s' |1 - 2 s| <= s' <= exp(-|x|), and at most 1 / (6 sqrt 3)
        return np.minimum(0.09623, _above(exp(-nearest)))
    if kind == "tanh":  # 2 |t| (1 - t t) <= 8 exp(-2 |x|), and at most 4 / (3 sqrt 3)
        return np.minimum(0.7699, 8.001 * _above(exp(-2.0 * nearest)))
    if kind in ("sin", "cos"):
        return np.ones_like(lower)
    if kind == "square":
        return np.full_like(lower, 2.0)
    if kind == "softplus":  # s (1 - s) of the sigmoid
        return np.minimum(0.2501, _above(exp(-nearest)))
    if kind == "erf":  # 4 / sqrt pi |x| exp(-x x), at most 0.968
        return np.full_like(lower, 0.968)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(nearest > 0, nearest, np.nan)
        power, factor = {"reciprocal": (3, 2.001), "sqrt": (1.5, 0.2501), "log": (2, 1.001)}[kind]
        bound = factor / least**power
    return np.where(np.isnan(bound), np.inf, bound)


def _above(enclosed: tuple[Array, Array]) -> Array:
    value, error = enclosed
    return (value + error) * (1 + 4 * UNIT)
