"""Functions of one number and maxima, made of relus, functions that bounds know, and products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verifier.checker.linear import Array
from verifier.checker.operators.arithmetic import folded, reduced, times
from verifier.checker.operators.call import HALF_UNIT, Call, Operator, Tensor, Value, real

FAR = 1e9
"""Bounds of a clip that are larger do not cut, as a rule; adding them would cost precision."""


def maximum(call: Call, parts: list[Tensor], inside: list[Array] | None = None) -> Tensor:
    """max(a, b) = b + relu(a - b), in pairs, then pairs of those.

    Args:
        call: the node.
        parts: of one shape.
        inside: where each is; elsewhere it does not count.
    """
    there = inside or [np.ones(x.shape, bool) for x in parts]
    number = 0
    while len(parts) > 1:
        found, where = [], []
        for a, b, p, q in zip(parts[::2], parts[1::2], there[::2], there[1::2], strict=False):
            found.append(_larger(call, a, b, p, q, f"max{number}"))
            where.append(p | q)
            number += 1
        odd = len(parts) % 2
        parts, there = found + parts[-odd:] * odd, where + there[-odd:] * odd
    if not there[0].all():
        raise ValueError("a window of padding alone")
    return parts[0]


def _larger(call: Call, a: Tensor, b: Tensor, p: Array, q: Array, name: str) -> Tensor:
    """The larger one where both are, a where only p is true, b where only q is."""
    both = p & q
    parts = [Tensor(b.node, np.where(q, b.index, -1))]
    if both.any():
        left, right = (Tensor(x.node, x.index[both]) for x in (a, b))
        rest = call.function("relu", call.build.sum(left, right, last=-1.0), name)
        spread = np.full(both.shape, -1)
        spread[both] = rest.index
        parts.insert(0, Tensor(rest.node, spread))
    if (p & ~q).any():
        parts.append(Tensor(a.node, np.where(p & ~q, a.index, -1)))
    return call.build.sum(*parts)


def larger(call: Call, a: Tensor, b: Tensor, name: str) -> Tensor:
    """The larger one of two of one shape."""
    there = np.ones(a.shape, bool)
    return _larger(call, a, b, there, there, name)


def _largest(call: Call) -> Value:
    if call.constants is not None:
        return folded(lambda *values: np.stack(np.broadcast_arrays(*values)).max(0), *call.constants)
    return maximum(call, _operands(call))


def _smallest(call: Call) -> Value:
    """-max(-x, -y, ...)."""
    if call.constants is not None:
        return folded(lambda *values: np.stack(np.broadcast_arrays(*values)).min(0), *call.constants)
    return minus(call, maximum(call, [minus(call, x) for x in _operands(call)]))


def minus(call: Call, x: Tensor) -> Tensor:
    return call.build.moved(x, -1.0, None)


def _operands(call: Call) -> list[Tensor]:
    """All, broadcast."""
    parts = [call.tensor(k) for k in range(len(call.operands))]
    shape = np.broadcast_shapes(*(x.shape for x in parts))
    return [Tensor(x.node, np.broadcast_to(x.index, shape)) for x in parts]


def _columns(x: Tensor) -> list[Tensor]:
    return [Tensor(x.node, x.index[:, k]) for k in range(x.shape[1])]


def _abs(call: Call) -> Value:
    """relu(x) + relu(-x)."""
    x = call.tensor(0)
    return call.build.sum(call.function("relu", x), call.function("relu", minus(call, x), "opposite"))


def _leaky_relu(call: Call) -> Value:
    return _sloped(call, np.array(single(call, "alpha", 0.01)))


def _prelu(call: Call) -> Value:
    slope = real(call.constant(1))
    if np.broadcast_shapes(slope.shape, call[0].shape) != call[0].shape:
        raise ValueError("slopes of another shape")
    return _sloped(call, slope)


def _sloped(call: Call, slope: Array) -> Tensor:
    """S x + (1 - s) relu(x)."""
    x = call.tensor(0)
    positive = call.build.moved(call.function("relu", x), 1.0 - slope, None, HALF_UNIT)
    return call.build.sum(call.build.moved(x, slope, None), positive)


def _clip(call: Call) -> Value:
    low, high = call.optional(1, "min"), call.optional(2, "max")
    return clipped(
        call, call.tensor(0), -np.inf if low is None else low.item(), np.inf if high is None else high.item()
    )


def clipped(call: Call, x: Tensor, low: float, high: float) -> Tensor:
    """Low + relu(x - low), and high - relu(high - that); what is far away is not added and taken off again."""
    build = call.build
    if not low <= high or low == np.inf or high == -np.inf:
        raise ValueError("min above max")
    if low >= -FAR:
        x = build.moved(call.function("relu", build.moved(x, None, np.array(-low)), "low"), None, np.array(low))
    elif low > -np.inf:
        x = build.sum(x, call.function("relu", build.moved(x, -1.0, np.array(low)), "low"))
    if high <= FAR:
        over = call.function("relu", build.moved(x, -1.0, np.array(high)), "high")
        x = build.moved(over, -1.0, np.array(high))
    elif high < np.inf:
        x = build.sum(x, call.function("relu", build.moved(x, None, np.array(-high)), "high"), last=-1.0)
    return x


def _hard_sigmoid(call: Call) -> Value:
    alpha, beta = single(call, "alpha", 0.2), single(call, "beta", 0.5)
    return clipped(call, call.build.moved(call.tensor(0), alpha, np.array(beta)), 0.0, 1.0)


def _hard_swish(call: Call) -> Value:
    """X times clip(x / 6 + 1/2, 0, 1)."""
    x = call.tensor(0)
    return times(call, x, clipped(call, call.build.moved(x, 1 / 6, np.array(0.5), HALF_UNIT), 0.0, 1.0))


def _bent(call: Call, alpha: float, gamma: float = 1.0, scale: float = 1.0) -> Tensor:
    """Gamma (x + n) + gamma alpha (exp(-n / scale) - 1) with n = relu(-x); alpha and gamma of single precision."""
    x, build = call.tensor(0), call.build
    below = call.function("relu", minus(call, x), "opposite")
    power = call.function("exp", build.moved(below, -1.0 / scale, None, HALF_UNIT), "bent")
    above = build.moved(build.sum(x, below), gamma, None)
    return build.sum(above, build.moved(power, gamma * alpha, np.array(-gamma * alpha)))


def _elu(call: Call) -> Value:
    return _bent(call, single(call, "alpha", 1.0))


def _celu(call: Call) -> Value:
    alpha = single(call, "alpha", 1.0)
    return _bent(call, alpha, scale=alpha)


def _selu(call: Call) -> Value:
    return _bent(
        call, single(call, "alpha", 1.67326319217681884765625), single(call, "gamma", 1.05070102214813232421875)
    )


def single(call: Call, name: str, default: float) -> float:
    """An attribute, which has single precision."""
    return float(np.float32(call.take(name, default)))


def _smooth(kind: str) -> Operator:
    return lambda call: call.function(kind, call.tensor(0))


def _softsign(call: Call) -> Value:
    """It is 1 / (1 + relu(-x)) - 1 / (1 + relu(x)), which is x / (1 + |x|)."""
    x = call.tensor(0)
    sides = []
    for side, name in ((minus(call, x), "opposite"), (x, "operand")):
        beyond = call.build.moved(call.function("relu", side, name), None, np.array(1.0))
        sides.append(call.function("reciprocal", beyond, f"{name}.divisor"))
    return call.build.sum(*sides, last=-1.0)


def _gelu(call: Call) -> Value:
    """X times (1 + erf(x / sqrt 2)) / 2."""
    x = call.tensor(0)
    if call.take("approximate", b"none") != b"none":
        raise ValueError("approximate")
    share = call.function("erf", call.build.moved(x, np.sqrt(0.5), None, HALF_UNIT))
    return times(call, x, call.build.moved(share, 0.5, np.array(0.5)))


def _rounded(act: Callable[[Array], Array], of_tensors: Operator) -> Operator:
    """Exact for constants."""
    return lambda call: of_tensors(call) if call.constants is None else folded(act, *call.constants)


def _ceil(call: Call) -> Value:
    return minus(call, call.function("floor", minus(call, call.tensor(0))))


OPERATORS: dict[str, Operator] = {
    "Abs": _abs,
    "Ceil": _rounded(np.ceil, _ceil),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _smooth("cos"),
    "Elu": _elu,
    "Erf": _smooth("erf"),
    "Exp": _smooth("exp"),
    "Floor": _rounded(np.floor, _smooth("floor")),
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "Log": _smooth("log"),
    "Max": _largest,
    "Min": _smallest,
    "PRelu": _prelu,
    "Reciprocal": _smooth("reciprocal"),
    "ReduceMax": reduced(lambda call, x: maximum(call, _columns(x))),
    "ReduceMin": reduced(lambda call, x: minus(call, maximum(call, _columns(minus(call, x))))),
    "Relu": _smooth("relu"),
    "Round": _rounded(np.rint, _smooth("round")),
    "Selu": _selu,
    "Sigmoid": _smooth("sigmoid"),
    "Sign": _smooth("sign"),
    "Sin": _smooth("sin"),
    "Softplus": _smooth("softplus"),
    "Softsign": _softsign,
    "Tanh": _smooth("tanh"),
}
