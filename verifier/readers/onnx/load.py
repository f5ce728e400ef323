"""An ONNX file as a Network: reads the graph node by node and lowers each to affine maps, functions and products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np
import onnx

from verifier.errors import ModelError, UsageError
from verifier.network.functions import Round
from verifier.network.graph import COARSENESS, Network, Port
from verifier.network.linear_maps import Identity
from verifier.network.simplify import simplify as simplified
from verifier.network.softmax import softmax_by_differences
from verifier.readers.onnx import lowerings  # noqa: F401 - registers the lowerings
from verifier.readers.onnx.batches import one_row
from verifier.readers.onnx.bodies import function_body
from verifier.readers.onnx.builder import GraphBuilder, NotFinite
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.checks import standard_domain
from verifier.readers.onnx.choice import with_outputs
from verifier.readers.onnx.control import HOLDERS, Holder
from verifier.readers.onnx.files import read_model_bytes
from verifier.readers.onnx.folding import can_fold, fold
from verifier.readers.onnx.hidden import output_names, with_hidden
from verifier.readers.onnx.model import initialisers, input_ports, opset, output_dtype, parse_model
from verifier.readers.onnx.ordering import in_order
from verifier.readers.onnx.registry import find_lowering
from verifier.readers.onnx.repeated import Repeated
from verifier.readers.onnx.schema import attribute_value, schema_of
from verifier.readers.onnx.standard import MANY, TABLES, Schema
from verifier.readers.onnx.tensors import Tensor, Variable, is_float
from verifier.readers.onnx.types import rounded_to, type_named, typed
from verifier.readers.onnx.wrapping import of_types, within_type

TAKE_MASKS = frozenset({"Softmax", "Add", "Where"})
"""Operators that take tensors with entries of minus infinity (`Variable.masked`)."""


def load_network(
    path: str | Path,
    simplify: bool = True,
    outputs: Sequence[str] = (),
    batch_index: int | None = None,
    hidden: Sequence[str] = (),
) -> Network:
    """The network in an ONNX file, plain or gzipped.

    Args:
        path: the file.
        simplify: whether affine chains are fused (`verifier.network.simplify`), and softmax that is written out is
            recognised (`verifier.network.softmax`).
        outputs: the names of those outputs that the network has, in this order; by default all of them, without
            labels that cannot be read (`choice`). Nodes that these do not need are not read.
        batch_index: the row of a fixed batch that the network is, where rows do not mix; by default the whole batch.
        hidden: names of tensors within the model that are outputs as well, after the others;
            where any is given and no `outputs`, all of the model's own come first.

    Raises:
        UsageError: the file is missing or cannot be read; there is no such output, or no such row.
        ModelError: its content cannot be read as a network; the message names the node and what to do.
    """
    path = Path(path)
    return network_of(read_model_bytes(path), path, simplify, outputs, batch_index, hidden)


def network_of(
    content: bytes,
    path: Path,
    simplify: bool = True,
    outputs: Sequence[str] = (),
    batch_index: int | None = None,
    hidden: Sequence[str] = (),
) -> Network:
    """The network in a serialised model.

    Args:
        content: the model, not zipped.
        path: where it lies, or what messages call it; tensors that it keeps outside are looked for beside that.
        simplify, outputs, batch_index, hidden: as for `load_network`.

    Raises:
        UsageError: there is no such output, or no such row.
        ModelError: the content cannot be read as a network; the message names the node and what to do.
    """
    model, data = parse_model(content, path)
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    own = names or output_names(model)
    if hidden:
        data = with_hidden(model, data, hidden, path.name)
        names = (*own, *dict.fromkeys(name for name in hidden if name not in own))
    network = with_outputs(model.graph, names, lambda wanted: GraphReader(model, path.name, wanted).network(data))
    if hidden:
        ports = (replace(port, hidden=port.name not in own) for port in network.outputs)
        network = replace(network, outputs=tuple(ports))
    if batch_index is not None:
        network = one_row(network, batch_index)
    return simplified(softmax_by_differences(network)) if simplify else network


class GraphReader:
    """Lowers one model; `tensors` holds what is known of every tensor name so far."""

    def __init__(self, model: onnx.ModelProto, name: str, wanted: tuple[str, ...] = ()) -> None:
        self.graph, self.name = model.graph, name
        self.opsets = {domain: opset(model, domain) for domain in TABLES}
        stored = initialisers(self.graph, name)
        self.ports = input_ports(self.graph, set(stored), name)
        self.tensors: dict[str, Tensor] = dict(stored)
        self.builder = GraphBuilder(sum(p.size for p in self.ports))
        self.not_lowered: dict[str, str] = {}
        self.repeated = Repeated()
        self.rounds_to = ""
        self.outputs = _chosen(self.graph, wanted, name)

    def network(self, data: bytes) -> Network:
        """The network; `data` is the model, serialised, that it is replayed from."""
        self.read_nodes()
        outputs = [self._output(value) for value in self.outputs]
        self._finish([tensor for _, tensor in outputs])
        ports = tuple(port for port, _ in outputs)
        nodes, overflows = tuple(self.builder.nodes), self.rounds_to == "float16"
        return Network(nodes, self.ports, ports, self.name, data, overflows, rounds_to=self.rounds_to)

    def read_nodes(self) -> None:
        """Lowers the nodes that the outputs need."""
        start = 0
        numbers = Variable(0, (self.builder.nodes[0].size,))
        self.builder.ranges[0] = of_types(self.ports)
        for port in self.ports:
            part = slice(start, start + port.size)
            tensor = self.builder.move([numbers], lambda a, s=part, p=port: a[s].reshape(p.shape))
            assert isinstance(tensor, Variable)
            if port.integral:  # the network takes real numbers: it looks at the nearest whole one
                tensor = self.builder.elementwise(tensor, Round())
            self.tensors[port.name] = replace(tensor, dtype=type_named(port.dtype))
            start += port.size
        for node in in_order(self.graph, {v.name for v in self.outputs}, set(self.tensors), self.name):
            self.lower(node)

    def _output(self, value: onnx.ValueInfoProto) -> tuple[Port, Variable]:
        tensor = self.tensor(value.name, f"the outputs of {self.name}")
        if not isinstance(tensor, Variable):
            if not (tensor.dtype.kind in "iub" or is_float(tensor.dtype)) or not np.isfinite(tensor).all():
                raise ModelError(f"output '{value.name}' is constant and not a finite number", self.name)
            tensor = self.builder.constant(tensor.astype(np.float64))
        if tensor.masked is not None:
            raise ModelError(f"entries of output '{value.name}' are minus infinity", self.name)
        return Port(value.name, tensor.shape, output_dtype(value)), tensor

    def _finish(self, outputs: list[Variable]) -> None:
        """Makes the outputs, concatenated, the last node."""
        joined = self.builder.move(outputs, lambda *parts: np.concatenate([p.reshape(-1) for p in parts]))
        assert isinstance(joined, Variable)
        if joined.node == 0 or joined.node < len(self.builder.nodes) - 1:
            self.builder.affine([(joined, Identity(joined.size))], joined.shape)

    def tensor(self, name: str, user: str) -> Tensor:
        if name in self.not_lowered:
            raise ModelError(f"output '{name}' of {self.not_lowered[name]} is not supported", self.name)
        if name not in self.tensors:
            raise ModelError(f"'{name}', used by {user}, is made by no node", self.name, "export the model again")
        return self.tensors[name]

    def lower(self, node: onnx.NodeProto) -> None:
        """Reads one node, and keeps what it makes of its outputs."""
        label = f"node '{node.name or next(iter(node.output), '')}' ({node.op_type})"
        place = f"{label} of {self.name}"
        operands = tuple(self.tensor(name, label) if name else None for name in node.input)
        try:
            with np.errstate(all="ignore"):  # what overflows is caught as NotFinite
                results = self._outputs(node, operands, place)
        except NotFinite as error:
            raise ModelError(_blame(node, operands, str(error)), place, "train or export the model again") from None
        except (ValueError, IndexError, ArithmeticError) as error:
            shapes = ", ".join("none" if o is None else str(tuple(o.shape)) for o in operands)
            raise ModelError(f"its operands, of shapes {shapes}, do not fit: {error}", place) from None
        except MemoryError:
            raise ModelError("its result does not fit in memory", place, "check the sizes in the model") from None
        made = zip_longest(node.output, results[: len(node.output)])
        known = {name: result for name, result in made if name and result is not None}
        self.tensors.update(known)
        self.rounds_to = max([self.rounds_to, *(rounded_to(node.op_type, r) for r in results)], key=COARSENESS)
        self.not_lowered.update((name, label) for name in node.output if name not in known)

    def _outputs(
        self, node: onnx.NodeProto, operands: tuple[Tensor | None, ...], place: str
    ) -> tuple[Tensor | None, ...]:
        """The node's first outputs, as many as its lowering knows; None for one that it does not."""
        domain = standard_domain(node.domain)
        if node.op_type in HOLDERS and not domain:
            return Holder(self, node, operands, place).outputs()
        known = self.repeated.results(node, operands)
        if known is None:
            known = self._lowered(node, domain, operands, place)
            self.repeated.made(node, operands, known)
        return known

    def _lowered(
        self, node: onnx.NodeProto, domain: str, operands: tuple[Tensor | None, ...], place: str
    ) -> tuple[Tensor | None, ...]:
        """What the lowering of a node's operator, or the runtime where all operands are known, makes of it."""
        version = self.opsets.get(domain, 0)
        schema = schema_of(node.op_type, version, domain) if domain in TABLES else None
        if schema is None:
            raise _unsupported(node, version, place)
        attributes = _attributes(node, schema, place)
        _check_operands(schema, operands, place)
        lowering = find_lowering(domain, node.op_type, schema.since)
        if can_fold(node, operands) and not (lowering and lowering.takes_constants):
            return tuple(fold(node, operands, version))
        if lowering is None:
            return self._defined(node, version, operands, place)
        if node.op_type not in TAKE_MASKS and any(isinstance(o, Variable) and o.masked is not None for o in operands):
            raise ModelError("minus infinity as an entry is read before Softmax only", place, "use a finite number")
        call = Call(self.builder, node.op_type, schema.since, operands, attributes, len(node.output), place)
        result = lowering.lower(call)
        results = typed(node.op_type, attributes, operands, result if isinstance(result, tuple) else (result,))
        return tuple(within_type(self.builder, node.op_type, made) for made in results)

    def _defined(
        self, node: onnx.NodeProto, version: int, operands: tuple[Tensor | None, ...], place: str
    ) -> tuple[Tensor | None, ...]:
        """What the standard's definition by other operators makes of a node without a lowering (`bodies`)."""
        body = function_body(node, version, operands) if not standard_domain(node.domain) else None
        if body is None:
            raise _unsupported(node, version, place)
        graph, opset_of_body = body
        given = dict(zip((v.name for v in graph.input), (o for o in operands if o is not None), strict=True))
        around = self.tensors, self.not_lowered, self.opsets
        self.tensors, self.not_lowered, self.opsets = given, {}, {**self.opsets, "": opset_of_body}
        try:
            made = iter(self.subgraph(graph, {}, place))
        except ModelError as error:
            raise ModelError(f"{error.cause}, in {error.place}", place, error.fix) from None
        finally:
            self.tensors, self.not_lowered, self.opsets = around
        return tuple(next(made) if name else None for name in node.output)

    def subgraph(self, graph: onnx.GraphProto, given: dict[str, Tensor], place: str) -> tuple[Tensor, ...]:
        """The outputs of a graph that a node holds, which sees the tensors around it; its inputs are `given`."""
        around, not_lowered = dict(self.tensors), dict(self.not_lowered)
        self.tensors.update(given)
        self.tensors.update(initialisers(graph, self.name))
        for inner in in_order(graph, {v.name for v in graph.output}, set(self.tensors), self.name):
            self.lower(inner)
        results = tuple(self.tensor(v.name, place) for v in graph.output)
        self.tensors, self.not_lowered = around, not_lowered
        return results


