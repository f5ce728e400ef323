"""The ranges of forms: bounds and descents of all ends at once, then a search for each end that is still open.

Few inputs are cut, best first (`search.least`). Elsewhere an end is asked about like a property: does the form come
below what is reached by more than the gap? A proof is the end, a counterexample reaches more and is asked about again,
and where the time is up the question's own bound is the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from verifier.attacks.pgd import AttackOptions, Best, Target, attack
from verifier.deadline import Deadline
from verifier.methods import Method, Options, Task, run, stages
from verifier.methods.plan import FEW_INPUTS, SMALL, auto, is_small
from verifier.methods.task import Stage
from verifier.methods.workers import processes
from verifier.network.stepped import has_jumps
from verifier.property.rounding import float_at_most
from verifier.ranges.options import RangeOptions
from verifier.ranges.points import Points
from verifier.ranges.question import Part, RangeQuestion
from verifier.search.boxes import Question
from verifier.search.inputs import InputOptions
from verifier.search.least import LeastSearch
from verifier.verdict import Status

SIGNS = (1, -1)
"""Of lower and of upper ends: an end is the least value of sign * form."""
DESCENT = AttackOptions(most_starts=64, steps=30, rounds=3)
ATTACK_SHARE, BOUND_SHARE = 0.15, 0.35
"""Of the time, for the descents and for the bounds of all ends together."""
FIRST_CUTS = 0.2
"""Of an end's time, for cuts of the inputs where the network is small enough for a MILP, which ends where cuts crowd
around a vertex: one of 7 relus over 3 inputs took more than 50,000 boxes."""
LEAST_GAP = 1e-9
"""Relative to the size of the values: below it float64's own rounding begins to count."""
ALPHA_ENDS = 64
"""Ends up to which all are worth bounds that are optimised."""

Key = tuple[int, int]


def _without_attacks(task: Task) -> Iterator[Stage]:
    """The stages of `auto` but for the attacks: what they would find, descents have found already."""
    return (stage for stage in auto(task) if "attack" not in stage.__name__)


WITHOUT_ATTACKS = Method("auto", "the plan for a range's end", True, _without_attacks)


