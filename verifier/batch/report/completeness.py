"""Incomplete methods against complete ones: how much of what can be proved do they prove?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from verifier.batch.records import Result
from verifier.batch.report.material import Contender, Key, Material
from verifier.methods.registry import METHODS
from verifier.verdict import Status

DISPUTED = "disputed"
"""What the complete methods say together where they contradict each other."""
NOT_DONE = "not done"

VERDICTS = (*map(str, Status), DISPUTED, NOT_DONE)
_STRENGTH = (Status.UNSAT, Status.SAT, Status.UNKNOWN, Status.TIMEOUT, Status.ERROR)


@dataclass(frozen=True)
class Cross:
    """One incomplete method against all complete ones together, on the instances that both were asked.

    Attributes:
        who: the incomplete method.
        asked: how many instances the complete ones verified and it was asked.
        verified: how many of those it verified too.
        counts: the number of instances by its verdict and the complete ones'.
        rows, columns: the verdicts that occur, of it and of the complete ones.
    """

    who: Contender
    asked: int
    verified: int
    counts: Counter[tuple[str, str]]

    @property
    def share(self) -> float | None:
        """The part of what the complete methods verified that it verified too; None where they verified nothing."""
        return self.verified / self.asked if self.asked else None

    @property
    def rows(self) -> list[str]:
        return [verdict for verdict in VERDICTS if any(its == verdict for its, _ in self.counts)]

    @property
    def columns(self) -> list[str]:
        return [verdict for verdict in VERDICTS if any(theirs == verdict for _, theirs in self.counts)]


def crosses(material: Material) -> list[Cross]:
    """One for each incomplete method in each run; none where no complete method, or no incomplete one, was asked.

    A method that today's registry does not know is left out.
    """
    complete = [result for result in material.results if _is_complete(result.method) is True]
    together = _together(complete)
    found = []
    for who, results in material.by_contender.items():
        if _is_complete(who.method) is not False:
            continue
        pairs = [(str(r.verdict or NOT_DONE), together[r.key]) for r in results if r.key in together]
        if pairs:
            counts = Counter(pairs)
            asked = sum(count for (_, theirs), count in counts.items() if theirs == Status.UNSAT)
            found.append(Cross(who, asked, counts[Status.UNSAT, Status.UNSAT], counts))
    return found


def _is_complete(method: str) -> bool | None:
    return METHODS[method].complete if method in METHODS else None


def _together(results: Iterable[Result]) -> dict[Key, str]:
    """What the results say of each instance together: the strongest verdict, unless they contradict each other."""
    said: dict[Key, set[Status | None]] = {}
    for result in results:
        said.setdefault(result.key, set()).add(result.verdict)
    return {key: _strongest(verdicts) for key, verdicts in said.items()}


def _strongest(verdicts: set[Status | None]) -> str:
    if {Status.SAT, Status.UNSAT} <= verdicts:
        return DISPUTED
    return next((str(verdict) for verdict in _STRENGTH if verdict in verdicts), NOT_DONE)
