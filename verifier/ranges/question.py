"""What is asked of ranges: linear forms of a network's outputs and inputs, over an input set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from verifier.errors import PropertyError
from verifier.network.graph import Network
from verifier.property.query import Box, Disjunct, LinearConstraint, Query


@dataclass(frozen=True)
class LinearForm:
    """sum_i a_i X_i + sum_j b_j Y_j + constant, with exact coefficients.

    Attributes:
        inputs, outputs: (index, coefficient) pairs, indices ascending, coefficients not 0.
        constant: what is added.
        name: for people.
    """

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    constant: Fraction
    name: str

    @classmethod
    def output(cls, index: int) -> LinearForm:
        """One output."""
        return cls((), ((index, Fraction(1)),), Fraction(0), f"Y_{index}")

    def at_most(self, value: Fraction, sign: int) -> LinearConstraint:
        """The row sign * (form without its constant) <= value."""
        inputs, outputs = (tuple((k, sign * c) for k, c in pairs) for pairs in (self.inputs, self.outputs))
        return LinearConstraint(inputs, outputs, value)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the input set: a box with its ball, and rows on the inputs that all hold."""

    box: Box
    rows: tuple[LinearConstraint, ...]


@dataclass(frozen=True, eq=False)
class RangeQuestion:
    """The ranges of forms over the union of some parts.

    Attributes:
        signs: whose ends are searched: 1 for the lower, -1 for the upper.

    Raises:
        PropertyError: on construction, where there is no part or no form, or one names what the network lacks.
    """

    network: Network
    parts: tuple[Part, ...]
    forms: tuple[LinearForm, ...]
    signs: tuple[int, ...] = (1, -1)

    def __post_init__(self) -> None:
        if not self.parts:
            raise PropertyError("the input set is empty", fix="give one that holds an input")
        if not self.forms:
            raise PropertyError("nothing is asked about", fix="give outputs or forms")
        sizes = (self.network.input_size, "input X"), (self.network.output_size, "output Y")
        for form in self.forms:
            for pairs, (size, kind) in zip((form.inputs, form.outputs), sizes, strict=True):
                if pairs and pairs[-1][0] >= size:
                    cause = f"there is no {kind}_{pairs[-1][0]}"
                    raise PropertyError(cause, form.name, f"give one from 0 to {size - 1}")

    def query(self, part: Part, rows: Sequence[tuple[LinearForm, int, Fraction]], on_inputs: bool = True) -> Query:
        """A disjunct for each of (form, sign, value): does sign * form, without its constant, come to at most value?

        Args:
            on_inputs: whether the part's rows on the inputs belong to it.
        """
        more = part.rows if on_inputs else ()
        disjuncts = tuple(Disjunct(part.box, (*more, form.at_most(value, sign))) for form, sign, value in rows)
        return Query(disjuncts, self.network.input_size, self.network.output_size, name="range")


def parts_of(query: Query) -> tuple[Part, ...]:
    """The input set of a query: each box with the rows that concern inputs alone, once."""
    found: dict[tuple[int, tuple[LinearConstraint, ...]], Part] = {}
    for disjunct in query.disjuncts:
        rows = tuple(row for row in disjunct.rows if row.of_inputs)
        found.setdefault((id(disjunct.box), rows), Part(disjunct.box, rows))
    return tuple(found.values())
