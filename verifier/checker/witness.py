"""Checks a witness: that its input is in the input set, and that the model's outputs there violate the property.

Nothing is taken from the file but the input. The property is not made into boxes and rows here: its assertions are
evaluated as they stand, in rational numbers, with the input's entries for the X and an interval for each Y. A formula
then holds, or does not, or may do either. It has to hold twice:

- with the outputs that the file has, exactly: so it was said that the runtime computes them;
- with the outputs of the model *in real numbers* at that input: computed forward in doubles with all rounding covered
  (or in rational numbers), and, where that leaves it open, bounded backward: the outputs, then what they are made of.

A runtime computes in float32, so that its outputs may violate the property where those of the model, as a function of
real numbers, do not. Such a witness is rejected, and the text says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from verifier.checker.bounds import Bounder, Weak
from verifier.checker.claim import NUMBER, VARIABLE, Expression, parsed
from verifier.checker.files import PROPERTY, contents, digest_of_model, digest_of_property
from verifier.checker.graph import Graph, Unreadable
from verifier.checker.linear import Array
from verifier.checker.lines import exactly
from verifier.checker.model import read_model
from verifier.checker.proof import DAMAGED, VERSION, read_arrays
from verifier.checker.rational import rational

SHARPENED = 20_000
"""Values of a model's nodes up to which all of them are bounded backward, if nothing less decides."""
Interval = tuple[Fraction, Fraction]
Values = dict[str, Interval | None]
"""By variable; None is no number."""


@dataclass(frozen=True, eq=False)
class Witness:
    """What is in a file.

    Attributes:
        model, property: SHA-256 of the contents, in hexadecimal.
        input, output: floats, one after the other.
    """

    model: str
    property: str
    input: Array
    output: Array


def is_witness(path: Path) -> bool:
    """Whether a file says that it is a sat's; False where it cannot be read."""
    try:
        return _header(path).get("verdict") == "sat"
    except DAMAGED:
        return False


def _header(path: Path) -> dict[str, Any]:
    header = json.loads(read_arrays(path, {"header": "u"})["header"].tobytes().decode())
    return header if isinstance(header, dict) else {}


def read_witness(path: Path) -> Witness:
    """A witness, its fields checked for type and length.

    Raises:
        Unreadable: it is none.
    """
    try:
        header = _header(path)
        arrays = tuple(read_arrays(path, {"input": "f", "output": "f"}).values())
        witness = Witness(header["model"], header["property"], *arrays)
        version = header["version"]
    except DAMAGED as error:
        raise Unreadable(f"{path}: no witness ({type(error).__name__}: {error})") from error
    if version != VERSION:
        raise Unreadable(f"{path}: version {version} of the format; this checker knows {VERSION}")
    for array in arrays:
        if array.dtype.kind != "f" or array.ndim != 1 or array.dtype.itemsize > 8:
            raise Unreadable(f"{path}: an array of type {array.dtype} with {array.ndim} dimensions")
    if not np.isfinite(witness.input).all():
        raise Unreadable(f"{path}: inputs that are not finite")
    return witness


def check_witness(network: Path, prop: Path, path: Path, exact: bool = False) -> None:
    """Checks a witness's file against the model and the property.

    Raises:
        Weak: something does not hold; the text says what.
        Unreadable: a file cannot be read, or has something that is not known here.
    """
    witness = read_witness(path)
    if digest_of_model(network) != witness.model:
        raise Weak(f"it is a witness about another model than {network}")
    if digest_of_property(prop) != witness.property:
        raise Weak(f"it is a witness about another property than {prop}")
    graph, assertions = read_model(network), Assertions.read(prop)
    _look_at_the_sizes(witness, graph, assertions)
    inputs = {f"X_{i}": _point(value) for i, value in enumerate(witness.input.tolist())}
    if wrong := assertions.outside(inputs):
        raise Weak(f"the input is not in the input set: {wrong} does not hold")
    outputs = {f"Y_{j}": _point(value) for j, value in enumerate(witness.output.tolist())}
    if assertions.hold(inputs | outputs) is not True:
        raise Weak("the outputs that it records do not violate the property")
    for enclosed in _enclosures(graph, witness.input, exact):
        holds = assertions.hold(inputs | enclosed)
        if holds:
            return
        if holds is False:
            raise Weak("in real numbers the model's outputs do not violate the property there: float32's rounding does")
    raise Weak("whether the model's outputs violate the property there cannot be confirmed: rounding decides")


def _look_at_the_sizes(witness: Witness, graph: Graph, assertions: Assertions) -> None:
    """That witness, model and property speak of as many inputs, and outputs."""
    for kind, prefix, has, wants in (
        ("inputs", "X_", len(witness.input), graph.nodes[0].size),
        ("outputs", "Y_", len(witness.output), graph.nodes[graph.output].size),
    ):
        if not has == wants == assertions.count(prefix):
            raise Weak(f"it has {has} {kind}, the model {wants}, the property {assertions.count(prefix)}")


def _point(value: float) -> Interval | None:
    return (Fraction(value), Fraction(value)) if np.isfinite(value) else None


