"""RNN, GRU and LSTM, unrolled over the length that their operand has.

A step's state is a list of tensors of shape (batch, hidden), the hidden state first. Which time a sequence is at in a
step depends on its direction and its own length; a sequence that has ended keeps its state, and its outputs are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.network.linear_maps import Dense, LinearMap, Scaling
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.gates import Gate, gates
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable

LONGEST = 10_000
"""Steps that are unrolled; a longer sequence is refused before memory runs out."""

State: TypeAlias = list[Variable]


@dataclass(frozen=True, eq=False)
class Weights:
    """One direction's weights, for gates in the operator's own order.

    Attributes:
        inputs: shape (gates, hidden, input).
        hidden: shape (gates, hidden, hidden).
        input_bias, hidden_bias: shape (gates, hidden).
        peepholes: shape (3, hidden) for input, output and forget gate, or None.
        functions: the activations, one for each that the operator names.
    """

    inputs: np.ndarray
    hidden: np.ndarray
    input_bias: np.ndarray
    hidden_bias: np.ndarray
    peepholes: np.ndarray | None
    functions: Sequence[Gate]


Step: TypeAlias = Callable[[Call, Weights, Variable, State], State]
"""The states after one step, for the operand of that step, shape (batch, input), and the states before it."""


@lowers("RNN", 7, 14, 22)
def rnn(call: Call) -> tuple[Tensor, ...]:
    return _unrolled(call, _rnn_step, 1, ["Tanh"], states=1)


@lowers("GRU", 7, 14, 22)
def gru(call: Call) -> tuple[Tensor, ...]:
    return _unrolled(call, _gru_step, 3, ["Sigmoid", "Tanh"], states=1)


@lowers("LSTM", 7, 14, 22)
def lstm(call: Call) -> tuple[Tensor, ...]:
    return _unrolled(call, _lstm_step, 4, ["Sigmoid", "Tanh", "Tanh"], states=2)


def _rnn_step(call: Call, weights: Weights, x: Variable, state: State) -> State:
    return [weights.functions[0](_argument(call, weights, 0, x, state[0]))]


def _gru_step(call: Call, weights: Weights, x: Variable, state: State) -> State:
    """The state h + z (H - h), the same as (1 - z) h + z H with one product."""
    graph, hidden = call.graph, state[0]
    f, g = weights.functions
    update, reset = (f(_argument(call, weights, k, x, hidden)) for k in (0, 1))
    recurrent = Dense(weights.hidden[2], hidden.shape[0])
    if call.flag("linear_before_reset"):
        through = graph.affine([(hidden, recurrent)], hidden.shape, weights.hidden_bias[2])
        parts = [(x, Dense(weights.inputs[2], x.shape[0]))]
        own = graph.affine(parts, hidden.shape, weights.input_bias[2])
        candidate = g(graph.combine([(1.0, own), (1.0, graph.product(reset, through))]))
    else:
        candidate = g(_argument(call, weights, 2, x, graph.product(reset, hidden)))
    gap = graph.combine([(1.0, hidden), (-1.0, candidate)])
    return [graph.combine([(1.0, candidate), (1.0, graph.product(update, gap))])]


def _lstm_step(call: Call, weights: Weights, x: Variable, state: State) -> State:
    """Gates in the order input, output, forget, cell."""
    graph = call.graph
    hidden, cell = state
    f, g, h = weights.functions
    enter = f(_argument(call, weights, 0, x, hidden, (0, cell)))
    if call.flag("input_forget"):
        forget = graph.combine([(-1.0, enter), (1.0, np.ones(()))])
    else:
        forget = f(_argument(call, weights, 2, x, hidden, (2, cell)))
    candidate = g(_argument(call, weights, 3, x, hidden))
    kept, new = graph.product(forget, cell), graph.product(enter, candidate)
    cell = graph.combine([(1.0, kept), (1.0, new)])
    leave = f(_argument(call, weights, 1, x, hidden, (1, cell)))
    return [graph.product(leave, h(cell)), cell]


def _argument(
    call: Call, weights: Weights, gate: int, x: Variable, hidden: Variable, peephole: tuple[int, Variable] | None = None
) -> Variable:
    """The sum that a gate's activation takes."""
    batch = x.shape[0]
    parts: list[tuple[Variable, LinearMap]] = [
        (x, Dense(weights.inputs[gate], batch)),
        (hidden, Dense(weights.hidden[gate], batch)),
    ]
    if peephole is not None and weights.peepholes is not None:
        which, cell = peephole
        parts.append((cell, Scaling(np.tile(weights.peepholes[which], batch))))
    biases = weights.input_bias[gate], weights.hidden_bias[gate]
    shape = (batch, weights.hidden.shape[-1])
    return call.graph.affine(parts, shape, sum(biases), sum(np.abs(b) for b in biases))


def _unrolled(call: Call, step: Step, count: int, names: list[str], states: int) -> tuple[Tensor, ...]:
    """The operator's outputs: all hidden states, and the last of each state."""
    x = call.variable(0)
    batchwise = call.flag("layout")
    if x.ndim != 3:
        raise call.error(f"an operand of shape {x.shape}, not (sequence, batch, input)")
    if batchwise:
        x = _moved(call, [x], lambda a: a.swapaxes(0, 1))
    steps, batch, _ = x.shape
    if not 0 < steps <= LONGEST:
        raise call.error(f"a sequence of {steps} steps is not unrolled, only 1 to {LONGEST}")
    every = _weights(call, count, names)
    lengths = _lengths(call, steps, batch)
    rows = [_run(call, step, w, x, lengths, k, states) for k, w in enumerate(every)]
    sequence = _moved(call, [r[0] for r in rows], lambda *parts: np.stack(parts, axis=1))
    last = [_moved(call, [r[1][k] for r in rows], lambda *parts: np.stack(parts)) for k in range(states)]
    if batchwise:
        sequence = _moved(call, [sequence], lambda a: a.transpose(2, 0, 1, 3))
        last = [_moved(call, [state], lambda a: a.swapaxes(0, 1)) for state in last]
    return (sequence, *last)


