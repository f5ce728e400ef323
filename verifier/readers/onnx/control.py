"""If, Loop and Scan: nodes that hold graphs, which are read in their place, as often as they run.

What decides how often, a condition or a number of trips, has to be known while the model is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import onnx

from verifier.errors import ModelError
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.schema import attribute_value
from verifier.readers.onnx.tensors import Tensor, Variable

MOST_TRIPS = 2_000
"""Runs of a body that are read; more are refused before memory runs out."""

AS_EXPORTED = "export the model with a fixed number of steps"


class Reader(Protocol):
    """What reads graphs."""

    builder: GraphBuilder

    def subgraph(self, graph: onnx.GraphProto, given: dict[str, Tensor], place: str) -> tuple[Tensor, ...]:
        """The outputs of a graph whose inputs are `given`."""


@dataclass(frozen=True, eq=False)
class Holder:
    """A node that holds graphs.

    Attributes:
        reader: reads them.
        node: the node.
        operands: its operands in order; None stands for one left out.
        place: for messages.
    """

    reader: Reader
    node: onnx.NodeProto
    operands: tuple[Tensor | None, ...]
    place: str

    def outputs(self) -> tuple[Tensor, ...]:
        """All outputs of the node."""
        return {"If": _branch, "Loop": _loop, "Scan": _scan}[self.node.op_type](self)

    def attribute(self, name: str, default: object = None) -> object:
        return next((attribute_value(a) for a in self.node.attribute if a.name == name), default)

    def graph(self, name: str) -> onnx.GraphProto:
        found = next((a.g for a in self.node.attribute if a.name == name and a.HasField("g")), None)
        if found is None:
            raise self.error(f"its {name} is missing", "export the model again")
        return found

    def error(self, cause: str, fix: str = "") -> ModelError:
        return ModelError(cause, self.place, fix)


HOLDERS = frozenset({"If", "Loop", "Scan"})
"""The operators that `Holder` reads."""


def _branch(holder: Holder) -> tuple[Tensor, ...]:
    """The outputs of the branch that an If takes."""
    if len(holder.operands) != 1:
        raise holder.error("no condition", "export the model without branches")
    taken = _truth(holder, holder.operands[0], "its condition", "export the model without branches")
    name = "then_branch" if taken else "else_branch"
    graph = holder.graph(name)
    if len(graph.output) != len(holder.node.output):
        raise holder.error(f"its {name} has another number of outputs", "export the model again")
    return holder.reader.subgraph(graph, {}, holder.place)


def _truth(holder: Holder, value: Tensor | None, what: str, fix: str) -> bool:
    if isinstance(value, Variable):
        raise holder.error(f"{what} depends on the network's inputs", fix)
    if value is None or value.size != 1 or value.dtype != bool:
        raise holder.error(f"{what} is no boolean", fix)
    return bool(value.reshape(-1)[0])


@dataclass(eq=False)
class _Collected:
    """What a body's runs put out along a new axis."""

    parts: list[Tensor] = field(default_factory=list)

    def stacked(self, holder: Holder, axis: int = 0, backward: bool = False) -> Tensor:
        if not self.parts:
            raise holder.error("its body never runs, so that the shape of an output is not known", AS_EXPORTED)
        parts = self.parts[::-1] if backward else self.parts
        rank = len(parts[0].shape) + 1
        if not -rank <= axis < rank:
            raise holder.error(f"an output axis {axis} of {rank} dimensions")
        return holder.reader.builder.move(parts, lambda *a: np.stack(a, axis))