def _chosen(graph: onnx.GraphProto, wanted: tuple[str, ...], name: str) -> list[onnx.ValueInfoProto]:
    """The outputs of these names, in their order; all of them where none is named."""
    if not graph.output:
        raise ModelError("the model has no outputs", name)
    known = {value.name: value for value in graph.output}
    if missing := [w for w in wanted if w not in known]:
        raise UsageError(f"no output is called '{missing[0]}'", name, f"the outputs are {', '.join(known)}")
    if len(set(wanted)) < len(wanted):
        raise UsageError("an output is chosen twice", name)
    return [known[w] for w in wanted] or list(graph.output)


def _check_operands(schema: Schema, operands: tuple[Tensor | None, ...], place: str) -> None:
    if not schema.least <= len(operands) <= schema.most:
        raise ModelError(f"{len(operands)} operands, not {schema.least} to {schema.most}", place)
    for k, operand in enumerate(operands):
        if operand is None and (k < schema.least or schema.most == MANY):
            raise ModelError(f"operand {k} is missing", place)
        if isinstance(operand, np.ndarray) and operand.dtype.kind in "OSU":
            raise ModelError(f"operand {k} holds text, not numbers", place)


def _attributes(node: onnx.NodeProto, schema: Schema, place: str) -> dict[str, object]:
    values = dict(schema.defaults)
    for attribute in node.attribute:
        if attribute.name not in schema.types:
            raise ModelError(f"attribute '{attribute.name}' is unknown to {node.op_type}", place)
        if attribute.ref_attr_name or attribute.type != schema.types[attribute.name]:
            raise ModelError(f"attribute '{attribute.name}' has the wrong type", place)
        values[attribute.name] = attribute_value(attribute)
    missing = sorted(schema.required - values.keys())
    if missing:
        raise ModelError(f"attribute '{missing[0]}' is missing", place)
    return values


def _unsupported(node: onnx.NodeProto, version: int, place: str) -> ModelError:
    domain = node.domain or "ai.onnx"
    which = f"operator set {version}" if version else "no operator set"
    cause = f"operator {node.op_type} (domain {domain}, {which}) is not supported"
    return ModelError(cause, place, "export the model without it")


def _blame(node: onnx.NodeProto, operands: tuple[Tensor | None, ...], cause: str) -> str:
    for name, operand in zip(node.input, operands, strict=True):
        if isinstance(operand, np.ndarray) and is_float(operand.dtype) and not np.isfinite(operand).all():
            return f"tensor '{name}' holds NaN or infinity"
    return cause
