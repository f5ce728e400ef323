"""Bounds from both sides by asking a verification method about one distance after another.

A proof at a distance is a bound from below. A witness is one from above, at its own distance, if another class
strictly leads there in ONNX Runtime and in float64; one that does not is float32's rounding, and decides nothing here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.methods import Method, Options, decide
from verifier.radii.bracket import End, Side
from verifier.radii.question import RadiusQuestion
from verifier.standing import Standing
from verifier.verdict import Status

FIRST = 1e-3
"""The first distance asked about where nothing tells how far another class is, as a share of 1."""
DOUBLINGS = 30
INCOMPLETE_GAP = 2e-3
"""The relative gap between what an incomplete method proves and what it does not, at which it is left."""
QUESTIONS = 40
"""That a method is asked at most."""
PATIENCE = 0.3
"""The share of the time left that a question may take."""
NEAR = 0.9
"""The share of a witness's distance from which on a proof counts as close: what is left is asked about at once."""
EASY = 0.1
"""The share of its time that an easy question takes; harder ones may then be asked at once."""
BEYOND = 1 + 1e-6
"""A ball of so many times a witness's distance holds the witness; nothing can be proved of it."""
REST = 0.05
"""The share of all the time that is not worth another question."""


@dataclass(eq=False)
class Bisection:
    """What a method has said so far.

    Attributes:
        question: about the sample.
        method: a verification method.
        options: its options; the timeout is replaced.
        deadline: for all of its answers.
        low: proved: no smaller perturbation changes the class.
        high: the smallest distance of a witness, given or found, infinite where there is none.
        floor, ceiling: the largest distance that is undecided, 0 where there is none, and the smallest that is not
            proved: undecided, or a witness's.
        proved: the largest distance that the method itself has proved, 0 where there is none.
        standing: of its proofs.
        point: the nearest witness that the method itself has found.
        asked: how many questions it has answered.
    """

    question: RadiusQuestion
    method: Method
    options: Options
    deadline: Deadline
    low: float = 0.0
    high: float = math.inf
    floor: float = 0.0
    ceiling: float = math.inf
    proved: float = 0.0
    standing: Standing = Standing.CERTIFIED
    point: np.ndarray | None = field(default=None, repr=False)
    asked: int = 0

    @property
    def spent(self) -> bool:
        """Whether the time is up, or nearly so."""
        return self.deadline.remaining <= REST * self.deadline.seconds and math.isfinite(self.deadline.seconds)

    def ask(self, epsilon: float) -> None:
        """Asks about one distance, and takes note of the answer."""
        share = self.deadline.within(PATIENCE * self.deadline.remaining)
        if share.expired:
            return
        self.asked += 1
        options = replace(self.options, timeout=share.remaining)
        verdict = decide(self.question.network, self.question.query(epsilon), self.method, options)
        if verdict.status is Status.UNSAT:
            self.low = max(self.low, epsilon)
            self.proved = max(self.proved, epsilon)
            if "milp" in verdict.method:  # a solver's dual bound, see the architecture on what a verdict rests on
                self.standing = Standing.REAL
            return
        distance = math.inf if verdict.witness is None else self.question.distance(verdict.witness.x)
        if verdict.witness is not None and distance < self.high:
            self.high, self.point = distance, verdict.witness.x
        if distance > epsilon:  # as a witness within it may be by rounding
            self.floor = max(self.floor, epsilon)
        self.ceiling = min(self.ceiling, epsilon, self.high)

    def narrow(self, gap: float) -> None:
        """Halves what lies between proved and not proved, until it is below a share of the latter."""
        while self.ceiling - self.low > gap * self.ceiling and self._halves(self.low, self.ceiling):
            pass

    def close(self, gap: float) -> None:
        """Halves what lies between, below what is undecided and above it, until the bracket is closed up to a gap."""
        while self.high - self.low > gap * self.high:
            part = 1.0 if self.floor <= self.low else 0.25  # three parts: below, undecided, above
            if self.ceiling - self.low > part * gap * self.ceiling:
                going = self._halves(self.low, self.ceiling)
            else:
                going = self.high - self.floor > part * gap * self.high and self._halves(self.floor, self.high)
            if not going:
                break

    def _halves(self, low: float, high: float) -> bool:
        """Asks about the middle, if there is one, and time."""
        middle = low + 0.5 * (high - low)
        if self.asked >= QUESTIONS or self.spent or not low < middle < high < math.inf:
            return False
        self.ask(middle)
        return True

    def approach(self, close: float) -> None:
        """Asks right below the nearest witness: attacks as a rule have found the value, so that this decides it.

        Where that is far from what is proved, it is asked only if half the way is easy: a question that is too hard
        takes its time for nothing.
        """
        if self.low < NEAR * close:
            share = PATIENCE * self.deadline.remaining
            clock, middle = Deadline(), self.low + 0.5 * (close - self.low)
            self.ask(middle)
            if self.low < middle or clock.elapsed > EASY * share:
                return
        if self.low < close < self.ceiling and not self.spent:
            self.ask(close)

    def reach_out(self) -> None:
        """Looks for a distance that the method does not prove, where nobody knows a witness."""
        epsilon, reach = max(self.low, FIRST), self.question.reach
        for _ in range(DOUBLINGS):
            if math.isfinite(self.ceiling) or self.spent:
                return
            if epsilon >= reach:
                self.ask(reach)
                if self.proved >= reach:  # all that there is
                    self.low = self.proved = self.ceiling = math.inf
                return
            self.ask(epsilon)
            epsilon *= 2

    def check(self) -> None:
        """Asks right beyond the nearest witness: a proof there is a defect, and no question below it could show it."""
        if 0 < self.high < math.inf and not self.spent:
            self.ask(BEYOND * self.high)

    def ends(self) -> list[End]:
        """The method's own bounds."""
        seconds, told = self.deadline.elapsed, f"{self.asked} question{'s' * (self.asked != 1)}"
        if self.spent:
            told += ", out of time"
        if self.proved < self.low:
            told += f", {self.low:.4g} was known"
        late = self.spent and self.proved == 0 and self.point is None
        found = [End(self.method.name, Side.LOWER, self.proved, self.standing, seconds, detail=told, late=late)]
        if self.point is not None:
            found.append(End(self.method.name, Side.UPPER, self.high, Standing.ATTACK, seconds, self.point, told))
        return found


