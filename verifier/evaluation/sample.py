"""All methods on one sample: attacks, certificates and smoothing once, verification methods at the sizes asked about.

A proof at one size proves the smaller ones, and a perturbation breaks the larger ones, so that a verification method is
asked about few of the sizes: by bisection over those that are open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from verifier.attacks.minimal.registry import ATTACKS
from verifier.deadline import Deadline
from verifier.evaluation.answers import Answer, SampleAnswers
from verifier.evaluation.options import AccuracyOptions
from verifier.methods import METHODS, Method, decide
from verifier.radii.attacks import attack_ends
from verifier.radii.bisection import BEYOND
from verifier.radii.bracket import End, Side
from verifier.radii.certificates import CERTIFICATES, certificate_ends
from verifier.radii.question import RadiusQuestion
from verifier.radii.shares import ATTACKING, BOUNDING, CHEAP, KEPT, ordered, shares
from verifier.radii.smoothed import SMOOTHED, Smoothing, smoothed_end
from verifier.standing import Standing
from verifier.verdict import Status

PATIENCE = 0.5
"""The share of the time left that a question may take."""
REST = 0.05
"""The share of all the time that is not worth another question."""


def answers_about(
    question: RadiusQuestion, sample: int, options: AccuracyOptions, smoothing: Smoothing
) -> SampleAnswers:
    """What the methods say of one sample.

    Args:
        question: about it, in the options' norm and range.
        sample: its number in the data set, which picks the streams of smoothing.
        options: what is asked.
        smoothing: with the alpha of one statement.
    """
    found: list[Answer] = []
    if question.predicted == question.kept:
        for answer in _about_network(question, options, found):
            found.append(answer)
    for name in options.methods:
        if name in SMOOTHED:
            found.append(_from_smoothing(smoothed_end(question, name, smoothing, sample)))
    return SampleAnswers(sample, question.kept, question.predicted, tuple(found))


def _about_network(question: RadiusQuestion, options: AccuracyOptions, found: list[Answer]) -> Iterator[Answer]:
    """The answers of all but smoothing, as they come; `found` holds those before."""
    deadline, names = Deadline(options.timeout), ordered(options.methods)
    strong = [name for name in names if name in METHODS and METHODS[name].complete]
    before = deadline.within((1 - KEPT if strong else 1.0) * deadline.remaining)
    attacks = [name for name in names if name in ATTACKS]
    for end in attack_ends(question, attacks, options.seed, before.within(ATTACKING * before.remaining)):
        yield _from_end(end)
    weak = [name for name in names if name in METHODS and not METHODS[name].complete]
    others = [name for name in names if name in CERTIFICATES and name not in CHEAP]
    for end in certificate_ends(question, [name for name in names if name in CHEAP], before):
        yield _from_end(end)
    for name, share in shares(weak, before.within((BOUNDING if others else 1.0) * before.remaining)):
        yield _Sizes(question, METHODS[name], options, _known(found), share).answer()
    for end in certificate_ends(question, others, before):
        yield _from_end(end)
    for name, share in shares(strong, deadline):
        yield _Sizes(question, METHODS[name], options, _known(found), share).answer()


def _known(found: list[Answer]) -> tuple[float, float]:
    """The largest size that is proved, and the smallest that is broken."""
    return max((a.certified for a in found), default=0.0), min((a.broken for a in found), default=math.inf)


def _from_end(end: End) -> Answer:
    point = None if end.point is None else tuple(float(v) for v in end.point)
    answer = Answer(end.method, end.standing, seconds=end.seconds, detail=end.detail, late=end.late)
    if end.side is Side.UPPER:
        return replace(answer, broken=end.value, point=point)
    # A radius excludes perturbations that are smaller, not those of its own size.
    size = float(np.nextafter(end.value, 0.0)) if 0 < end.value < math.inf else end.value
    return replace(answer, certified=size)


def _from_smoothing(end: End) -> Answer:
    return replace(_from_end(end), abstained="abstained" in end.detail)


class _Sizes:
    """One verification method on the sizes in question.

    `known` is what others proved and what they broke it by: what is broken is not asked again, what is proved is asked
    first, being the easiest.
    """

    def __init__(
        self,
        question: RadiusQuestion,
        method: Method,
        options: AccuracyOptions,
        known: tuple[float, float],
        deadline: Deadline,
    ) -> None:
        self.question, self.method, self.options, self.deadline = question, method, options, deadline
        self.easy, self.broken = known
        self.proved, self.asked = 0.0, 0
        self.standing = Standing.CERTIFIED
        self.point: np.ndarray | None = None

    def answer(self) -> Answer:
        undecided: set[float] = set()
        while self.deadline.remaining > REST * self.deadline.seconds:
            open_sizes = [e for e in self.options.epsilons if self.proved < e < self.broken]
            below = [e for e in open_sizes if not undecided or e < min(undecided)]
            # First the largest size that can be proved; then, where a witness may be found, what lies above.
            above = [e for e in open_sizes if e not in undecided] if self.method.complete else []
            candidates = below or above
            if not candidates:
                break
            size = candidates[len(candidates) // 2] if below else candidates[0]
            if self.asked == 0:
                size = max((e for e in below if e <= self.easy), default=size)
            if not self._ask(size):
                undecided.add(size)
        self._check()
        told = f"{self.asked} question{'s' * (self.asked != 1)}"
        spent = self.deadline.remaining <= REST * self.deadline.seconds
        told += ", out of time" * spent
        broken = self.broken if self.point is not None else math.inf
        point = None if self.point is None else tuple(float(v) for v in self.point)
        late = spent and self.proved == 0 and point is None
        ends = self.proved, broken, self.deadline.elapsed
        return Answer(self.method.name, self.standing, *ends, detail=told, point=point, late=late)

    def _check(self) -> None:
        """Asks right beyond what breaks it: a proof there is a defect, and no other question could show it."""
        if 0 < self.broken < math.inf and self.deadline.remaining > REST * self.deadline.seconds:
            self._ask(BEYOND * self.broken)

    def _ask(self, size: float) -> bool:
        """Asks about one size, and takes note of the answer; whether it decided."""
        self.asked += 1
        options = replace(self.options.verification, timeout=PATIENCE * self.deadline.remaining)
        verdict = decide(self.question.network, self.question.query(size), self.method, options)
        if verdict.status is Status.UNSAT:
            self.proved = size
            if "milp" in verdict.method:  # a solver's dual bound
                self.standing = Standing.REAL
            return True
        distance = math.inf if verdict.witness is None else self.question.distance(verdict.witness.x)
        if verdict.witness is not None and distance < self.broken:
            self.broken, self.point = distance, verdict.witness.x
        return distance <= size
