"""From a formula in normal form to the query's disjuncts."""

from __future__ import annotations

from verifier.property.query import Disjunct, LinearConstraint, Query
from verifier.readers.vnnlib.boxes import Key, boxes
from verifier.readers.vnnlib.formula import MOST_BOX_ENTRIES, Conjunctions, Formula, TooLarge


def query_of(formula: Formula, input_size: int, output_size: int, name: str) -> Query:
    """The query of a formula that has been read to its end.

    Disjuncts whose input box is empty are left out, exactly where the file's decimals say so.

    Raises:
        Unbounded: a disjunct misses a bound on an input.
        TooLarge: the normal form is too large to hold.
    """
    conjunctions = formula.conjunctions
    alternatives = formula.normal_form()
    counts = conjunctions.counts
    keys: dict[Key, int] = {}
    boxed = [keys.setdefault(tuple([n for n in a if counts[n]]), len(keys)) for a in alternatives]
    if len(keys) * input_size > MOST_BOX_ENTRIES:
        raise TooLarge(f"{len(keys):,} boxes of {input_size:,} inputs are too many to hold")
    all_boxes = boxes(conjunctions.bounds(), counts, list(keys), input_size)
    disjuncts = tuple(
        Disjunct(box, _rows(alternative, conjunctions))
        for alternative, k in zip(alternatives, boxed, strict=True)
        if (box := all_boxes[k]) is not None
    )
    return Query(disjuncts, input_size, output_size, _note(alternatives, disjuncts), name)


def _rows(alternative: tuple[int, ...], conjunctions: Conjunctions) -> tuple[LinearConstraint, ...]:
    """The rows of an alternative, each object once."""
    lists = [rows for number in alternative if (rows := conjunctions.rows.get(number))]
    if len(lists) == 1 and len(lists[0]) == 1:
        return tuple(lists[0])
    return tuple({id(row): row for rows in lists for row in rows}.values())


def _note(alternatives: list[tuple[int, ...]], disjuncts: tuple[Disjunct, ...]) -> str:
    if not alternatives:
        return "the property is false whatever the input: vacuously unsat"
    if not disjuncts:
        return "the input set is empty: vacuously unsat"
    if not all(disjunct.rows for disjunct in disjuncts):
        return "nothing is asked of the outputs in part of the input set: every input there is a violation"
    return ""