def _run(
    call: Call, step: Step, weights: Weights, x: Variable, lengths: np.ndarray, direction: int, states: int
) -> tuple[Variable, State]:
    """One direction's hidden states, shape (steps, batch, hidden) in the order of time, and its last states."""
    steps, batch, _ = x.shape
    backward = direction == 1 or call.attribute("direction") == "reverse"
    count = np.arange(steps)[:, None]
    alive = count < lengths
    time = np.where(alive, lengths - 1 - count if backward else count, 0)
    state = [_initial(call, 5 + k, batch, weights.hidden.shape[-1], direction) for k in range(states)]
    made: list[Variable] = []
    everyone = np.arange(batch)
    for k in range(steps):
        if not alive[k].any():
            break
        now = _moved(call, [x], lambda a, at=time[k]: a[at, everyone])
        new = step(call, weights, now, state)
        made.append(new[0])
        going = alive[k][:, None]
        both = zip(new, state, strict=True)
        state = [n if going.all() else _moved(call, [n, old], _choice(going)) for n, old in both]
    place = np.full((steps, batch), -1)
    for k in range(len(made)):
        place[time[k][alive[k]], everyone[alive[k]]] = k
    nothing = np.zeros((batch, weights.hidden.shape[-1]))

    def in_time(*parts: np.ndarray) -> np.ndarray:
        return np.asarray(np.stack(parts)[place, everyone])  # -1 finds the last part, which is `nothing`

    return _moved(call, [*made, nothing], in_time), state


def _choice(first: np.ndarray) -> Callable[..., np.ndarray]:
    return lambda a, b: np.asarray(np.where(first, a, b))


def _weights(call: Call, count: int, names: list[str]) -> list[Weights]:
    """The weights of each direction; `names` are the activations of one by default."""
    direction = call.attribute("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise call.error(f"direction '{direction}' is unknown")
    both = 2 if direction == "bidirectional" else 1
    inputs, hidden = call.weights(call.constant(1)), call.weights(call.constant(2))
    if hidden.ndim != 3 or inputs.ndim != 3:
        raise call.error(f"weights of shapes {inputs.shape} and {hidden.shape}, not of three dimensions")
    size, width = hidden.shape[-1], call.tensor(0).shape[-1]
    wanted = (both, count * size, width), (both, count * size, size)
    if (inputs.shape, hidden.shape) != wanted or call.attribute("hidden_size", size) != size:
        raise call.error(f"weights of shapes {inputs.shape} and {hidden.shape}, not {wanted[0]} and {wanted[1]}")
    bias = call.optional_constant(3)
    biases = np.zeros((both, 2, count, size)) if bias is None else call.weights(bias).reshape(both, 2, count, size)
    peep = call.optional_constant(7)
    peepholes = None if peep is None else call.weights(peep).reshape(both, 3, size)
    named = (call.attribute("activations") or names * both)[: both * len(names)]
    if len(named) != both * len(names):
        raise call.error(f"{len(named)} activations, not {both * len(names)}")
    limit = call.attribute("clip")
    # As ONNX Runtime reads it, the last function of an LSTM, that of the cell, takes it unclipped.
    limits = [limit, limit, None][: len(names)] * both
    found = gates(call, named, limits)
    return [
        Weights(
            inputs[k].reshape(count, size, width),
            hidden[k].reshape(count, size, size),
            biases[k, 0],
            biases[k, 1],
            None if peepholes is None else peepholes[k],
            found[k * len(names) : (k + 1) * len(names)],
        )
        for k in range(both)
    ]


def _lengths(call: Call, steps: int, batch: int) -> np.ndarray:
    """How many steps each sequence has, shape (batch,)."""
    given = call.integers(4)
    lengths = np.full(batch, steps) if given is None else np.asarray(given)
    if lengths.shape != (batch,) or lengths.min() < 0 or lengths.max() > steps:
        raise call.error(f"lengths {lengths.tolist()} for {batch} sequences of at most {steps} steps")
    return lengths


def _initial(call: Call, index: int, batch: int, hidden: int, direction: int) -> Variable:
    """A state before the first step, shape (batch, hidden); zeros where the operand was left out."""
    given = call.optional(index)
    if given is None:
        return call.graph.constant(np.zeros((batch, hidden)))
    given = call.variable(index)
    if call.flag("layout"):
        given = _moved(call, [given], lambda a: a.swapaxes(0, 1))
    if given.shape[1:] != (batch, hidden):
        raise call.error(f"an initial state of shape {given.shape} for {batch} sequences and {hidden} hidden entries")
    return _moved(call, [given], lambda a: a[direction])


def _moved(call: Call, tensors: Sequence[Tensor], rearrange: Callable[..., np.ndarray]) -> Variable:
    result = call.graph.move(tensors, rearrange)
    assert isinstance(result, Variable)
    return result