def _loop(holder: Holder) -> tuple[Tensor, ...]:
    """The carried values after the last run, and what the runs put out (ONNX, "Loop")."""
    trips, condition = (*holder.operands, None, None)[:2]
    carried = list(holder.operands[2:])
    body = holder.graph("body")
    if isinstance(trips, Variable):
        raise holder.error("its number of trips depends on the network's inputs", AS_EXPORTED)
    most = None if trips is None else int(np.asarray(trips).reshape(-1)[0])
    going = condition is None or _truth(holder, condition, "its condition", AS_EXPORTED)
    if len(body.input) != 2 + len(carried) or len(body.output) < 1 + len(carried):
        raise holder.error("its body has another number of inputs or outputs", "export the model again")
    collected = [_Collected() for _ in body.output[1 + len(carried) :]]
    run = 0
    while going and (most is None or run < most):
        if run == MOST_TRIPS:
            raise holder.error(f"it runs more than {MOST_TRIPS} times", AS_EXPORTED)
        given = _named(holder, body, [np.asarray(run, np.int64), np.asarray(True), *carried])
        again, *results = holder.reader.subgraph(body, given, holder.place)
        carried = list(results[: len(carried)])
        for one, part in zip(collected, results[len(carried) :], strict=True):
            one.parts.append(part)
        run += 1
        going = _truth(holder, again, "its condition", AS_EXPORTED)
        if condition is None and not going:
            raise holder.error("its body ends it, which runtimes obey and the standard does not", AS_EXPORTED)
    known = [value for value in carried if value is not None]
    return (*known, *(one.stacked(holder) for one in collected))


def _scan(holder: Holder) -> tuple[Tensor, ...]:
    """The states after the last run, and what the runs put out (ONNX, "Scan", from operator set 9 on)."""
    body, operands = holder.graph("body"), [o for o in holder.operands if o is not None]
    count = holder.attribute("num_scan_inputs", 0)
    if not isinstance(count, int) or not 0 < count <= len(operands) or len(body.input) != len(operands):
        raise holder.error("its body has another number of inputs", "export the model again")
    states, scanned = operands[: len(operands) - count], operands[len(operands) - count :]
    axes = _whole(holder, "scan_input_axes", count)
    backward = _whole(holder, "scan_input_directions", count)
    if any(not -len(x.shape) <= axis < len(x.shape) for x, axis in zip(scanned, axes, strict=True)):
        raise holder.error(f"input axes {axes} outside the operands' dimensions")
    lengths = {x.shape[axis] for x, axis in zip(scanned, axes, strict=True)}
    if len(lengths) != 1 or max(lengths) > MOST_TRIPS:
        raise holder.error(f"it scans {sorted(lengths)} entries, not one number of at most {MOST_TRIPS}", AS_EXPORTED)
    length = lengths.pop()
    if len(body.output) < len(states):
        raise holder.error("its body has another number of outputs", "export the model again")
    collected = [_Collected() for _ in body.output[len(states) :]]
    for run in range(length):
        now = [
            _slice(holder, x, axis, length - 1 - run if back else run)
            for x, axis, back in zip(scanned, axes, backward, strict=True)
        ]
        results = holder.reader.subgraph(body, _named(holder, body, [*states, *now]), holder.place)
        states = list(results[: len(states)])
        for one, part in zip(collected, results[len(states) :], strict=True):
            one.parts.append(part)
    out_axes = _whole(holder, "scan_output_axes", len(collected))
    out_backward = _whole(holder, "scan_output_directions", len(collected))
    stacked = [
        one.stacked(holder, axis, bool(b)) for one, axis, b in zip(collected, out_axes, out_backward, strict=True)
    ]
    return (*states, *stacked)


def _whole(holder: Holder, name: str, count: int) -> list[int]:
    """An attribute with an integer for each of `count`, 0 by default."""
    values = holder.attribute(name, [0] * count)
    if not isinstance(values, list) or len(values) != count:
        raise holder.error(f"{name} {values}, not {count} numbers")
    return values


def _slice(holder: Holder, x: Tensor, axis: int, at: int) -> Tensor:
    return holder.reader.builder.move([x], lambda a: np.take(a, at, axis))


def _named(holder: Holder, body: onnx.GraphProto, values: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """The values by the names of the body's inputs."""
    if any(value is None for value in values):
        raise holder.error("an operand that its body takes is missing", "export the model again")
    return {port.name: value for port, value in zip(body.input, values, strict=True) if value is not None}
