"""The reader of VNN-LIB 2.0, on the official parser, the `vnnlib` package.

The package parses and type-checks; we walk its syntax tree and tell a `Formula` what is there. Numbers are taken from
their text, not from the package's floats. Anything that is not understood is an error that says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, NoReturn, TypeAlias

import vnnlib

from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.readers.vnnlib.formula import Formula, TooLarge
from verifier.readers.vnnlib.interfaces import Interface, interfaces_of
from verifier.readers.vnnlib.layout import Layout
from verifier.readers.vnnlib.linear import Linear, combine
from verifier.readers.vnnlib.normal_form import query_of
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.written import Written

_DEEPEST = 500
"""Levels of parentheses. The package's parser recurses, and overflows the stack on a few ten thousand."""

_REAL = re.compile(r"(\(declare-(?:input|hidden|output)\s+\w+\s+)Real\b")
"""The standard's text writes the type of real numbers `Real`, the package knows it as `real`."""

_ISOMORPHIC = re.compile(r"(\(\s*declare-network\s+(\w+)\s*)\(\s*isomorphic-to\s+(\w+)\s*\)")
"""By the standard, networks that are isomorphic may differ in their types; the package refuses that, so we read it."""

_OPERATORS = {vnnlib.Plus: "+", vnnlib.Minus: "-", vnnlib.Multiply: "*", vnnlib.Negate: "-"}
_RELATIONS = {
    vnnlib.LessEqual: "<=",
    vnnlib.LessThan: "<",
    vnnlib.GreaterEqual: ">=",
    vnnlib.GreaterThan: ">",
    vnnlib.Equal: "=",
}

_Node: TypeAlias = Any


@dataclass(frozen=True, eq=False)
class Version2:
    """A parsed property of version 2.0."""

    source: Source
    tree: vnnlib.Query
    isomorphic: Mapping[str, str]

    @classmethod
    def of(cls, source: Source) -> Version2:
        """Parses and type-checks a text.

        Raises:
            PropertyError: it is no such property.
        """
        _check_depth(source)
        isomorphic = {name: to for _, name, to in _ISOMORPHIC.findall(source.text)}
        text = _REAL.sub(r"\1real", _ISOMORPHIC.sub(r"\1", source.text))
        try:
            return cls(source, vnnlib.parse_query_string(text), isomorphic)
        except vnnlib.VNNLibException as fault:
            _fail_to_parse(source, str(fault))

    @cached_property
    def interfaces(self) -> tuple[Interface, ...]:
        """What is declared of its networks, in its order.

        Raises:
            PropertyError: a network is said to be isomorphic to one that it is not.
        """
        try:
            return interfaces_of(self.tree.networks, self.isomorphic)
        except ValueError as fault:
            raise self.source.error_at_line(str(fault), None, "mend the declarations") from None

    def query(self, network: Network | None) -> Query:
        """The query, its tensors laid out in the order of the network's ports.

        Args:
            network: what it is about; with several networks declared, one with as many parts.

        Raises:
            PropertyError: something is not supported, or does not fit the network.
        """
        layout, formula = Layout(self.source, self.interfaces, network), Formula()
        self.tell(formula, layout)
        try:
            sizes = layout.input_size, layout.output_size
            query = query_of(formula, *sizes, self.source.name, layout.element, layout.ends)
        except TooLarge as fault:
            raise self.source.error_at_line(str(fault), None) from None
        note = "; ".join(filter(None, (*layout.notes, query.note)))
        return replace(query, declarations=tuple(layout.declarations), note=note)

    def tell(self, formula: Formula | Written, layout: Layout) -> None:
        """Tells a formula of all assertions.

        Raises:
            PropertyError: something is not supported.
        """
        walk = _Walk(self.source, layout, formula)
        for assertion in self.tree.assertions:
            walk.add(assertion.expr)


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


class _Walk:
    """Adds syntax trees to a formula, with stacks of its own instead of recursion."""

    def __init__(self, source: Source, layout: Layout, formula: Formula | Written) -> None:
        self._source, self._layout, self.formula = source, layout, formula

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
            values.append(combine(_OPERATORS[type(node)], operands, polynomials=True) if count else self._leaf(node))
        return values[0]

    def _leaf(self, node: _Node) -> Linear:
        if isinstance(node, vnnlib.Literal):
            return Linear({}, Fraction(node.lexeme))
        return Linear({self._layout.code(node.name, node.indices): Fraction(1)})


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
