"""Reads a VNN-LIB 1.0 property as what is claimed to be impossible.

    (declare-const X_0 Real) ... (assert F), F of and, or, <=, >=, <, > over sums of terms

A conjunction of inputs' bounds makes a box, all rows of outputs belong to its disjunct. Numbers are read as rational
numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from pathlib import Path

from verifier.checker.files import PROPERTY, contents
from verifier.checker.graph import Unreadable

TOKEN = re.compile(r"[()]|[^ \t()]+")
LINE = re.compile(r"[\r\n]")
"""Where lines, and comments, end: not at the other separators that Python knows."""
VARIABLE = re.compile(r"[XY]_(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
MOST = 200_000
"""Disjuncts at most."""
Expression = str | tuple["Expression", ...]
Sum = dict[str, Fraction]
"""Coefficients by variable; "" is the constant."""


@dataclass(frozen=True)
class Row:
    """sum of coefficients[j] Y_j <= threshold, or < where it is strict."""

    coefficients: tuple[tuple[int, Fraction], ...]
    threshold: Fraction
    strict: bool


@dataclass(frozen=True)
class Disjunct:
    """A box, ends for each input, and rows."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Claim:
    """That there is no point of any disjunct; `inputs` and `outputs` count the variables that are declared."""

    inputs: int
    outputs: int
    disjuncts: list[Disjunct]


@dataclass(frozen=True)
class End:
    """X_j <= value, or >= value where it is no upper end; a strict one is taken as one that is not."""

    j: int
    value: Fraction
    upper: bool


Atom = Row | End | bool
"""An inequality over outputs, of one input; or whether one may hold that says nothing of these."""


def read_property(path: Path) -> Claim:
    """The claim of a property.

    Raises:
        Unreadable: it is none, or says more than is known here.
    """
    try:
        return _claim(parsed(contents(path, PROPERTY).decode()))
    except (UnicodeDecodeError, RecursionError, Unreadable) as error:
        raise Unreadable(f"{path}: {error}") from error


def _claim(statements: tuple[Expression, ...]) -> Claim:
    variables: set[str] = set()
    every: list[list[list[Atom]]] = []
    for statement in statements:
        if not isinstance(statement, tuple) or not statement:
            raise Unreadable(f"'{statement}' outside any statement")
        if statement[0] == "declare-const" and len(statement) == 3 and statement[2] == "Real":
            variables.add(str(statement[1]))
        elif statement[0] == "assert" and len(statement) == 2:
            every.append(_alternatives(statement[1]))
        else:
            raise Unreadable(f"a statement '{statement[0]}' is not known")
    inputs, outputs = (sum(name.startswith(prefix) for name in variables) for prefix in "XY")
    if variables != {f"X_{j}" for j in range(inputs)} | {f"Y_{j}" for j in range(outputs)} or not inputs or not outputs:
        raise Unreadable("variables X_0, X_1, ... and Y_0, Y_1, ... are not declared without gaps")
    total = 1
    for alternatives in every:
        total *= len(alternatives)
    if total > MOST:
        raise Unreadable(f"{total} disjuncts")
    claim = Claim(inputs, outputs, [])
    shared = Parts([None] * inputs, [None] * inputs, [], outputs)
    if not all(shared.take(alternatives[0]) for alternatives in every if len(alternatives) == 1):
        return claim
    for choice in product(*(alternatives for alternatives in every if len(alternatives) > 1)):
        parts = shared.copy()
        if all(parts.take(part) for part in choice) and (disjunct := parts.disjunct()) is not None:
            claim.disjuncts.append(disjunct)
    return claim


def parsed(text: str) -> tuple[Expression, ...]:
    """The statements of a text, as nested brackets."""
    stack: list[list[Expression]] = [[]]
    for line in LINE.split(text):
        for token in TOKEN.findall(line.partition(";")[0]):
            if token == "(":
                stack.append([])
            elif token != ")":
                stack[-1].append(token)
            elif len(stack) > 1:
                done = tuple(stack.pop())
                stack[-1].append(done)
            else:
                raise Unreadable("a bracket closes that was not opened")
    if len(stack) > 1:
        raise Unreadable("a bracket is not closed")
    return tuple(stack[0])


