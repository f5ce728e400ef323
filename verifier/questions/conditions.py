"""Conditions on inputs and outputs: linear rows, joined by and (`&`), or (`|`) and not (`~`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from verifier.arguments import whole
from verifier.errors import Argument, PropertyError, UsageError
from verifier.property.vnnlib_text import number
from verifier.questions.forms import Form

if TYPE_CHECKING:
    from verifier.network.graph import Network


class Condition:
    """What holds or does not at an input and its output; joined by `&`, `|` and `~`."""

    def __and__(self, other: Condition) -> Condition:
        return Every((self, _condition(other)))

    def __or__(self, other: Condition) -> Condition:
        return Either((self, _condition(other)))

    def __invert__(self) -> Condition:
        raise NotImplementedError

    def text(self, network: Network) -> str:
        """The condition in VNN-LIB, for a network."""
        raise NotImplementedError

    def parts_of_all(self) -> Iterator[Condition]:
        """The conditions that all have to hold; itself, where it is no conjunction."""
        yield self

    def __bool__(self) -> bool:
        raise TypeError(
            "a condition is no truth value: join conditions by &, | and ~, not by and, or, not or a < b < c"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Row(Condition):
    """form <= 0, or form < 0 where `strict`."""

    form: Form
    strict: bool = False

    def __invert__(self) -> Condition:
        return Row(-self.form, not self.strict)

    def text(self, network: Network) -> str:
        for letter, index in self.form.terms:
            size, kind = (network.input_size, "input") if letter == "X" else (network.output_size, "output")
            if index >= size:
                cause = f"there is no {kind} {letter}_{index}"
                raise PropertyError(cause, network.name, f"give one from {letter}_0 to {letter}_{size - 1}")
        terms = [_term(f"{letter}_{index}", c) for (letter, index), c in self.form.terms.items()]
        left = terms[0] if len(terms) == 1 else f"(+ {' '.join(terms)})" if terms else "0.0"
        return f"({'<' if self.strict else '<='} {left} {number(-self.form.constant)})"

    def __repr__(self) -> str:
        return f"{Form(self.form.terms)} {'<' if self.strict else '<='} {Form(constant=-self.form.constant)}"


@dataclass(frozen=True, eq=False, repr=False)
class Every(Condition):
    """All of the parts hold; always so where there are none."""

    parts: tuple[Condition, ...]

    def __invert__(self) -> Condition:
        return Either(tuple(~part for part in self.parts))

    def text(self, network: Network) -> str:
        return f"(and {' '.join(part.text(network) for part in self.parts)})" if self.parts else "true"

    def parts_of_all(self) -> Iterator[Condition]:
        for part in self.parts:
            yield from part.parts_of_all()

    def __repr__(self) -> str:
        return " & ".join(f"({part!r})" for part in self.parts) or "true"


@dataclass(frozen=True, eq=False, repr=False)
class Either(Condition):
    """Any of the parts holds; never so where there are none."""

    parts: tuple[Condition, ...]

    def __invert__(self) -> Condition:
        return Every(tuple(~part for part in self.parts))

    def text(self, network: Network) -> str:
        return f"(or {' '.join(part.text(network) for part in self.parts)})" if self.parts else "false"

    def __repr__(self) -> str:
        return " | ".join(f"({part!r})" for part in self.parts) or "false"


class Variables:
    """The inputs or the outputs by index, flat and row by row: `X[0]`, `Y[3]`."""

    def __init__(self, letter: str) -> None:
        self._letter = letter

    def __getitem__(self, index: int) -> Form:
        found = whole(index, "index")
        if found < 0:
            raise UsageError(f"an index of {found}", Argument("index"), "count from 0 on")
        return Form({(self._letter, found): Fraction(1)})

    def __iter__(self) -> Iterator[Form]:
        raise TypeError(f"{self._letter} has no length: say {self._letter}[0], {self._letter}[1], ...")

    def __repr__(self) -> str:
        return self._letter


X, Y = Variables("X"), Variables("Y")


def _condition(value: object) -> Condition:
    if not isinstance(value, Condition):
        raise UsageError(f"{value!r} is no condition", Argument("condition"), "compare forms: (Y[0] <= 1) & (Y[1] > 0)")
    return value


def _term(name: str, coefficient: Fraction) -> str:
    return name if coefficient == 1 else f"(* {number(coefficient)} {name})"
