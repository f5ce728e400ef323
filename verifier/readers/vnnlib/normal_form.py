"""From a formula in normal form to the query's disjuncts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from verifier.property.query import Disjunct, LinearConstraint, Query
from verifier.readers.vnnlib.bounds import Bounds
from verifier.readers.vnnlib.boxes import Ends, Key, boxes, crossing
from verifier.readers.vnnlib.formula import MOST_BOX_ENTRIES, Conjunctions, Formula, TooLarge

MOST_SEARCHED = 100
"""Empty boxes that are looked at for bounds that cross."""


def query_of(
    formula: Formula,
    input_size: int,
    output_size: int,
    name: str,
    element: Callable[[int], str] = "X_{}".format,
    ends: Ends | None = None,
) -> Query:
    """The query of a formula that has been read to its end.

    Disjuncts whose input box is empty are left out, exactly where the file's decimals say so. Where none is left and
    bounds cross, `Query.empty` says which.

    Args:
        element: what the file calls an input.
        ends: of inputs without bounds, where that is allowed.

    Raises:
        Unbounded: a disjunct misses a bound on an input, and there are no `ends`.
        TooLarge: the normal form is too large to hold.
    """
    conjunctions = formula.conjunctions
    alternatives = formula.normal_form()
    counts = conjunctions.counts
    keys: dict[Key, int] = {}
    boxed = [keys.setdefault(tuple([n for n in a if counts[n]]), len(keys)) for a in alternatives]
    if len(keys) * input_size > MOST_BOX_ENTRIES:
        raise TooLarge(f"{len(keys):,} boxes of {input_size:,} inputs are too many to hold")
    bounds = conjunctions.bounds()
    all_boxes = boxes(bounds, counts, list(keys), input_size, ends)
    disjuncts = tuple(
        Disjunct(box, _rows(alternative, conjunctions))
        for alternative, k in zip(alternatives, boxed, strict=True)
        if (box := all_boxes[k]) is not None
    )
    empty = "" if disjuncts else _crossing(bounds, counts, list(keys), element)
    return Query(disjuncts, input_size, output_size, _note(alternatives, disjuncts, empty), name, empty=empty)


def _crossing(bounds: Bounds, counts: Sequence[int], keys: Sequence[Key], element: Callable[[int], str]) -> str:
    """What leaves no input in any of the boxes, where bounds are the wrong way round: the first such pair."""
    for key in keys[:MOST_SEARCHED]:
        found = crossing(bounds, counts, key)
        if found is not None:
            variable, low, high = found
            return f"the lower bound of {element(variable)}, {low!r}, is above its upper bound, {high!r}"
    return ""


def _rows(alternative: tuple[int, ...], conjunctions: Conjunctions) -> tuple[LinearConstraint, ...]:
    """The rows of an alternative, each object once."""
    lists = [rows for number in alternative if (rows := conjunctions.rows.get(number))]
    if len(lists) == 1 and len(lists[0]) == 1:
        return tuple(lists[0])
    return tuple({id(row): row for rows in lists for row in rows}.values())


def _note(alternatives: list[tuple[int, ...]], disjuncts: tuple[Disjunct, ...], empty: str) -> str:
    if not alternatives:
        return "the property is false whatever the input: vacuously unsat"
    if not disjuncts:
        return f"the input set is empty ({empty or 'strict bounds leave nothing'}): vacuously unsat"
    if not all(disjunct.rows for disjunct in disjuncts):
        return "nothing is asked of the outputs in part of the input set: every input there is a violation"
    return ""
