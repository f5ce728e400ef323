"""The minimal perturbation itself as a mixed-integer program: `milp-distance`, for norms 1, 2 and inf.

Instead of asking about one distance after another, the distance is the objective (`programs.distance`), a program for
each other class that bounds do not exclude. Bounds of the network hold on a ball, for which the nearest witness is
taken; where a program finds a nearer one, the next ball is smaller. What is proved is the smallest of the programs'
bounds, and no more than each one's ball.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.methods import Options
from verifier.methods.task import Task, host
from verifier.programs.distance import Surroundings, least_distance
from verifier.programs.encode import Bounds
from verifier.radii.bracket import End, Side
from verifier.radii.question import RadiusQuestion
from verifier.standing import Standing

NAME = "milp-distance"


def by_program(question: RadiusQuestion, options: Options, upper: float, deadline: Deadline, gap: float) -> list[End]:
    """Both of the method's ends; the upper one only where a solution is a witness.

    Args:
        question: about the sample.
        options: of verification.
        upper: the nearest witness's distance, or infinity.
        deadline: for all programs together.
        gap: the share of the upper end that may be left.
    """
    # A ball beyond the data's range has a bound to spare that says that there is no other class in it.
    ball = upper if upper <= question.reach else 2 * question.reach
    if not 0 < ball < math.inf:
        told = "no witness and no range of the data bounds the ball"
        return [End(NAME, Side.LOWER, 0.0, Standing.REAL, deadline.elapsed, detail=told)]
    search = _Programs(question, options, deadline, gap, ball)
    with np.errstate(all="ignore"):
        search.run()
    return search.ends()


@dataclass(eq=False)
class _Programs:
    """What the programs have said so far.

    Attributes:
        question, options, deadline, gap: as `by_program` has them.
        ball: the radius on which the next program is made.
        bounds: of the distance to each class.
        nearest, point: the nearest witness that a program came up with.
        count: of programs.
        notes: what went wrong.
    """

    question: RadiusQuestion
    options: Options
    deadline: Deadline
    gap: float
    ball: float
    bounds: list[float] = field(default_factory=list)
    nearest: float = math.inf
    point: np.ndarray | None = field(default=None, repr=False)
    count: int = 0
    notes: list[str] = field(default_factory=list)

    def run(self) -> None:
        """A program for one class after another, those first that seem nearest."""
        classes = list(range(self.question.network.output_size - 1))
        while classes:
            task = Task(self.question.network, self.question.query(self.ball), self._options())
            bounds, patterns = host(task.enclosures.of(task.query.disjuncts[0].box)), task.query.patterns
            slacks = {d: bounds[-1][0][patterns.rows[d][0]] - patterns.thresholds[d][0] for d in classes}
            ball = self.ball
            while classes and self.ball == ball:
                d = min(classes, key=lambda d: slacks[d])
                classes.remove(d)
                share = self.deadline.within(self.deadline.remaining / (1 + len(classes)))
                bound = ball if slacks[d] > 0 else self._class_bound(task, bounds, d, share)
                self.bounds.append(math.inf if bound > self.question.reach else bound)
                self.ball = min(self.ball, self.nearest)

    def _options(self) -> Options:
        return replace(self.options, timeout=max(self.deadline.remaining, 1e-3))

    def _class_bound(self, task: Task, bounds: Bounds, d: int, deadline: Deadline) -> float:
        """What is proved of the distance to the class of one disjunct, at most the ball's radius."""
        patterns, box = task.query.patterns, task.query.disjuncts[d].box
        around = Surroundings(task.forms, box, bounds, self.question.x, self.ball, self.question.norm)
        choice = [(int(patterns.rows[d][0]), float(patterns.thresholds[d][0]))]
        enough = (1 - 0.5 * self.gap) * self.ball
        found = least_distance(around, choice, deadline, self._try, enough, solver=task.solver)
        self.count += 1
        if found.detail:
            self.notes.append(found.detail)
        elif not found.complete:
            self.notes.append("functions other than relu are relaxed")
        return min(self.ball, found.bound)

    def _try(self, x: np.ndarray) -> None:
        """Keeps the witness that a solution leads to, if it is the nearest."""
        point, distance = self.question.witness(x)
        if distance < self.nearest:
            self.nearest, self.point = distance, point

    def ends(self) -> list[End]:
        low, seconds = min(self.bounds, default=0.0), self.deadline.elapsed
        told = "; ".join([f"{self.count} program{'s' * (self.count != 1)}", *dict.fromkeys(self.notes)])
        found = [End(NAME, Side.LOWER, low, Standing.REAL, seconds, detail=told)]
        if self.point is not None:
            found.append(End(NAME, Side.UPPER, self.nearest, Standing.ATTACK, seconds, self.point, told))
        return found