def _alternatives(formula: Expression) -> list[list[Atom]]:
    """A formula as a disjunction of conjunctions."""
    if isinstance(formula, str) or not formula:
        raise Unreadable(f"'{formula}' where a formula is expected")
    head, *rest = formula
    if head == "or" and rest:
        either: list[list[Atom]] = []
        for part in rest:
            either += _alternatives(part)
            if len(either) > MOST:
                raise Unreadable("too many disjuncts")
        return either
    if head == "and":
        found: list[list[Atom]] = [[]]
        for part in rest:
            options = _alternatives(part)
            if len(found) * len(options) > MOST:
                raise Unreadable("too many disjuncts")
            if len(options) == 1:
                for one in found:
                    one += options[0]
            else:
                found = [a + b for a in found for b in options]
        return found
    if head in ("<=", ">=", "<", ">") and len(rest) == 2:
        less, more = rest if head in ("<=", "<") else rest[::-1]
        return [[_atom(less, more, head in ("<", ">"))]]
    raise Unreadable(f"'{head}' is not known")


@lru_cache(1 << 16)
def _atom(less: Expression, more: Expression, strict: bool) -> Atom:
    """What less <= more says, or less < more where it is strict."""
    terms = _plus(_sum(less), _negated(_sum(more)))
    threshold = -terms.pop("", Fraction(0))
    terms = {name: value for name, value in terms.items() if value}
    if not terms:
        return threshold > 0 or (threshold == 0 and not strict)
    if all(name.startswith("Y_") for name in terms):
        return Row(tuple(sorted((int(name[2:]), value) for name, value in terms.items())), threshold, strict)
    if len(terms) > 1:
        return True  # a row over several inputs: what is shown without this condition holds with it
    ((name, value),) = terms.items()
    return End(int(name[2:]), threshold / value, value > 0)


def _sum(term: Expression) -> Sum:
    if isinstance(term, str):
        if VARIABLE.fullmatch(term):
            return {term: Fraction(1)}
        if NUMBER.fullmatch(term):
            return {"": Fraction(term)}
        raise Unreadable(f"'{term}' is neither a number nor a variable X_0, X_1, ... or Y_0, Y_1, ...")
    head, *rest = term or ("",)
    parts = [_sum(part) for part in rest]
    if head == "-" and len(parts) == 1:
        return _negated(parts[0])
    if head in ("+", "-") and parts:
        total = parts[0]
        for part in parts[1:]:
            total = _plus(total, part if head == "+" else _negated(part))
        return total
    if head == "*" and len(parts) == 2:
        for factor, other in (parts, parts[::-1]):
            if set(factor) == {""}:
                return {name: factor[""] * value for name, value in other.items()}
    raise Unreadable(f"a term '{head}' is not known")


def _plus(a: Sum, b: Sum) -> Sum:
    return {name: a.get(name, Fraction(0)) + b.get(name, Fraction(0)) for name in {**a, **b}}


def _negated(a: Sum) -> Sum:
    return {name: -value for name, value in a.items()}


@dataclass
class Parts:
    """What a conjunction says so far: ends for each input, and rows over some number of outputs."""

    lower: list[Fraction | None]
    upper: list[Fraction | None]
    rows: list[Row]
    outputs: int

    def copy(self) -> Parts:
        return Parts(list(self.lower), list(self.upper), list(self.rows), self.outputs)

    def take(self, atoms: list[Atom]) -> bool:
        """Adds inequalities; whether they can hold by their constants alone."""
        for atom in atoms:
            if isinstance(atom, End):
                if atom.j >= len(self.lower):
                    raise Unreadable(f"X_{atom.j} is not declared")
                ends, better = (self.upper, min) if atom.upper else (self.lower, max)
                held = ends[atom.j]
                ends[atom.j] = atom.value if held is None else better(held, atom.value)
            elif isinstance(atom, Row):
                if atom.coefficients[-1][0] >= self.outputs:
                    raise Unreadable(f"Y_{atom.coefficients[-1][0]} is not declared")
                self.rows.append(atom)
        return all(atom is not False for atom in atoms)

    def disjunct(self) -> Disjunct | None:
        """The box and the rows; None where ends cross."""
        lower, upper = [], []
        for j, (low, high) in enumerate(zip(self.lower, self.upper, strict=True)):
            if low is None or high is None:
                raise Unreadable(f"X_{j} has no bound on one side")
            if low > high:
                return None
            lower.append(low)
            upper.append(high)
        return Disjunct(tuple(lower), tuple(upper), tuple(self.rows))
