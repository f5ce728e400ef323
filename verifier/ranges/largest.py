"""How far does it hold: the largest multiple of a property's boxes that is proved, and the smallest that is refuted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verifier.deadline import Deadline
from verifier.errors import PropertyError
from verifier.methods import Method, Options, decide
from verifier.network.graph import Network
from verifier.property.balls import Ball
from verifier.property.query import Box, Query
from verifier.shown import Shown, json_number
from verifier.verdict import Status, Witness

SMALLEST, LARGEST = 2.0**-20, 2.0**20
"""Multiples that are asked about."""
PATIENCE = 0.3
"""The share of the time left that a question may take."""


@dataclass(frozen=True, eq=False, repr=False)
class Largest(Shown):
    """How far a property holds, as multiples of its boxes about their middles (of its balls about their centres).

    Attributes:
        proved: the largest multiple that is proved; 0 where none is.
        refuted: the smallest multiple that is known to hold a counterexample; infinite where none is.
        box: of the first disjunct at the multiple that is proved, or None.
        witness: the counterexample of the multiple that is refuted, or None.
        asked: how many questions were asked.
        seconds: wall time spent.
    """

    proved: float
    refuted: float
    box: Box | None
    witness: Witness | None
    asked: int
    seconds: float

    def facts(self) -> Iterable[tuple[str, str]]:
        """Both multiples, in words."""
        yield "proved", f"{self.proved:.6g} times"
        yield "refuted", "not at all" if math.isinf(self.refuted) else f"{self.refuted:.6g} times"
        yield "in", f"{self.seconds:.2f} s, {self.asked} questions"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        ends = {} if self.box is None else {"lower": self.box.lower.tolist(), "upper": self.box.upper.tolist()}
        return {
            "proved": self.proved,
            "refuted": json_number(self.refuted),
            "box": ends or None,
            "witness": self.witness and self.witness.to_dict(),
            "asked": self.asked,
            "seconds": round(self.seconds, 4),
        }


def largest(
    network: Network,
    query: Query,
    method: Method,
    options: Options,
    gap: float = 0.01,
    clip: tuple[float, float] | None = None,
) -> Largest:
    """Brackets the largest multiple of a query's boxes for which its property holds.

    Args:
        options: the timeout is for all questions together.
        gap: the relative gap between proved and refuted at which it is left.
        clip: the smallest and the largest value that any input can have, or None.
    """
    search = _Search(network, query, method, options, clip)
    search.reach_out()
    while search.going and math.inf > search.ceiling > (1 + gap) * search.proved > 0:
        search.ask(math.sqrt(search.proved * search.ceiling))
    found = search.witness_at
    box = scaled(query, search.proved, clip).disjuncts[0].box if search.proved and query.disjuncts else None
    return Largest(search.proved, search.refuted, box, found, search.asked, search.deadline.elapsed)


class _Search:
    """`ceiling` is the smallest multiple that was not proved."""

    def __init__(
        self, network: Network, query: Query, method: Method, options: Options, clip: tuple[float, float] | None
    ) -> None:
        self.network, self.query, self.method, self.options, self.clip = network, query, method, options, clip
        self.deadline = Deadline(options.timeout)
        self.proved, self.refuted, self.ceiling, self.asked = 0.0, math.inf, math.inf, 0
        self.witness_at: Witness | None = None

    @property
    def going(self) -> bool:
        return not self.deadline.expired

    def ask(self, multiple: float) -> None:
        """Asks about one multiple, and takes note of the answer."""
        self.asked += 1
        options = replace(self.options, timeout=max(PATIENCE * self.deadline.remaining, 1e-3))
        verdict = decide(self.network, scaled(self.query, multiple, self.clip), self.method, options)
        if verdict.status is Status.UNSAT:
            self.proved = max(self.proved, multiple)
            return
        self.ceiling = min(self.ceiling, multiple)
        if verdict.witness is not None and multiple < self.refuted:
            self.refuted, self.witness_at = multiple, verdict.witness

    def reach_out(self) -> None:
        """Doubles or halves, from 1 on, until a multiple is proved and a larger one is not."""
        multiple = 1.0
        self.ask(multiple)
        factor = 2.0 if self.proved else 0.5
        while self.going and SMALLEST < multiple < LARGEST and (math.isinf(self.ceiling) or not self.proved):
            multiple *= factor
            self.ask(multiple)


def scaled(query: Query, multiple: float, clip: tuple[float, float] | None = None) -> Query:
    """The query over a multiple of its boxes about their middles, of its balls about their centres, within `clip`.

    At 1, without a `clip`, it is the query itself; else the ends are the float64 numbers that this comes to, and exact
    from there on.

    Raises:
        PropertyError: a box is unbounded, or nothing of one is left in `clip`.
    """
    if multiple == 1.0 and clip is None:
        return query
    boxes = {id(d.box): d.box for d in query.disjuncts}
    made = {key: _scaled(box, multiple, clip, query.name) for key, box in boxes.items()}
    return replace(query, disjuncts=tuple(replace(d, box=made[id(d.box)]) for d in query.disjuncts))


def _scaled(box: Box, multiple: float, clip: tuple[float, float] | None, name: str) -> Box:
    if not (np.isfinite(box.lower).all() and np.isfinite(box.upper).all()):
        raise PropertyError("a box with infinite ends has no multiples", name, "bound every input")
    if box.ball is None:
        middle, reach = 0.5 * box.lower + 0.5 * box.upper, 0.5 * (box.upper - box.lower)
        ball, (lower, upper) = None, (middle - multiple * reach, middle + multiple * reach)
    else:
        ball = Ball(box.ball.centre, multiple * box.ball.radius, box.ball.norm)
        lower, upper = (np.nextafter(ball.centre + sign * ball.radius, sign * np.inf) for sign in (-1, 1))
    if clip is not None:
        lower, upper = np.maximum(lower, clip[0]), np.minimum(upper, clip[1])
    if (lower > upper).any():
        raise PropertyError("nothing of a box lies in the data's range", name, "give a range that holds it (clip=)")
    return replace(Box.exact(lower, upper), ball=ball)
