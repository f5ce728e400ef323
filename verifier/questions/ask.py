"""Questions from conditions: the same queries that VNN-LIB files make, by the same reader."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from verifier.errors import PropertyError
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.property.robustness import near
from verifier.questions.conditions import Condition, Either
from verifier.questions.inputs import Near
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.version1 import read_version1


def query_of(network: Network, inputs: Condition, violation: Condition, name: str = "question") -> Query:
    """Is there an input where `inputs` and `violation` hold?

    Args:
        network: whose inputs and outputs the conditions name.
        inputs: has to bound every input.
        violation: what must not happen.
        name: for messages.

    Raises:
        PropertyError: an input is unbounded, or there is no such input or output; or balls are joined otherwise than by
            `&`, or are two.
    """
    balls = [part for part in inputs.parts_of_all() if _is_ball(part)]
    if len(balls) > 1:
        raise PropertyError("two balls of norm 1 or 2", name, "ask about one of them")
    elsewhere = [*_alternatives(inputs), *violation.parts_of_all(), *_alternatives(violation)]
    if any(map(_is_ball, elsewhere)):
        raise PropertyError("a ball of norm 1 or 2 that is no input set by itself", name, "join it by & to the inputs")
    lines = [f"(declare-const X_{i} Real)" for i in range(network.input_size)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(network.output_size)]
    lines += [f"(assert {c.text(network)})" for c in (*inputs.parts_of_all(), violation)]
    query = read_version1(Source.of("\n".join(lines), name)).not_empty()
    for found in balls:
        query = near(query, found.neighbourhood(network))
    return replace(query, name=name)


def _is_ball(condition: Condition) -> TypeGuard[Near]:
    """Whether it is a ball that is no box."""
    return isinstance(condition, Near) and condition.norm in (1, 2)


def _alternatives(condition: Condition) -> list[Condition]:
    """All parts that stand within an alternative."""
    found: list[Condition] = []
    for part in condition.parts_of_all():
        if isinstance(part, Either):
            for inner in part.parts:
                found += [*inner.parts_of_all(), *_alternatives(inner)]
    return found
