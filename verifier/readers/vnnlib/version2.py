"""The reader of VNN-LIB 2.0, on the official parser, the `vnnlib` package.

The package parses and type-checks; we walk its syntax tree and tell a `Formula` what is there. Numbers are taken from
their text, not from the package's floats. One network with inputs and outputs of floating-point types, and linear
terms, are supported; anything else is an error that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any, NoReturn, TypeAlias

import vnnlib

from verifier.network.graph import Network, Port
from verifier.property.query import Declaration, Query
from verifier.readers.vnnlib.boxes import Unbounded
from verifier.readers.vnnlib.formula import Formula, TooLarge
from verifier.readers.vnnlib.linear import Linear, combine, output_code
from verifier.readers.vnnlib.normal_form import query_of
from verifier.readers.vnnlib.source import Source

_DEEPEST = 500
"""Levels of parentheses. The package's parser recurses, and overflows the stack on a few ten thousand."""

_TYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16", "Real": ""}
_TYPES |= {f"{sign}{bits}": f"{name}{bits}" for sign, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)}
"""The supported element types, as a network's ports name them; Real fits any."""

_REAL = re.compile(r"(\(declare-(?:input|hidden|output)\s+\w+\s+)Real\b")
"""The standard's text writes the type of real numbers `Real`, the package knows it as `real`."""

_OPERATORS = {vnnlib.Plus: "+", vnnlib.Minus: "-", vnnlib.Multiply: "*", vnnlib.Negate: "-"}
_RELATIONS = {
    vnnlib.LessEqual: "<=",
    vnnlib.LessThan: "<",
    vnnlib.GreaterEqual: ">=",
    vnnlib.GreaterThan: ">",
    vnnlib.Equal: "=",
}

_Node: TypeAlias = Any
_Definition: TypeAlias = vnnlib.InputDefinition | vnnlib.OutputDefinition


def read_version2(source: Source, network: Network | None) -> Query:
    """The query of a VNN-LIB 2.0 text, its tensors laid out in the order of the network's ports.

    Raises:
        PropertyError: the text is no such property, is not supported, or does not fit the network.
    """
    _check_depth(source)
    try:
        tree = vnnlib.parse_query_string(_REAL.sub(r"\1real", source.raw))
    except (vnnlib.VNNLibException, UnicodeDecodeError) as fault:
        _fail_to_parse(source, str(fault))
    if len(tree.networks) != 1:
        names = ", ".join(n.name for n in tree.networks)
        raise source.error_at_line(f"properties of several networks ({names}) are not supported", None, "declare one")
    (declared,) = tree.networks
    if declared.hidden:
        raise source.error_at_line(
            f"the hidden node {declared.hidden[0].name} is not supported", None, "constrain inputs and outputs"
        )
    _check_labels(source, declared.outputs, network)
    inputs = _Layout(source, "input", declared.inputs, network.inputs if network else None)
    outputs = _Layout(source, "output", declared.outputs, network.outputs if network else None)
    walk = _Walk(source, inputs, outputs)
    for assertion in tree.assertions:
        walk.add(assertion.expr)
    declarations = (*inputs.declarations(declared.inputs), *outputs.declarations(declared.outputs))
    try:
        query = query_of(walk.formula, inputs.size, outputs.size, source.name, inputs.element)
        return replace(query, declarations=declarations)
    except TooLarge as fault:
        raise source.error_at_line(str(fault), None) from None
    except Unbounded as fault:
        element, side = inputs.element(fault.variable), "upper" if fault.upper else "lower"
        raise source.error_at_line(
            f"input {element} has no {side} bound in some disjunct", None, "bound every input on both sides"
        ) from None


def _check_labels(source: Source, outputs: Sequence[_Definition], network: Network | None) -> None:
    """Says what to do about a property that declares labels, which the network lacks."""
    if network is not None and network.labels and len(outputs) == len(network.outputs) + len(network.labels):
        cause = f"the property declares {len(outputs)} output tensors, but {network.note}"
        raise source.error_at_line(cause, None, "declare that one alone")


def _check_depth(source: Source) -> None:
    depth = 0
    for match in re.finditer(r"[()]", source.text):
        depth += 1 if match.group() == "(" else -1
        if depth > _DEEPEST:
            raise source.error(f"nested deeper than {_DEEPEST} levels", match.start(), "flatten the formula")


def _fail_to_parse(source: Source, message: str) -> NoReturn:
    """Raises the package's complaint (one line of text, or JSON of several faults) as one line."""
    line = re.search(r"line (\d+)", message)
    cause, fix = message, "VNN-LIB 2.0 has no scientific notation" if re.search(r"'e[-+]?\d*'", message) else ""
    number = int(line.group(1)) if line else None
    if message.lstrip().startswith("{"):
        fault, *others = json.loads(message)["errors"]
        number, fix = fault["line"], fault["hint"]
        more = f" (and {len(others)} more)" if others else ""
        cause = f"{fault['message']}: {fault['offendingSymbol']}{more}"
    raise source.error_at_line(cause, number, fix)