def by_incomplete(
    question: RadiusQuestion, method: Method, options: Options, upper: float, deadline: Deadline
) -> list[End]:
    """How far an incomplete method proves.

    Args:
        question: about the sample.
        method, options: of verification.
        upper: a witness's distance, or infinity.
        deadline: for all questions together.
    """
    bisection = Bisection(question, method, options, deadline, high=upper, ceiling=upper)
    bisection.reach_out()
    if math.isfinite(bisection.ceiling):
        bisection.narrow(INCOMPLETE_GAP)
    bisection.check()
    return bisection.ends()


def by_complete(
    question: RadiusQuestion,
    method: Method,
    options: Options,
    known: tuple[float, float],
    deadline: Deadline,
    gap: float,
) -> list[End]:
    """Narrows a bracket down to the value, as far as the time goes.

    Args:
        question: about the sample.
        method, options: of verification.
        known: the best certified bound from below, and the nearest witness's distance or infinity.
        deadline: for all questions together.
        gap: the share of the upper end that may be left.
    """
    low, upper = known
    bisection = Bisection(question, method, options, deadline, low=low, high=upper, ceiling=upper)
    bisection.reach_out()
    if low < bisection.high < math.inf:
        bisection.approach((1 - 0.9 * gap) * bisection.high)
        bisection.close(gap)
    elif math.isfinite(bisection.ceiling):
        bisection.narrow(gap)
    bisection.check()
    return bisection.ends()
