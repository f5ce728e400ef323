"""Softmax and normalisations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verifier.checker.operators.arithmetic import MOST, average
from verifier.checker.operators.call import HALF_UNIT, Call, Operator, Tensor, Value, positions, real
from verifier.checker.operators.functions import minus, single


def _softmax(call: Call) -> Value:
    """sigmoid(-l), l the logarithm of the sum of exp(x_j - x_i) for all j but i."""
    return _of_rows(call, lambda x: call.function("sigmoid", minus(call, x)))


def _log_softmax(call: Call) -> Value:
    """The logarithm of that is -softplus(l)."""
    return _of_rows(call, lambda x: minus(call, call.function("softplus", x)))


def _of_rows(call: Call, act: Callable[[Tensor], Tensor]) -> Tensor:
    """Does something to l of every entry; in older versions all axes from one on are a row."""
    x, newer = call.tensor(0), call.version >= 13
    (axis,) = positions([call.take("axis", -1 if newer else 1)], len(x.shape))
    index = np.moveaxis(x.index, axis, -1) if newer else x.index
    count = x.shape[axis] if newer else int(np.prod(x.shape[axis:]))
    if count < 2 or x.index.size * count > MOST:
        raise ValueError(f"of {count} numbers")
    rows = index.reshape(-1, count)
    others = np.array([[j for j in range(count) if j != i] for i in range(count)])
    mine = Tensor(x.node, np.broadcast_to(rows[:, :, None], (len(rows), *others.shape)))
    found = act(_log_total(call, call.build.sum(Tensor(x.node, rows[:, others]), mine, last=-1.0)))
    shaped = found.index.reshape(index.shape)
    return Tensor(found.node, np.moveaxis(shaped, -1, axis) if newer else shaped)


def _log_total(call: Call, x: Tensor) -> Tensor:
    """log(exp(a) + exp(b)) = b + softplus(a - b), along the last axis, its halves in pairs."""
    level = 0
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        a, b, rest = (Tensor(x.node, part) for part in np.split(x.index, [half, 2 * half], -1))
        bent = call.function("softplus", call.build.sum(a, b, last=-1.0), f"level{level}")
        x = call.build.joined([call.build.sum(b, bent), rest], -1)
        level += 1
    return Tensor(x.node, x.index[..., 0])


def _batch_normalization(call: Call) -> Value:
    x = call.tensor(0)
    if call.take("training_mode", 0) or not call.take("spatial", 1) or call.outputs > 1:
        raise ValueError("in training, or for each entry")
    call.take("momentum")
    scale, shift, mean, variance = (real(call.constant(k)) for k in range(1, 5))
    if {a.shape for a in (scale, shift, mean, variance)} != {x.shape[1:2]}:
        raise ValueError("statistics that are not one for each channel")
    along = (-1, *(1,) * (len(x.shape) - 2))
    factor = (scale / np.sqrt(variance + single(call, "epsilon", 1e-5))).reshape(along)
    centred = call.build.moved(x, None, -mean.reshape(along))
    return call.build.moved(centred, factor, shift.reshape(along), 4 * HALF_UNIT)


def _normalised(call: Call, x: Tensor, count: int, epsilon: float) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon), of each `count` entries in a row."""
    build, rows = call.build, Tensor(x.node, x.index.reshape(-1, count))
    centred = build.sum(rows, _column(average(call, rows)), last=-1.0)
    variance = average(call, call.function("square", centred, "square"))
    root = call.function("sqrt", build.moved(variance, None, np.array(epsilon)))
    found = build.product(centred, _column(call.function("reciprocal", root, "divisor")), call.name)
    return Tensor(found.node, found.index.reshape(x.shape))


def _column(x: Tensor) -> Tensor:
    return Tensor(x.node, x.index[:, None])


def _layer_normalization(call: Call) -> Value:
    x, epsilon = call.tensor(0), single(call, "epsilon", 1e-5)
    (axis,) = positions([call.take("axis", -1)], len(x.shape))
    if call.take("stash_type", 1) != 1:
        raise ValueError("stash_type")
    found = _normalised(call, x, int(np.prod(x.shape[axis:])), epsilon)
    return call.build.moved(found, call.constant(1), call.optional(2))


def _group_normalization(call: Call) -> Value:
    """Of each group of channels; without groups, of each channel (InstanceNormalization)."""
    x, epsilon = call.tensor(0), single(call, "epsilon", 1e-5)
    groups = int(call.take("num_groups", x.shape[1]))
    scale, shift = call.constant(1), call.constant(2)
    if scale.shape != (x.shape[1],) or shift.shape != scale.shape or x.shape[1] % groups:
        raise ValueError("a scale that is not one for each channel, or channels in no groups")
    if call.take("stash_type", 1) != 1:
        raise ValueError("stash_type")
    found = _normalised(call, x, int(np.prod(x.shape[1:])) // groups, epsilon)
    along = (-1, *(1,) * (len(x.shape) - 2))
    return call.build.moved(found, scale.reshape(along), shift.reshape(along))


OPERATORS: dict[str, Operator] = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _group_normalization,
    "LayerNormalization": _layer_normalization,
    "LogSoftmax": _log_softmax,
    "Softmax": _softmax,
}
