"""The scalar functions in arbitrary precision, as oracles that share no code with the ones under test."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
from hypothesis import strategies as st

from verifier.network import functions as f

mpmath.mp.dps = 60

Real = mpmath.mpf
Reference = Callable[[Real], Real]


def _elu(alpha: float, gamma: float) -> Reference:
    return lambda x: gamma * x if x >= 0 else mpmath.mpf(gamma) * alpha * mpmath.expm1(x)


def _tanh_gelu(x: Real) -> Real:
    inner = mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf(0.044715) * x**3)
    return x / 2 * (1 + mpmath.tanh(inner))


def _truncated(x: Real) -> Real:
    return mpmath.sign(x) * mpmath.floor(abs(x))


REFERENCES: dict[f.ScalarFunction, Reference] = {
    f.Relu(): lambda x: max(x, mpmath.mpf(0)),
    f.Clip(0.0, 6.0): lambda x: min(max(x, mpmath.mpf(0)), mpmath.mpf(6)),
    f.Clip(-1.0, 0.1): lambda x: min(max(x, mpmath.mpf(-1)), mpmath.mpf(0.1)),
    f.Sigmoid(): lambda x: 1 / (1 + mpmath.exp(-x)),
    f.Tanh(): mpmath.tanh,
    f.Erf(): mpmath.erf,
    f.Softplus(): lambda x: mpmath.log1p(mpmath.exp(x)) if x < 0 else x + mpmath.log1p(mpmath.exp(-x)),
    f.Exp(): mpmath.exp,
    f.Log(): mpmath.log,
    f.Sqrt(): mpmath.sqrt,
    f.Reciprocal(): lambda x: 1 / x,
    f.ReciprocalOrOne(): lambda x: 1 / x if x else mpmath.mpf(1),
    f.Sin(): mpmath.sin,
    f.Cos(): mpmath.cos,
    f.Tan(): mpmath.tan,
    f.Atan(): mpmath.atan,
    f.Asin(): mpmath.asin,
    f.Acos(): mpmath.acos,
    f.Sinh(): mpmath.sinh,
    f.Cosh(): mpmath.cosh,
    f.Asinh(): mpmath.asinh,
    f.Acosh(): mpmath.acosh,
    f.Atanh(): mpmath.atanh,
    f.Elu(): _elu(1.0, 1.0),
    f.Elu(0.25): _elu(0.25, 1.0),
    f.Elu(3.0): _elu(3.0, 1.0),
    f.ScaledElu(): _elu(f.ScaledElu().alpha, f.ScaledElu().gamma),
    f.Gelu(): lambda x: x * mpmath.ncdf(x),
    f.Gelu("tanh"): _tanh_gelu,
    f.Softsign(): lambda x: x / (1 + abs(x)),
    f.Swish(): lambda x: x / (1 + mpmath.exp(-x)),
    f.HardSwish(): lambda x: x * min(max(x / 6 + mpmath.mpf(0.5), mpmath.mpf(0)), mpmath.mpf(1)),
    f.Power(1): lambda x: x,
    f.Power(2): lambda x: x**2,
    f.Power(3): lambda x: x**3,
    f.Power(4): lambda x: x**4,
    f.Power(-2): lambda x: x**-2,
    f.Power(-3): lambda x: x**-3,
    f.Power(1.5): lambda x: x ** mpmath.mpf(1.5),
    f.Power(-0.5): lambda x: x ** mpmath.mpf(-0.5),
    f.Sign(): lambda x: mpmath.mpf(mpmath.sign(x)),
    f.Floor(): mpmath.floor,
    f.Step(at_zero=True): lambda x: mpmath.mpf(x >= 0),
    f.Step(at_zero=False): lambda x: mpmath.mpf(x > 0),
    f.Round(): mpmath.nint,  # of two the even one
    f.Truncation(-128.0, 127.0): lambda x: min(max(_truncated(x), mpmath.mpf(-128)), mpmath.mpf(127)),
    f.Truncation(-(2.0**63), 2.0**63): lambda x: min(max(_truncated(x), -(mpmath.mpf(2) ** 63)), mpmath.mpf(2) ** 63),
    f.Near(0.0): lambda x: mpmath.mpf(x == 0),
    f.Near(0.5): lambda x: mpmath.mpf(abs(x) <= 0.5),
}

functions = st.sampled_from(sorted(REFERENCES, key=repr))

_LANDMARKS = [
    0.0,
    1.0,
    -1.0,
    0.1,
    0.5,
    6.0,
    2.0**0.5,
    -(2.0**0.5),
    1.4185040087908284,
    -0.7517915246935645,
    mpmath.pi,
    mpmath.pi / 2,
]

points = st.one_of(
    st.floats(-4, 4),
    st.floats(-60, 60),
    st.sampled_from([float(k * x) for x in _LANDMARKS for k in (1, -1, 2, 3)]),
    st.sampled_from([5e-324, 1e-310, 1e-200, 1e-20, 1e-9, 709.5, 745.0, 1e5, 1e7, 1e30, 1e90]).flatmap(
        lambda x: st.sampled_from([x, -x])
    ),
)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[float, float]:
    """Intervals of all widths: points, neighbouring floats, tiny, moderate, huge, touching landmarks."""
    start = draw(points)
    width = draw(
        st.one_of(st.just(0.0), st.floats(0, 8), st.sampled_from([1e-300, 1e-16, 1e-12, 1e-6, 30.0, 1e4, 1e80]))
    )
    end = draw(st.one_of(st.just(start + width), points))
    return min(start, end), max(start, end)


def defined(function: f.ScalarFunction, lower: float, upper: float) -> bool:
    """Whether the function is a real number all over the interval."""
    if isinstance(function, f.Log):
        return lower > 0
    if isinstance(function, f.Asin | f.Acos):
        return lower >= -1 and upper <= 1
    if isinstance(function, f.Atanh):
        return lower > -1 and upper < 1
    if isinstance(function, f.Acosh):
        return lower >= 1
    if isinstance(function, f.Tan):
        turns = [mpmath.floor(mpmath.mpf(x) / mpmath.pi + mpmath.mpf(0.5)) for x in (lower, upper)]
        return turns[0] == turns[1]
    if isinstance(function, f.Power):
        p = function.exponent
        if p != round(p):
            return lower > 0 or (p > 0 and lower == 0)
        return p >= 0 or lower > 0 or upper < 0
    return True


def inside(lower: float, upper: float, shares: list[float]) -> list[float]:
    """The ends, and points at the given shares of the way between them, as floats in the interval."""
    between = [lower + share * (upper - lower) for share in shares]
    return [lower, upper, *(min(max(x, lower), upper) for x in between)]