class _Layout:
    """Where the elements of the declared tensors are in the flat vector of all inputs (or all outputs)."""

    def __init__(
        self, source: Source, kind: str, definitions: Sequence[_Definition], ports: Sequence[Port] | None
    ) -> None:
        self._source, self._kind = source, kind
        if ports is not None:
            definitions = self._in_order(definitions, ports)
        self._tensors: dict[str, tuple[int, list[int]]] = {}
        self.size = 0
        for k, definition in enumerate(definitions):
            self._check(definition, ports[k] if ports else None)
            self._tensors[definition.name] = self.size, definition.shape
            self.size += prod(definition.shape)

    def index(self, name: str, indices: Sequence[int]) -> int:
        """The place of `name[indices]`; row-major."""
        start, shape = self._tensors[name]
        place = 0
        for index, length in zip(indices, shape, strict=True):
            place = place * length + index
        return start + place

    def declarations(self, definitions: Sequence[_Definition]) -> Iterator[Declaration]:
        """What the file declares, in its order."""
        for definition in definitions:
            start, shape = self._tensors[definition.name]
            dtype = _TYPES[definition.dtype.name] or "real"
            yield Declaration(definition.name, dtype, tuple(shape), self._kind == "output", start)

    def element(self, place: int) -> str:
        """The element at a place, as the file writes it."""
        name, (start, shape) = [(n, t) for n, t in self._tensors.items() if t[0] <= place][-1]
        indices: list[int] = []
        rest = place - start
        for length in reversed(shape):
            rest, index = divmod(rest, length)
            indices.insert(0, index)
        return f"{name}[{','.join(map(str, indices))}]" if indices else name

    def _in_order(self, definitions: Sequence[_Definition], ports: Sequence[Port]) -> list[_Definition]:
        """The definitions in the order of the ports they stand for: by ONNX name where they name any, else as is."""
        if len(definitions) != len(ports):
            self._fail(f"the property declares {len(definitions)} {self._kind} tensors, the network has {len(ports)}")
        names = [d.onnx_name.strip('"') if d.onnx_name else None for d in definitions]
        if not any(names):
            return list(definitions)
        if sorted(map(str, names)) != sorted(port.name for port in ports):
            self._fail(f"the property names the {self._kind}s {names}, the network has {[p.name for p in ports]}")
        return [definitions[names.index(port.name)] for port in ports]

    def _check(self, definition: _Definition, port: Port | None) -> None:
        """Fails where the type is not supported, or the port is of another type or size."""
        name, dtype, size = definition.name, definition.dtype.name, prod(definition.shape)
        if dtype not in _TYPES:
            self._fail(
                f"{self._kind} {name} has element type {dtype}, which is not supported", "use Real or a float type"
            )
        if port is None:
            return
        if size != port.size:
            self._fail(f"{self._kind} {name} has {size} elements, the network's {port.name} has {port.size}")
        if _TYPES[dtype] not in ("", port.dtype):
            self._fail(f"{self._kind} {name} is {_TYPES[dtype]}, the network's {port.name} is {port.dtype}", "use Real")

    def _fail(self, cause: str, fix: str = "use the property that belongs to the network") -> NoReturn:
        raise self._source.error_at_line(cause, None, fix)


class _Walk:
    """Adds syntax trees to a formula, with stacks of its own instead of recursion."""

    def __init__(self, source: Source, inputs: _Layout, outputs: _Layout) -> None:
        self._source, self._inputs, self._outputs = source, inputs, outputs
        self.formula = Formula()

    def add(self, formula: _Node) -> None:
        """Adds one assertion."""
        pending: list[_Node | None] = [formula]  # None closes a connective
        while pending:
            node = pending.pop()
            try:
                if node is None:
                    self.formula.close()
                elif isinstance(node, vnnlib.Connective):
                    self.formula.open(conjunctive=isinstance(node, vnnlib.And))
                    pending += [None, *reversed(node.args)]
                else:
                    self._add_comparison(node)
            except ValueError as fault:
                raise self._source.error_at_line(str(fault), _line(node if node is not None else formula)) from None

    def _add_comparison(self, node: _Node) -> None:
        difference = self._term(node.lhs).add(self._term(node.rhs), -1)
        if isinstance(node, vnnlib.NotEqual):
            self.formula.open(conjunctive=False)
            self.formula.add_comparison(difference.minus(Linear()), "<")
            self.formula.add_comparison(difference, ">")
            self.formula.close()
        else:
            self.formula.add_comparison(difference, _RELATIONS[type(node)])

    def _term(self, root: _Node) -> Linear:
        """The value of a term: its nodes are listed parents first, then evaluated from the last to the first."""
        order, pending = [], [root]
        while pending:
            order.append(pending.pop())
            pending += _operands(order[-1])
        values: list[Linear] = []  # of the nodes evaluated and not yet used, the next operand last
        for node in reversed(order):
            count = len(_operands(node))
            operands = [values.pop() for _ in range(count)][::-1] if count else []
            values.append(combine(_OPERATORS[type(node)], operands) if count else self._leaf(node))
        return values[0]

    def _leaf(self, node: _Node) -> Linear:
        if isinstance(node, vnnlib.Literal):
            return Linear({}, Fraction(node.lexeme))
        if node.kind == vnnlib.SymbolKind.Input:
            return Linear({self._inputs.index(node.name, node.indices): Fraction(1)})
        return Linear({output_code(self._outputs.index(node.name, node.indices)): Fraction(1)})


def _operands(node: _Node) -> tuple[_Node, ...]:
    if isinstance(node, vnnlib.Negate):
        return (node.expr,)
    if isinstance(node, vnnlib.Minus):
        return (node.head, *node.rest)
    return tuple(node.args) if isinstance(node, vnnlib.Plus | vnnlib.Multiply) else ()


def _line(node: _Node) -> int | None:
    """The line of the first variable or number under a node."""
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, vnnlib.Var | vnnlib.Literal):
            return int(node.line)
        pending += reversed(node.children())
    return None
