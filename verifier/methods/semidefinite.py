"""The stage of the semidefinite relaxation, for small relu networks (Raghunathan et al., arXiv 1811.01057)."""

from __future__ import annotations

from verifier.bounds.interval import interval_bounds, placed
from verifier.methods.task import Task, host
from verifier.network.clips import clips_as_relus


def sdp(task: Task) -> None:
    """The semidefinite relaxation of each open box, solved for its open disjuncts; where it cannot be, a note says why.

    Raises:
        UsageError: CVXPY or SCS is not installed.
    """
    from verifier.programs.semidefinite import require_solver, semidefinite_margins

    require_solver()
    network, place = clips_as_relus(task.forms)
    patterns, boxes = task.query.patterns, task.open_conjunctions()
    for count, (box, disjuncts) in enumerate(boxes):
        conjunctions = [(patterns.rows[d], patterns.thresholds[d]) for d in disjuncts]
        known = task.enclosures.of(box)
        intervals = interval_bounds(network, known[0].lower, known[0].upper, placed(known, network, place))
        share = task.deadline.within(task.deadline.remaining / (len(boxes) - count))
        outcomes = semidefinite_margins(network, box, host(intervals), conjunctions, share)
        for d, outcome in zip(disjuncts, outcomes, strict=True):
            task.margin_bounded(d, outcome.bound)
            if outcome.detail:
                task.notes.append(f"semidefinite relaxation: {outcome.detail}")
        if task.settled or task.deadline.expired:
            return