def _enclosures(graph: Graph, x: Array, exact: bool) -> Iterator[Values]:
    """Intervals of the outputs at a point, one set after the other, the dearer ones last."""
    bounder = Bounder(rational(graph) if exact else graph, exact)
    at = np.array([Fraction(float(v)) for v in x], object)[None] if exact else x.astype(float)[None]
    state = bounder.propagated(at, at)
    yield _named(state.lower[graph.output][0], state.upper[graph.output][0])
    one = np.eye(graph.nodes[graph.output].size)
    rows = np.concatenate([one, -one])[None]
    if exact:
        rows = exactly(rows)
    least = bounder.least(state, graph.output, rows)[0]
    yield _named(least[: len(one)], -least[len(one) :])
    if sum(node.size for node in graph.nodes) <= SHARPENED:
        least = bounder.least(bounder.sharpened(state), graph.output, rows)[0]
        yield _named(least[: len(one)], -least[len(one) :])


def _named(lower: Array, upper: Array) -> Values:
    found: Values = {}
    for j, (low, high) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
        known = all(isinstance(end, Fraction) or np.isfinite(end) for end in (low, high))
        found[f"Y_{j}"] = (Fraction(low), Fraction(high)) if known else None
    return found


class Assertions:
    """The assertions of a VNN-LIB 1.0 property, as they are written.

    Args:
        variables: that are declared.
        formulas: one for each assertion.
    """

    def __init__(self, variables: set[str], formulas: Sequence[Expression]) -> None:
        self.variables, self.formulas = variables, formulas

    @classmethod
    def read(cls, path: Path) -> Assertions:
        """Those of a file.

        Raises:
            Unreadable: it is none.
        """
        try:
            statements = parsed(contents(path, PROPERTY).decode())
        except (UnicodeDecodeError, Unreadable) as error:
            raise Unreadable(f"{path}: {error}") from error
        variables: set[str] = set()
        formulas = []
        for statement in statements:
            if not isinstance(statement, tuple) or not statement:
                raise Unreadable(f"{path}: '{statement}' outside any statement")
            if statement[0] == "declare-const" and len(statement) == 3 and statement[2] == "Real":
                variables.add(str(statement[1]))
            elif statement[0] == "assert" and len(statement) == 2:
                formulas.append(statement[1])
            else:
                raise Unreadable(f"{path}: a statement '{statement[0]}' is not known")
        return cls(variables, formulas)

    def count(self, prefix: str) -> int:
        """How many variables have a prefix.

        Raises:
            Unreadable: their numbers have gaps.
        """
        names = {name for name in self.variables if name.startswith(prefix)}
        if names != {f"{prefix}{k}" for k in range(len(names))}:
            raise Unreadable(f"variables {prefix}0, {prefix}1, ... are not declared without gaps")
        return len(names)

    def hold(self, values: Values) -> bool | None:
        """Whether all of them hold together; None where that is open."""
        return _all(_holds(formula, values) for formula in self.formulas)

    def outside(self, inputs: Values) -> str:
        """An assertion that the inputs alone make false, as text; "" where there is none."""
        values = inputs | {name: None for name in self.variables if name not in inputs}
        for formula in self.formulas:
            if _holds(formula, values) is False:
                return _text(formula)
        return ""


def _text(formula: Expression) -> str:
    told = formula if isinstance(formula, str) else "(" + " ".join(_text(part) for part in formula) + ")"
    return told if len(told) <= 60 else told[:57] + "..."


def _all(parts: Iterator[bool | None]) -> bool | None:
    said = list(parts)  # all of them, so that what is not known is told wherever it stands
    return False if False in said else None if None in said else True


def _holds(formula: Expression, values: Values) -> bool | None:
    """Whether a formula holds for all values in their intervals (True), for none (False), or neither is known."""
    if isinstance(formula, str) or not formula:
        raise Unreadable(f"'{formula}' where a formula is expected")
    head, *rest = formula
    if head == "and":
        return _all(_holds(part, values) for part in rest)
    if head == "or":
        said = [_holds(part, values) for part in rest]
        return True if True in said else None if None in said else False
    if head in ("<=", ">=", "<", ">") and len(rest) == 2:
        less, more = (_value(term, values) for term in (rest if str(head).startswith("<") else rest[::-1]))
        if less is None or more is None:
            return None
        if head in ("<", ">"):
            return True if less[1] < more[0] else False if less[0] >= more[1] else None
        return True if less[1] <= more[0] else False if less[0] > more[1] else None
    raise Unreadable(f"'{head}' is not known")


def _value(term: Expression, values: Values) -> Interval | None:
    if isinstance(term, str):
        if VARIABLE.fullmatch(term):
            if term not in values:
                raise Unreadable(f"{term} is not declared")
            return values[term]
        if not NUMBER.fullmatch(term):
            raise Unreadable(f"'{term}' is no number")
        return Fraction(term), Fraction(term)
    if not term or not isinstance(term[0], str) or term[0] not in ARITHMETIC or len(term) < 2:
        raise Unreadable(f"a term '{_text(term)}' is not known")
    parts = [_value(part, values) for part in term[1:]]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if term[0] == "-" and len(known) == 1:
        return -known[0][1], -known[0][0]
    total = known[0]
    for part in known[1:]:
        total = ARITHMETIC[term[0]](total, part)
    return total


def _times(a: Interval, b: Interval) -> Interval:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


ARITHMETIC: dict[str, Callable[[Interval, Interval], Interval]] = {
    "+": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "-": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "*": _times,
}
