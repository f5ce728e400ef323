"""A plain, slow, exact evaluator of VNN-LIB 1.0 text, written independently of the reader, to compare it with."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise

import numpy as np

Expression = str | list["Expression"]

_COMPARE = {
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "=": lambda a, b: a == b,
}


def expressions(text: str) -> list[list[Expression]]:
    """The S-expressions of a text."""
    stack: list[list[Expression]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    (result,) = stack
    return result  # type: ignore[return-value]


def term_value(term: Expression, x: np.ndarray, y: np.ndarray) -> Fraction:
    """The exact value of a term at a point."""
    if isinstance(term, str):
        if term[0] in "XY":
            return Fraction(float((x if term[0] == "X" else y)[int(term[2:])]))
        return Fraction(term)
    operator, *arguments = term
    first, *rest = (term_value(a, x, y) for a in arguments)
    for value in rest:
        if operator == "+":
            first += value
        elif operator == "-":
            first -= value
        elif operator == "*":
            first *= value
        elif operator == "/":
            first /= value
        else:
            raise ValueError(operator)
    return -first if operator == "-" and not rest else first


def holds(formula: Expression, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a formula holds at a point, exactly."""
    if isinstance(formula, str):
        return {"true": True, "false": False}[formula]
    operator, *arguments = formula
    if operator == "and":
        return all(holds(a, x, y) for a in arguments)
    if operator == "or":
        return any(holds(a, x, y) for a in arguments)
    values = [term_value(a, x, y) for a in arguments]
    return all(_COMPARE[operator](a, b) for a, b in pairwise(values))  # type: ignore[index]


def violated(text: str, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether all assertions of a property's text hold at a point, exactly."""
    return all(holds(e[1], x, y) for e in expressions(text) if e[0] == "assert")
