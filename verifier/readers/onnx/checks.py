"""What ONNX Runtime refuses, or reads otherwise than the standard, and what can be seen before a graph is lowered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import onnx

from verifier.errors import ModelError
from verifier.readers.onnx.standard import RUNTIME, TABLES, has_operator

MOST_NODES = 1_000_000
"""Nodes of a graph once its local functions are unfolded; each level of nested ones can multiply them."""

Key: TypeAlias = tuple[str, str, str]


def check_model(model: onnx.ModelProto, place: str) -> None:
    """Looks at operator sets, functions, nodes and ports.

    Raises:
        ModelError: something that ONNX Runtime refuses or reads otherwise than the standard says.
    """
    _check_operator_sets(model, place)
    _check_functions(model, place)
    for node in _all_nodes([model.graph.node, *(f.node for f in model.functions)]):
        _check_node(node, place)
    if any(not value.name for value in model.graph.output):
        raise ModelError("an output has no name", place, "export the model again")
    _check_declared(model.graph, place)


def _check_operator_sets(model: onnx.ModelProto, place: str) -> None:
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        domain = standard_domain(entry.domain)
        if versions.setdefault(domain, entry.version) != entry.version:
            name = domain or "ai.onnx"
            cause = f"two operator sets, {versions[domain]} and {entry.version}, for the domain {name}"
            raise ModelError(cause, place, "export the model again with one operator set")


def standard_domain(domain: str) -> str:
    """The domain, by the standard operators' shorter name where it is theirs."""
    return "" if domain == "ai.onnx" else domain


def _check_functions(model: onnx.ModelProto, place: str) -> None:
    """Counts the nodes that unfolding makes, without unfolding."""
    functions: dict[Key, onnx.FunctionProto] = {}
    for function in model.functions:
        domain = standard_domain(function.domain)
        if domain in TABLES and (domain != RUNTIME or has_operator(domain, function.name)):
            cause = f"local function '{function.name}' is in a domain of the standard's operators"
            raise ModelError(cause, place, "runtimes disagree on which one counts: give it a domain of its own")
        functions[function.domain, function.name, _overload(function)] = function
    sizes: dict[Key, int] = {}
    if functions and _unfolded(model.graph.node, functions, sizes, [], place) > MOST_NODES:
        raise ModelError(f"its local functions unfold to more than {MOST_NODES} nodes", place, "export it without them")


def _unfolded(
    nodes: Iterable[onnx.NodeProto],
    functions: dict[Key, onnx.FunctionProto],
    sizes: dict[Key, int],
    within: list[Key],
    place: str,
) -> int:
    total = 0
    for node in _all_nodes([nodes]):
        key = (node.domain, node.op_type, _overload(node))
        if key in functions and key not in sizes:
            if key in within:
                raise ModelError(f"local function '{node.op_type}' calls itself", place, "export it without functions")
            if len(within) >= 200:
                raise ModelError("local functions are nested more than 200 deep", place, "export it without functions")
            sizes[key] = _unfolded(functions[key].node, functions, sizes, [*within, key], place)
        total += sizes.get(key, 1)
    return total


def _overload(item: onnx.NodeProto | onnx.FunctionProto) -> str:
    return str(getattr(item, "overload", ""))


def _all_nodes(graphs: Iterable[Iterable[onnx.NodeProto]]) -> Iterator[onnx.NodeProto]:
    """The nodes, and those of their subgraphs."""
    for nodes in graphs:
        for node in nodes:
            yield node
            yield from _all_nodes(graph.node for graph in subgraphs(node))


def subgraphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs among a node's attributes: the branches of an If, the body of a Loop."""
    return [graph for a in node.attribute for graph in (*([a.g] if a.HasField("g") else []), *a.graphs)]


def reads(node: onnx.NodeProto) -> set[str]:
    """The tensors that a node takes, those that its subgraphs take from around it included."""
    names = {name for name in node.input if name}
    for graph in subgraphs(node):
        inner = {value.name for value in graph.input} | {t.name for t in graph.initializer}
        made = {name for n in graph.node for name in n.output}
        used = {name for n in graph.node for name in reads(n)} | {value.name for value in graph.output}
        names |= used - inner - made
    return names


def _check_node(node: onnx.NodeProto, place: str) -> None:
    where = f"node '{node.name or next(iter(node.output), '')}' ({node.op_type}) of {place}"
    names = [a.name for a in node.attribute]
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise ModelError(f"attribute '{twice}' is given twice", where, "export the model again")
    if not any(node.output):
        raise ModelError("the node names no output", where, "export the model again")


def _check_declared(graph: onnx.GraphProto, place: str) -> None:
    """Initialisers that are inputs as well have the shape and the type that the input says."""
    declared = {value.name: value.type.tensor_type for value in graph.input}
    for tensor in graph.initializer:
        kind = declared.get(tensor.name)
        if kind is None:
            continue
        says = [d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in kind.shape.dim]
        fits = len(says) == len(tensor.dims) and all(s in (None, n) for s, n in zip(says, tensor.dims, strict=True))
        if (kind.HasField("shape") and not fits) or kind.elem_type not in (0, tensor.data_type):
            cause = f"initialiser '{tensor.name}' has another shape or type than the input of that name"
            raise ModelError(cause, place, "export the model again")
