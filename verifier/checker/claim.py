"""Reads a VNN-LIB 1.0 property as what is claimed to be impossible.

    (declare-const X_0 Real) ... (assert F), F of and, or, <=, >=, <, > over sums of terms

A conjunction of inputs' bounds makes a box, all rows of outputs belong to its disjunct. Numbers are read as rational
numbers.
"""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path

from verifier.checker.graph import Unreadable

TOKEN = re.compile(r"[()]|[^\s()]+")
MOST = 200_000
"""Disjuncts at most."""
Expression = str | list["Expression"]
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
class Inequality:
    """sum <= 0, or < 0."""

    terms: tuple[tuple[str, Fraction], ...]
    strict: bool


def read_property(path: Path) -> list[Disjunct]:
    """The disjuncts of a property.

    Raises:
        Unreadable: it is none, or says more than is known here.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    except (OSError, UnicodeDecodeError, EOFError) as error:
        raise Unreadable(f"{path}: {error}") from error
    variables: set[str] = set()
    every: list[list[list[Inequality]]] = []
    for statement in _parsed(text):
        if not isinstance(statement, list) or not statement:
            raise Unreadable(f"{path}: '{statement}' outside any statement")
        if statement[0] == "declare-const" and len(statement) == 3 and statement[2] == "Real":
            variables.add(str(statement[1]))
        elif statement[0] == "assert" and len(statement) == 2:
            every.append(_alternatives(statement[1]))
        else:
            raise Unreadable(f"{path}: a statement '{statement[0]}' is not known")
    inputs = _count(variables, "X_")
    _count(variables, "Y_")
    total = 1
    for alternatives in every:
        total *= len(alternatives)
    if total > MOST:
        raise Unreadable(f"{path}: {total} disjuncts")
    shared = Parts(variables, [None] * inputs, [None] * inputs, [])
    for alternatives in every:
        if len(alternatives) == 1 and not shared.take(alternatives[0]):
            return []
    found = []
    for choice in product(*(alternatives for alternatives in every if len(alternatives) > 1)):
        parts = shared.copy()
        if all(parts.take(part) for part in choice) and (disjunct := parts.disjunct()) is not None:
            found.append(disjunct)
    return found


def _parsed(text: str) -> list[Expression]:
    stack: list[list[Expression]] = [[]]
    for line in text.splitlines():
        for token in TOKEN.findall(line.partition(";")[0]):
            if token == "(":
                stack.append([])
            elif token == ")":
                if len(stack) == 1:
                    raise Unreadable("a bracket closes that was not opened")
                done = stack.pop()
                stack[-1].append(done)
            else:
                stack[-1].append(token)
    if len(stack) > 1:
        raise Unreadable("a bracket is not closed")
    return stack[0]


def _count(variables: set[str], prefix: str) -> int:
    """How many variables have a prefix; their numbers must have no gaps."""
    numbers = sorted(int(v[len(prefix) :]) for v in variables if v.startswith(prefix) and v[len(prefix) :].isdecimal())
    if numbers != list(range(len(numbers))) or not numbers:
        raise Unreadable(f"variables {prefix}0, {prefix}1, ... are not declared without gaps")
    return len(numbers)


def _alternatives(formula: Expression) -> list[list[Inequality]]:
    """A formula as a disjunction of conjunctions."""
    if isinstance(formula, str) or not formula:
        raise Unreadable(f"'{formula}' where a formula is expected")
    head, *rest = formula
    if head == "or":
        return [one for part in rest for one in _alternatives(part)]
    if head == "and":
        found: list[list[Inequality]] = [[]]
        for part in rest:
            options = _alternatives(part)
            if len(found) * len(options) > MOST:
                raise Unreadable("too many disjuncts")
            found = [a + b for a in found for b in options] if len(options) > 1 else [a + options[0] for a in found]
        return found
    if head in ("<=", ">=", "<", ">") and len(rest) == 2:
        less, more = (_sum(rest[0]), _sum(rest[1])) if str(head).startswith("<") else (_sum(rest[1]), _sum(rest[0]))
        return [[Inequality(tuple(_plus(less, more, Fraction(-1)).items()), head in ("<", ">"))]]
    raise Unreadable(f"'{head}' is not known")


def _sum(term: Expression) -> Sum:
    if isinstance(term, str):
        return {term: Fraction(1)} if term[:2] in ("X_", "Y_") else {"": _number(term)}
    head, *rest = term
    parts = [_sum(part) for part in rest]
    if head == "+":
        total: Sum = {}
        for part in parts:
            total = _plus(total, part, Fraction(1))
        return total
    if head == "-" and len(parts) == 1:
        return _plus({}, parts[0], Fraction(-1))
    if head == "-" and parts:
        total = parts[0]
        for part in parts[1:]:
            total = _plus(total, part, Fraction(-1))
        return total
    if head == "*" and len(parts) == 2:
        for factor, other in (parts, parts[::-1]):
            if set(factor) <= {""}:
                return {name: factor.get("", Fraction(0)) * value for name, value in other.items()}
    raise Unreadable(f"a term '{head}' is not known")


def _plus(a: Sum, b: Sum, by: Fraction) -> Sum:
    return {name: a.get(name, Fraction(0)) + by * b.get(name, Fraction(0)) for name in {**a, **b}}


def _number(text: str) -> Fraction:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", text):
        raise Unreadable(f"'{text}' is no number")
    return Fraction(text)


@dataclass
class Parts:
    """What a conjunction says so far: ends for each input, and rows."""

    variables: set[str]
    lower: list[Fraction | None]
    upper: list[Fraction | None]
    rows: list[Row]

    def copy(self) -> Parts:
        return Parts(self.variables, list(self.lower), list(self.upper), list(self.rows))

    def take(self, inequalities: list[Inequality]) -> bool:
        """Adds inequalities; whether they can hold by their constants alone."""
        for inequality in inequalities:
            terms = {name: value for name, value in inequality.terms if value and name}
            constant = dict(inequality.terms).get("", Fraction(0))
            for name in terms:
                if name not in self.variables:
                    raise Unreadable(f"{name} is not declared")
            if not terms:
                if constant > 0 or (constant == 0 and inequality.strict):
                    return False
            elif all(name.startswith("Y_") for name in terms):
                coefficients = tuple(sorted((int(name[2:]), value) for name, value in terms.items()))
                self.rows.append(Row(coefficients, -constant, inequality.strict))
            elif len(terms) == 1:
                ((name, value),) = terms.items()
                j, end = int(name[2:]), -constant / value
                ends, better = (self.upper, min) if value > 0 else (self.lower, max)
                held = ends[j]
                ends[j] = end if held is None else better(held, end)
            else:
                raise Unreadable(f"a row over {' and '.join(terms)} is not known to the checker")
        return True

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
