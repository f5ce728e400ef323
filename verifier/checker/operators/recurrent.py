"""RNN, GRU and LSTM, unrolled, with the activations that they have where none are named; sums along axes.

With U = x W' + w and V = h R' + r for each gate, s the sigmoid, * entry by entry:

    RNN   h' = tanh(U + V)
    GRU   z, q = s(U + V); n = tanh(U + (q * h) R' + r), or tanh(U + q * V); h' = n + z * (h - n)
    LSTM  i, o, f = s(U + V); n = tanh(U + V); c' = f * c + i * n; h' = o * tanh(c')
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from verifier.checker.linear import Dense
from verifier.checker.operators.arithmetic import MOST, matmul, times
from verifier.checker.operators.call import Call, Operator, Tensor, Value, positions, real, rearranged

WAYS = {b"forward": [1], b"reverse": [-1], b"bidirectional": [1, -1]}


class Cell:
    """One direction's weights.

    Args:
        call: the node.
        d: which direction.
        gates: how many.
    """

    def __init__(self, call: Call, d: int, gates: int) -> None:
        self.call, self.d = call, d
        w, r = (real(call.constant(k))[d] for k in (1, 2))
        self.hidden = r.shape[1]
        bias = real(call.constant(3))[d] if call.has(3) else np.zeros(2 * gates * self.hidden)
        self.inputs, self.recurrent = np.split(w, gates), np.split(r, gates)
        self.biases = np.split(bias, 2 * gates)
        self.gates, self.t = gates, 0

    def of_input(self, x: Tensor, k: int) -> Tensor:
        return matmul(self.call, x, self.inputs[k].T, self.biases[k])

    def of_state(self, h: Tensor, k: int) -> Tensor:
        return matmul(self.call, h, self.recurrent[k].T, self.biases[self.gates + k])

    def gate(self, kind: str, x: Tensor, h: Tensor, k: int) -> Tensor:
        return self.function(kind, self.call.build.sum(self.of_input(x, k), self.of_state(h, k)), f"gate{k}")

    def function(self, kind: str, x: Tensor, name: str) -> Tensor:
        return self.call.function(kind, x, f"{self.d}.{self.t}.{name}")

    def product(self, a: Tensor, b: Tensor, name: str) -> Tensor:
        return self.call.build.product(a, b, f"{self.call.name}.{self.d}.{self.t}.{name}")


Step = Callable[[Cell, Tensor, list[Tensor]], list[Tensor]]


def _rnn(cell: Cell, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    return [cell.gate("tanh", x, state[0], 0)]


def _gru(cell: Cell, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    (h,), build = state, cell.call.build
    z, q = (cell.gate("sigmoid", x, h, k) for k in (0, 1))
    if cell.call.attributes.get("linear_before_reset", 0):
        reset = cell.product(q, cell.of_state(h, 2), "reset")
    else:
        reset = cell.of_state(cell.product(q, h, "reset"), 2)
    n = cell.function("tanh", build.sum(cell.of_input(x, 2), reset), "gate2")
    return [build.sum(n, cell.product(z, build.sum(h, n, last=-1.0), "state"))]


def _lstm(cell: Cell, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    h, c = state
    i, o, f = (cell.gate("sigmoid", x, h, k) for k in range(3))
    n = cell.gate("tanh", x, h, 3)
    c = cell.call.build.sum(cell.product(f, c, "kept"), cell.product(i, n, "added"))
    return [cell.product(o, cell.function("tanh", c, "cell"), "state"), c]


def _unrolled(step: Step, gates: int) -> Operator:
    def read(call: Call) -> list[Value]:
        x, states = call.tensor(0), 1 + (gates == 4)
        directions = WAYS[call.take("direction", b"forward")]
        call.take("hidden_size")
        if call.has(4) or call.has(7) or call.take("layout", 0) or call.take("input_forget", 0):
            raise ValueError("lengths of sequences, peepholes, layout or input_forget")
        outputs, last = [], []
        for d, way in enumerate(directions):
            cell = Cell(call, d, gates)
            size = (x.shape[1], cell.hidden)
            given = [
                call[k] if call.has(k) else np.zeros((len(directions), *size), np.float32) for k in (5, 6)[:states]
            ]
            state = [call.build.tensor(rearranged(v, lambda a, d=d: a[d])) for v in given]  # type: ignore[misc]
            found = []
            for cell.t in range(x.shape[0])[::way]:
                state = step(cell, Tensor(x.node, x.index[cell.t]), state)
                found.append(_behind(state[0]))
            joined = call.build.joined(found[::way], 0)
            outputs.append(Tensor(joined.node, joined.index[:, None]))
            last.append([_behind(s) for s in state])
        call.take("linear_before_reset")
        return [call.build.joined(outputs, 1), *(call.build.joined([own[k] for own in last], 0) for k in range(states))]

    return read


def _behind(x: Tensor) -> Tensor:
    return Tensor(x.node, x.index[None])


def _cum_sum(call: Call) -> Value:
    """A triangle of ones along an axis."""
    x = call.tensor(0)
    (axis,) = positions([call.constant(1).item()], len(x.shape))
    n = x.shape[axis]
    ones = np.tril(np.ones((n, n)), -1 if call.take("exclusive", 0) else 0)
    ones = ones.T if call.take("reverse", 0) else ones
    matrix = Dense(ones, int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis + 1 :])))
    return call.build.linear([(call.build.whole(x), matrix)], None, x.shape)


def _einsum(call: Call) -> Value:
    """Of one or two operands, without ellipsis or diagonals: products, added up over what the result lacks."""
    equation = call.take("equation").decode().replace(" ", "")
    terms, _, result = equation.partition("->")
    letters = sorted(set(equation) - set(",->"))
    if "->" not in equation:
        result = "".join(c for c in letters if equation.count(c) == 1)
    names, values = terms.split(","), [call[k] for k in range(len(call.operands))]
    if "." in equation or len(values) > 2 or any(len(set(n)) < len(n) for n in (*names, result)):
        raise ValueError(f"equation {equation}")
    order = [*result, *(c for c in letters if c not in result)]
    sizes = {c: n for name, v in zip(names, values, strict=True) for c, n in zip(name, v.shape, strict=True)}
    if int(np.prod([sizes[c] for c in order])) > MOST or any(
        sizes[c] != n for name, v in zip(names, values, strict=True) for c, n in zip(name, v.shape, strict=True)
    ):
        raise ValueError("too many products, or axes that do not fit")

    def aligned(name: str, value: Value) -> Value:
        present = [c for c in order if c in name]
        shape = [sizes[c] if c in name else 1 for c in order]
        return rearranged(value, lambda a: a.transpose([name.index(c) for c in present]).reshape(shape))

    parts = [aligned(name, value) for name, value in zip(names, values, strict=True)]
    found = times(call, *parts) if len(parts) == 2 else call.build.tensor(parts[0])
    shape = tuple(sizes[c] for c in result)
    index = np.broadcast_to(found.index, [sizes[c] for c in order])
    return call.build.total(Tensor(found.node, index.reshape(*shape, -1)))


OPERATORS: dict[str, Operator] = {
    "CumSum": _cum_sum,
    "Einsum": _einsum,
    "GRU": _unrolled(_gru, 3),
    "LSTM": _unrolled(_lstm, 4),
    "RNN": _unrolled(_rnn, 1),
}
