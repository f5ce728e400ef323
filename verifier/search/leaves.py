"""Domains without anything left to cut: what remains is a linear program, which a solver solves exactly.

The ascent nears the program's optimum and need not reach it. Where every function is linear in the domain, the bound of
the program, rebuilt from the solver's multipliers, is the domain's true margin up to rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.arrays import to_numpy
from verifier.deadline import Deadline
from verifier.programs.solvers.backend import Backend
from verifier.search.bounding import Bounder, Question
from verifier.search.domains import Domains
from verifier.search.observer import Observer


def solved(
    bounder: Bounder, leaf: Domains, observer: Observer, deadline: Deadline, solver: Backend | None
) -> tuple[Domains, bool]:
    """One leaf with the bound of its linear program, and whether the program's minimiser was accepted as a witness.

    Without a `solver` that is HiGHS.
    """
    from verifier.programs.margins import relaxed_margins

    question, d = bounder.question, int(leaf.disjunct[0])
    intervals = [(to_numpy(i.lower)[0], to_numpy(i.upper)[0]) for i in bounder.intervals(leaf)]
    exists = np.isfinite(question.thresholds[d])
    conjunction = question.rows[d][exists].argmax(axis=1), question.thresholds[d][exists]
    kept = {node: slot.columns[_narrowed(question, leaf, node)] for node, slot in question.shape.operands.items()}
    (outcome,) = relaxed_margins(
        question.engines.exact, question.box, intervals, [conjunction], deadline, kept, solver=solver
    )
    found = outcome.bound <= 0 and outcome.point is not None and observer.accepts(d, outcome.point)
    return replace(leaf, bound=np.maximum(leaf.bound, outcome.bound)), found


def _narrowed(question: Question, leaf: Domains, node: int) -> np.ndarray:
    """The node's open entries whose interval is not the root's: constraints, as they were cut or follow from cuts."""
    slot, root = question.shape.operands[node], question.intervals[node]
    lower, upper = (to_numpy(a)[0, slot.columns] for a in (root.lower, root.upper))
    return (leaf.lower[0, slot.part] > lower) | (leaf.upper[0, slot.part] < upper)
