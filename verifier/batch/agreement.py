"""Where methods or runs contradict each other: one proves what another refutes. One of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.batch.records import Result
from verifier.verdict import Status


def contradictions(results: Iterable[Result]) -> list[list[Result]]:
    """The groups of results of one network and property among which there is a `sat` and an `unsat`.

    Each group holds one result for each verdict of each method and run, the first one.
    """
    groups: dict[tuple[str, str], dict[tuple[str, str, str], Result]] = {}
    for result in results:
        if result.solved:
            who = str(result.verdict), result.method, result.run.name
            groups.setdefault(result.key, {}).setdefault(who, result)
    return [
        list(group.values())
        for group in groups.values()
        if {r.verdict for r in group.values()} >= {Status.SAT, Status.UNSAT}
    ]
