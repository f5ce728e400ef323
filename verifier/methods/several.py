"""Several counterexamples that differ: by disjunct first, which for robustness is by class, then by where they lie.

A disjunct with a counterexample is put aside until all others have had their turn. Then boxes are halved across their
widest input, as a share of the disjunct's box; a half that holds a counterexample already is not asked about, but
halved again when its turn comes. Each counterexample is replayed like any other, and what is proved of a half is final.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.methods.options import Options
from verifier.methods.registry import Method, decide
from verifier.network.graph import Network
from verifier.property.query import Box, Disjunct, Query
from verifier.shown import Shown
from verifier.verdict import Status, Witness


@dataclass(frozen=True, eq=False, repr=False)
class Several(Shown):
    """Counterexamples that differ.

    Attributes:
        witnesses: each replayed; the first of each disjunct come first.
        disjuncts: for each the number of a disjunct of the query that it violates.
        complete: whether there is none in any disjunct that has none here, as a proof says.
        seconds: wall time spent.
    """

    witnesses: tuple[Witness, ...]
    disjuncts: tuple[int, ...]
    complete: bool
    seconds: float

    def __len__(self) -> int:
        return len(self.witnesses)

    def facts(self) -> Iterable[tuple[str, str]]:
        """How many, in which disjuncts, and the inputs."""
        yield "found", f"{len(self)} in {len(set(self.disjuncts))} disjuncts"
        if self.complete:
            yield "others", "proved to have none"
        yield "in", f"{self.seconds:.2f} s"
        for d, witness in list(zip(self.disjuncts, self.witnesses, strict=True))[:3]:
            yield f"of disjunct {d}", dict(witness.facts())["x"]

    def to_dict(self) -> dict[str, object]:
        """Everything, for JSON."""
        pairs = zip(self.disjuncts, self.witnesses, strict=True)
        return {
            "complete": self.complete,
            "seconds": round(self.seconds, 4),
            "counterexamples": [{"disjunct": d, **witness.to_dict()} for d, witness in pairs],
        }


def counterexamples(
    network: Network,
    query: Query,
    count: int,
    method: Method,
    options: Options,
    known: Sequence[Witness] = (),
) -> Several:
    """Looks for up to `count` counterexamples that differ.

    Args:
        options: the timeout is for all together.
        known: counterexamples to begin with.
    """
    search = _Search(network, query, count, method, options)
    search.begin(known)
    complete = search.by_disjunct()
    search.by_place()
    return Several(tuple(search.witnesses), tuple(search.disjuncts), complete, search.deadline.elapsed)


class _Search:
    def __init__(self, network: Network, query: Query, count: int, method: Method, options: Options) -> None:
        self.network, self.query, self.count, self.method, self.options = network, query, count, method, options
        self.deadline = Deadline(options.timeout)
        self.witnesses: list[Witness] = []
        self.disjuncts: list[int] = []

    @property
    def done(self) -> bool:
        return len(self.witnesses) >= self.count or self.deadline.expired

    def begin(self, known: Sequence[Witness]) -> None:
        """Takes over counterexamples that are known."""
        for witness in known:
            holding = [d for d, disjunct in enumerate(self.query.disjuncts) if self._holds(disjunct, witness)]
            self._add(witness, holding[0] if holding else 0)

    def by_disjunct(self) -> bool:
        """One of each disjunct; whether all others are proved to have none."""
        every = enumerate(self.query.disjuncts)
        left = [d for d, disjunct in every if not any(self._holds(disjunct, witness) for witness in self.witnesses)]
        while left and not self.done:
            witness, proved = self._asked(tuple(self.query.disjuncts[d] for d in left), self.deadline.remaining)
            if witness is None:
                return proved
            holding = [d for d in left if self._holds(self.query.disjuncts[d], witness)]
            if not holding:  # accepted with a tolerance, or by a widened box: of which is not told
                return False
            self._add(witness, holding[0])
            left = [d for d in left if d not in holding]
        return not left

    def by_place(self) -> None:
        """More of the disjuncts that have one, in halves of their boxes that have none."""
        waiting = deque((d, self.query.disjuncts[d]) for d in dict.fromkeys(self.disjuncts))
        while waiting and not self.done:
            number, disjunct = waiting.popleft()
            for half in _halves(disjunct, self.query.disjuncts[number].box):
                if self.done:
                    return
                if any(self._holds(half, witness) for witness in self.witnesses):
                    waiting.append((number, half))
                    continue
                witness, _ = self._asked((half,), self.deadline.remaining / (len(waiting) + 2))
                if witness is not None:
                    self._add(witness, number)
                    waiting.append((number, half))

    def _asked(self, disjuncts: tuple[Disjunct, ...], seconds: float) -> tuple[Witness | None, bool]:
        """A counterexample among the disjuncts, or None, and whether there is proved to be none."""
        asked = replace(self.query, disjuncts=disjuncts)
        options = replace(self.options, timeout=max(seconds, 1e-3))
        verdict = decide(self.network, asked, self.method, options)
        return verdict.witness, verdict.status is Status.UNSAT

    @staticmethod
    def _holds(disjunct: Disjunct, witness: Witness) -> bool:
        return disjunct.holds(witness.x, witness.y)

    def _add(self, witness: Witness, disjunct: int) -> None:
        if not any(np.array_equal(witness.x, other.x) for other in self.witnesses):
            self.witnesses.append(witness)
            self.disjuncts.append(disjunct)


def _halves(disjunct: Disjunct, whole: Box) -> list[Disjunct]:
    """The disjunct over both halves of its box, cut across the input that is widest as a share of the whole box.

    The cut is a float32, which both halves hold; none where no input can be cut.
    """
    box = disjunct.box
    width = np.where(whole.upper > whole.lower, whole.upper - whole.lower, 1.0)
    share = np.where(box.inner_upper > box.inner_lower, (box.upper - box.lower) / width, 0.0)
    j = int(np.argmax(share))
    cut = np.float32(0.5 * float(box.inner_lower[j]) + 0.5 * float(box.inner_upper[j]))
    if not share[j] > 0 or not box.inner_lower[j] < cut < box.inner_upper[j]:
        return []
    below, above = _cut(box, j, cut, upper=True), _cut(box, j, cut, upper=False)
    return [replace(disjunct, box=below), replace(disjunct, box=above)]


def _cut(box: Box, j: int, cut: np.float32, upper: bool) -> Box:
    names = ("upper", "inner_upper") if upper else ("lower", "inner_lower")
    ends = {name: getattr(box, name).copy() for name in names}
    for end in ends.values():
        end[j] = cut
    return replace(box, **ends)