@dataclass(eq=False)
class Measurement:
    """What is known while ranges are measured.

    Attributes:
        question, options, deadline: what is asked, how, and until when.
        points: what inputs reach.
        lower: by part, form and sign, a proven lower bound of sign * form without the form's constant.
        methods: by part, form and sign, what proved it.
        notes: remarks.
        told: called whenever more is known.
    """

    question: RangeQuestion
    options: RangeOptions
    told: Callable[[Measurement], None] = lambda measurement: None
    points: Points = field(init=False)
    lower: dict[tuple[int, int, int], float] = field(default_factory=dict)
    methods: dict[tuple[int, int, int], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deadline = Deadline(self.options.timeout)
        self.points = Points(self.question)

    @property
    def keys(self) -> list[Key]:
        """Every end: a form's number and a sign."""
        return [(k, sign) for k in range(len(self.question.forms)) for sign in SIGNS]

    def proved(self, part: int, key: Key, bound: float, method: str) -> None:
        """Takes note of a proven lower bound of sign * form over a part."""
        if bound > self.lower.get((part, *key), -math.inf):
            self.lower[part, *key], self.methods[part, *key] = bound, method

    def bound(self, key: Key) -> float:
        """The proven end, over all parts."""
        return min(self.lower.get((p, *key), -math.inf) for p in range(len(self.question.parts)))

    def method(self, key: Key) -> str:
        """What proved the end where it is least."""
        parts = range(len(self.question.parts))
        worst = min(parts, key=lambda p: self.lower.get((p, *key), -math.inf))
        return self.methods.get((worst, *key), "")

    def allowed(self, form: int) -> float:
        """What may be left at an end of a form."""
        ends = [self.points.value(form, sign) for sign in SIGNS]
        width = -ends[1] - ends[0] if all(map(math.isfinite, ends)) else 0.0
        size = max((abs(end) for end in ends if math.isfinite(end)), default=0.0)
        return max(self.options.gap * width, LEAST_GAP * (1.0 + size))

    def is_open(self, part: int, key: Key) -> bool:
        """Whether the end may lie in a part, by more than what may be left."""
        return not self.lower.get((part, *key), -math.inf) >= self.points.value(*key) - self.allowed(key[0])

    def run(self) -> None:
        """Measures until all ends are known up to the gap, or the time is up."""
        with np.errstate(all="ignore"):  # infinities and NaN are expected, and handled where they arise
            for p, part in enumerate(self.question.parts):
                share = self.deadline.within(self.deadline.remaining / (len(self.question.parts) - p))
                Survey(self, p, part, share).run()
                self.told(self)
            self._search()

    def _search(self) -> None:
        """Each open end in turn, for its share of the time."""
        parts = range(len(self.question.parts))
        waiting = [
            (p, key) for p in parts for key in self.keys if key[1] in self.question.signs and self.is_open(p, key)
        ]
        for count, (p, key) in enumerate(waiting):
            if self.deadline.expired:
                return
            if self.is_open(p, key):
                share = self.deadline.within(self.deadline.remaining / (len(waiting) - count))
                EndSearch(self, p, key, share).run()
                self.told(self)

    def options_for(self, seconds: float) -> Options:
        """Those of verification, for so many seconds."""
        own = self.options
        return Options(max(seconds, 1e-3), own.seed, memory=own.memory, threads=own.threads)


@dataclass(eq=False)
class Survey:
    """All ends over one part at once: bounds of all forms, and a descent on each."""

    measurement: Measurement
    number: int
    part: Part
    deadline: Deadline

    def run(self) -> None:
        """Bounds and descends."""
        asked = self.measurement
        forms = asked.question.forms
        rows = [(forms[k], sign, Fraction(0)) for k, sign in asked.keys]
        query = asked.question.query(self.part, rows, on_inputs=False)
        options = replace(asked.options_for(self.deadline.remaining), thorough=True)
        task = Task(asked.question.network, query, options)
        if len(task.query.disjuncts) == len(rows):  # not cut into cells, which are no ends
            self._descend(task)
            self._bound(task)
        else:
            asked.points.judge(self.part, self.part.box.middle)

    def _descend(self, task: Task) -> None:
        network, example = task.descended
        best = Best(Target(network, task.query, lambda d, point: None, example))
        seconds = ATTACK_SHARE * self.deadline.remaining
        chosen = list(range(len(task.query.disjuncts)))
        points = self.measurement.points
        points.judge(self.part, self.part.box.middle)
        attack(best, chosen, DESCENT, task.random(), task.deadline.within(min(seconds, 10.0)))
        for point in best.points.values():
            points.judge(self.part, point)

    def _bound(self, task: Task) -> None:
        keys = self.measurement.keys
        names = ["interval", "crown"] + (["alpha"] if self._wants_alpha(task) else [])
        deadline = self.deadline.within(BOUND_SHARE * self.deadline.remaining)
        task.deadline = deadline
        for name in names:
            if deadline.expired and name != "interval":
                return
            task.open[:] = True
            getattr(stages, name)(task)
            for d, key in enumerate(keys):
                self.measurement.proved(self.number, key, float(task.margins[d]), name)
            if not any(self.measurement.is_open(self.number, key) for key in keys):
                return

    def _wants_alpha(self, task: Task) -> bool:
        return len(self.measurement.keys) <= ALPHA_ENDS and not by_inputs(task)


@dataclass(eq=False)
class EndSearch:
    """One end over one part: the least value of sign * form there."""

    measurement: Measurement
    number: int
    key: Key
    deadline: Deadline

    def run(self) -> None:
        """Narrows the end down, as far as the time goes."""
        form, _ = self.key
        asked = self.measurement.question
        self.part, self.form = asked.parts[self.number], asked.forms[form]
        task = self._task()
        whole = len(task.query.disjuncts) == 1 and task.query.change is None  # neither in cells nor in coordinates
        if by_inputs(task) and not has_jumps(asked.network) and whole:
            small = asked.network.has_model and is_small(task)  # a question's counterexamples are replayed
            share = FIRST_CUTS if small else 1.0
            self._cut_inputs(task, self.deadline.within(share * self.deadline.remaining))
            if not small or not self.measurement.is_open(self.number, self.key):
                return
            task = self._task()
        self._ask(task)

    def _task(self) -> Task:
        """The question whether any input reaches as much as a better one would have to."""
        query = self.measurement.question.query(self.part, [(self.form, self.key[1], self._goal())])
        return Task(self.measurement.question.network, query, self.measurement.options_for(self.deadline.remaining))

    def _goal(self) -> Fraction:
        """What a better input would have to reach at least."""
        reached = self.measurement.points.value(*self.key)
        if math.isinf(reached):  # none is known: any that is not above the form's largest value
            most = -self.measurement.lower.get((self.number, self.key[0], -self.key[1]), -math.inf)
            return Fraction(most if math.isfinite(most) else float(np.finfo(np.float32).max))
        return Fraction(reached) - Fraction(self.measurement.allowed(self.key[0]))

    def _judged(self, point: np.ndarray) -> float:
        found = self.measurement.points.judge(self.part, point)
        return math.inf if found is None else float(found[SIGNS.index(self.key[1]), self.key[0]])

    def _cut_inputs(self, task: Task, deadline: Deadline) -> None:
        box, options = task.query.disjuncts[0].box, self.measurement.options
        question = Question.of(task.forms, task.example, task.query.patterns, [(box.lower, box.upper, [0])], box.ball)
        known = self.measurement.lower.get((self.number, *self.key), -math.inf)
        most = float(self._goal()) if math.isinf(self.measurement.points.value(*self.key)) else math.inf
        settings = InputOptions(memory=options.memory, threads=processes(task))
        search = LeastSearch(question, (known, most), self._judged, settings, deadline)
        gap, reached = self.measurement.allowed(self.key[0]), self.measurement.points.value(*self.key)
        search.run(gap, reached)
        self.measurement.proved(self.number, self.key, search.lower, "inputs")

    def _ask(self, task: Task) -> None:
        """Asks for less than is reached by the gap, until the answer is no."""
        while not self.deadline.expired:
            goal = self._goal()
            before = self.measurement.points.value(*self.key)
            verdict = run(task, WITHOUT_ATTACKS)
            if verdict.status is Status.UNSAT:
                self.measurement.proved(self.number, self.key, float_at_most(goal), verdict.method)
                return
            if verdict.witness is None:
                if verdict.bound is not None and not self.part.rows:
                    found = float_at_most(goal + Fraction(verdict.bound))
                    self.measurement.proved(self.number, self.key, found, verdict.method)
                return
            self._judged(verdict.witness.x.astype(np.float64))
            if not self.measurement.points.value(*self.key) < before:
                return
            task = self._task()


def by_inputs(task: Task) -> bool:
    """Whether few inputs vary, so that the box is cut rather than the functions."""
    varying = max((int((d.box.lower < d.box.upper).sum()) for d in task.query.disjuncts), default=0)
    return varying <= FEW_INPUTS and sum(node.size for node in task.forms.nodes) <= SMALL
