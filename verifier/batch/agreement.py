"""What results say of the same question together: its known verdict, and where they cannot all be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from verifier.batch.records import Result
from verifier.verdict import Status


def contradictions(results: Iterable[Result]) -> list[list[Result]]:
    """The groups of results of one network and property among which there is a `sat` and an `unsat`.

    Each group holds one result for each verdict of each method and run, the first one.
    """
    groups: dict[tuple[str, str], dict[tuple[object, ...], Result]] = {}
    for result in results:
        if result.solved:
            who = result.verdict, result.method, result.run.place
            groups.setdefault(result.key, {}).setdefault(who, result)
    return [
        list(group.values())
        for group in groups.values()
        if {r.verdict for r in group.values()} >= {Status.SAT, Status.UNSAT}
    ]


def with_shared_truths(results: Sequence[Result]) -> list[Result]:
    """The results, each with the verdict that is known of its contents, by whichever list, name or run.

    Where lists differ on it, a result keeps what its own list says.
    """
    known: dict[tuple[str, str], set[str]] = {}
    for result in results:
        if result.truth:
            known.setdefault(result.key, set()).add(result.truth)
    shared = {key: next(iter(truths)) for key, truths in known.items() if len(truths) == 1}
    return [r if r.truth or r.key not in shared else replace(r, truth=shared[r.key]) for r in results]


def disputed_truths(results: Iterable[Result]) -> list[Result]:
    """One result of each question of which lists know different verdicts."""
    first: dict[tuple[str, str], Result] = {}
    differ: dict[tuple[str, str], Result] = {}
    for result in results:
        if result.truth and first.setdefault(result.key, result).truth != result.truth:
            differ.setdefault(result.key, result)
    return list(differ.values())
