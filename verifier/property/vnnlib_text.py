"""A query as VNN-LIB 1.0 text, which reads back as the same query, bit for bit.

Coefficients and thresholds are written exactly. A box does not keep its exact ends but the floats around them (`Box`):
an end that is no float32 is written as a decimal to which the reader gives these floats, which is within one unit in
the last place of float64 of the exact one, and where the query was read from a file, as a rule the file's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from verifier.property.query import Box, LinearConstraint, Query


def text_of(query: Query) -> str:
    """The query's text.

    What version 1.0 cannot say, balls and products, stands in it as a sentence, so that the text is no property that
    could be read as another.
    """
    boxes = {id(d.box): d.box for d in query.disjuncts}
    lines = [f"; {line}" for line in f"{query.name}: what is described is a violation".splitlines()]
    lines += [f"(declare-const X_{i} Real)" for i in range(query.input_size)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(query.output_size)]
    if balls := [box.ball for box in boxes.values() if box.ball is not None]:
        lines.append(f"(the inputs lie in a ball of norm {balls[0].norm} and radius {balls[0].radius!r} as well)")
    if any(row.products for d in query.disjuncts for row in d.rows):
        lines.append("(rows have products of variables as well)")
    if not query.disjuncts:
        return "\n".join([*lines, "(assert false)", ""])
    if len(boxes) == 1:
        lines += [f"(assert {end})" for end in ends(query.disjuncts[0].box)]
        parts = [[_row(row) for row in d.rows] for d in query.disjuncts]
    else:
        parts = [[*ends(d.box), *map(_row, d.rows)] for d in query.disjuncts]
    if any(parts):
        lines.append(f"(assert {_any(parts)})")
    return "\n".join([*lines, ""])


def number(value: Fraction) -> str:
    """A number in VNN-LIB, exactly: a decimal, or a quotient of two."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        sign = "-" if value < 0 else ""
        return f"(/ {sign}{abs(value.numerator)}.0 {value.denominator}.0)"
    near = repr(float(value))
    return near if Fraction(near) == value else _written_out(value)


def decimal(value: float | Fraction) -> str:
    """The shortest decimal that reads back as a float64; exact where that is a float32. Of a fraction the exact one."""
    if isinstance(value, Fraction):
        return number(value)
    return str(Decimal(value)) if _is_float32(value) and Fraction(repr(value)) != value else repr(value)


def _written_out(value: Fraction) -> str:
    """A fraction whose denominator has no prime factors but 2 and 5."""
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    return f"{int(value * 10**places)}e-{places}" if places else f"{int(value)}.0"


def ends(box: Box) -> Iterator[str]:
    """The bounds of a box; infinite ones are left out, as VNN-LIB has none."""
    low = zip(box.lower.tolist(), box.inner_lower.tolist(), strict=True)
    high = zip(box.upper.tolist(), box.inner_upper.tolist(), strict=True)
    for i, (lower, upper) in enumerate(zip(low, high, strict=True)):
        if math.isfinite(lower[0]):
            strict, value = _end(*lower)
            yield f"({'>' if strict else '>='} X_{i} {decimal(value)})"
        if math.isfinite(upper[0]):
            strict, value = _end(-upper[0], -upper[1])
            yield f"({'<' if strict else '<='} X_{i} {decimal(-value)})"


def _end(outer: float, inner: float) -> tuple[bool, float | Fraction]:
    """Whether a lower bound is strict, and its value: such that the reader rounds it to these two floats."""
    if _is_float32(outer):
        return inner > outer, outer
    above = math.nextafter(outer, math.inf)
    if not _is_float32(above):  # the reader encloses a decimal whose nearest float64 is no float32 by one step
        return False, above
    return False, (Fraction(outer) + 3 * Fraction(above)) / 4


def _is_float32(value: float) -> bool:
    with np.errstate(over="ignore"):
        return float(np.float32(value)) == value


def _row(row: LinearConstraint) -> str:
    terms = [(f"X_{i}", c) for i, c in row.inputs] + [(f"Y_{j}", c) for j, c in row.outputs]
    words = [name if c == 1 else f"(* {number(c)} {name})" for name, c in terms]
    left = words[0] if len(words) == 1 else f"(+ {' '.join(words)})"
    return f"({'<' if row.strict else '<='} {left} {number(row.constant)})"


def _any(parts: Iterable[list[str]]) -> str:
    several = [f"(and {' '.join(part)})" if len(part) != 1 else part[0] for part in parts]
    several = ["true" if part == "(and )" else part for part in several]
    return several[0] if len(several) == 1 else f"(or {' '.join(several)})"
