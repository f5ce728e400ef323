"""Functions of numbers and of vectors."""

from __future__ import annotations

import numpy as np

from verifier.checker.linear import Dense
from verifier.checker.operators.call import HALF_UNIT, Call, Operator, Tensor, Value, shaped


def maximum(call: Call, parts: list[Tensor]) -> Tensor:
    """max(a, b) = b + relu(a - b), in pairs, then pairs of those."""
    number = 0
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        left = [parts[-1]] if len(parts) % 2 else []
        parts = []
        for a, b in pairs:
            rest = call.build.function("relu", call.build.sum(a, b, -1.0), f"{call.name}.max{number}")
            parts.append(call.build.sum(rest, b))
            number += 1
        parts += left
    return parts[0]


def _largest(call: Call) -> Value:
    return maximum(call, broadcast([call.build.tensor(v) for v in call.operands]))


def _smallest(call: Call) -> Value:
    """-max(-x, -y, ...)."""
    minus = np.array(-1.0)
    parts = broadcast([call.build.tensor(v) for v in call.operands])
    return call.build.moved(maximum(call, [call.build.moved(x, minus, None) for x in parts]), minus, None)


def broadcast(parts: list[Tensor]) -> list[Tensor]:
    shape = np.broadcast_shapes(*(x.shape for x in parts))
    return [Tensor(x.node, np.broadcast_to(x.index, shape)) for x in parts]


def _abs(call: Call) -> Value:
    """relu(x) + relu(-x)."""
    x = call.tensor(0)
    opposite = call.build.moved(x, np.array(-1.0), None)
    return call.build.sum(_relu_of(call, x, "operand"), _relu_of(call, opposite, "opposite"))


def _batch_normalization(call: Call) -> Value:
    x = call.tensor(0)
    if call.attributes.get("training_mode", 0) or not call.attributes.get("spatial", 1):
        raise ValueError("in training, or for each entry")
    scale, shift, mean, variance = (shaped(call.constant(k)) for k in range(1, 5))
    epsilon = float(np.float32(call.attributes.get("epsilon", 1e-5)))
    along = (-1, *(1,) * (len(x.shape) - 2))
    factor = (scale / np.sqrt(variance + epsilon)).reshape(along)
    centred = call.build.moved(x, None, -mean.reshape(along))
    return call.build.moved(centred, factor, shift.reshape(along), 4 * HALF_UNIT)


def _relu(call: Call) -> Value:
    return call.build.function("relu", call.tensor(0), f"{call.name}.operand")


def _leaky_relu(call: Call) -> Value:
    """A x + (1 - a) relu(x), for a in [0, 1]."""
    x, alpha = call.tensor(0), float(np.float32(call.attributes.get("alpha", 0.01)))
    if not 0 <= alpha <= 1:
        raise ValueError(f"a slope of {alpha}")
    positive = call.build.moved(_relu_of(call, x, "operand"), np.array(1.0 - alpha), None, HALF_UNIT)
    return call.build.sum(call.build.moved(x, np.array(alpha), None), positive)


def _relu_of(call: Call, x: Tensor, name: str) -> Tensor:
    return call.build.function("relu", x, f"{call.name}.{name}")


def _clip(call: Call) -> Value:
    """Low + relu(x - low) - relu(x - high)."""
    x = call.tensor(0)
    low = float(call.constant(1, "min")) if call.has(1) or "min" in call.attributes else -np.inf
    high = float(call.constant(2, "max")) if call.has(2) or "max" in call.attributes else np.inf
    if not low <= high:
        raise ValueError("min above max")
    if np.isfinite(low):
        x = call.build.moved(_relu_of(call, call.build.moved(x, None, np.array(-low)), "low"), None, np.array(low))
    if np.isfinite(high):
        over = call.build.moved(x, np.array(-1.0), np.array(high))
        x = call.build.moved(_relu_of(call, over, "high"), np.array(-1.0), np.array(high))
    return x


def _smooth(kind: str) -> Operator:
    return lambda call: call.build.function(kind, call.tensor(0), f"{call.name}.operand")


def _softmax(call: Call) -> Value:
    """exp(x - c) over its sum, by any constant c; here 0."""
    x = call.tensor(0)
    axis = int(call.attributes.get("axis", -1 if call.version >= 13 else 1)) % len(x.shape)
    if call.version < 13 and int(np.prod(x.shape[axis + 1 :])) > 1:
        raise ValueError("several axes at once")
    powers = call.build.function("exp", x, f"{call.name}.operand")
    index = np.moveaxis(powers.index, axis, -1)
    rows = index.reshape(-1, index.shape[-1])
    node = call.build.whole(Tensor(powers.node, rows))
    total = call.build.linear(
        [(node, Dense(np.ones((1, rows.shape[1])), len(rows)))], np.zeros(len(rows)), (*index.shape[:-1], 1)
    )
    inverse = call.build.function("reciprocal", total, f"{call.name}.divisor")
    spread = Tensor(inverse.node, np.moveaxis(np.broadcast_to(inverse.index, index.shape), -1, axis))
    return call.build.product(powers, spread, call.name)


OPERATORS: dict[str, Operator] = {
    "Abs": _abs,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Cos": _smooth("cos"),
    "Exp": _smooth("exp"),
    "LeakyRelu": _leaky_relu,
    "Max": _largest,
    "Min": _smallest,
    "Relu": _relu,
    "Sigmoid": _smooth("sigmoid"),
    "Sin": _smooth("sin"),
    "Softmax": _softmax,
    "Sqrt": _smooth("sqrt"),
    "Tanh": _smooth("tanh"),
}
