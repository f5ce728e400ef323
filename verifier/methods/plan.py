"""The plan of `auto`: which stages a query gets, by what its network and its input set are like.

One table, read from the top; the first rule that applies is taken. The numbers behind the choices are in
PERFORMANCE.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from verifier.methods import falsify, incomplete, optimised
from verifier.methods.split_inputs import split_inputs
from verifier.methods.task import Stage, Task


@dataclass(frozen=True)
class Features:
    """What a plan looks at.

    Attributes:
        inputs: input entries that vary, in the widest open box.
        boxes: open boxes.
        values: of all nodes together.
    """

    inputs: int
    boxes: int
    values: int

    def __str__(self) -> str:
        return f"{self.inputs} inputs vary, {self.boxes} boxes are open, the network has {self.values} values"


@dataclass(frozen=True)
class Rule:
    """A line of the table."""

    name: str
    applies: Callable[[Features], bool]
    stages: tuple[Stage, ...]
    why: str


def short_attack(task: Task) -> None:
    """A fraction of a second of attack, where bounds alone did not do; most violations that are there show up."""
    falsify.attack_until(task, seconds=min(0.3, 0.02 * task.deadline.remaining))


def short_search(task: Task) -> None:
    """As much of a search as the long attack would take: what it proves need not wait for that."""
    optimised.split_neurons(task, seconds=_long(task))


def long_attack(task: Task) -> None:
    """An attack that is worth its time before a long search."""
    falsify.attack_until(task, seconds=_long(task))


def _long(task: Task) -> float:
    return min(3.0, 0.05 * task.deadline.remaining)


FEW_INPUTS = 10
"""Varying inputs up to which the input box is cut rather than the functions."""

FEW_DEEP_INPUTS = 16
"""Varying inputs up to which a deep network's input box is cut: few of them matter, and its functions are too many."""

SMALL = 20_000
"""Values of all nodes up to which thousands of boxes a second can be bounded."""

PLAN = (
    Rule("few inputs", lambda f: f.inputs <= FEW_INPUTS and f.values <= SMALL,
         (split_inputs,),
         "boxes of so few inputs are quickly small, and linear bounds on small boxes are tight"),
    Rule("few inputs, deep", lambda f: f.inputs <= FEW_DEEP_INPUTS and f.values > SMALL,
         (short_attack, split_inputs),
         "zonotopes of so few inputs pass a deep network at a fraction of the cost of backward rows"),
    Rule("neurons", lambda f: True,
         (incomplete.crown, short_attack, optimised.alpha, short_search, long_attack, optimised.split_neurons),
         "a box of many inputs stays wide however it is cut; functions are cut instead"),
)  # fmt: skip


def auto(task: Task) -> Iterator[Stage]:
    """The stages of `auto`, chosen when it is known what the cheap ones left open."""
    yield falsify.quick_attack
    yield incomplete.interval
    features = features_of(task)
    rule = next(rule for rule in PLAN if rule.applies(features))
    task.explain(f"{rule.name}: {rule.why} ({features})")
    yield from rule.stages


def features_of(task: Task) -> Features:
    """The features of what is still open."""
    boxes = task.open_boxes()
    return Features(
        inputs=max((int((box.lower < box.upper).sum()) for box, _ in boxes), default=0),
        boxes=len(boxes),
        values=sum(node.size for node in task.forms.nodes),
    )


def sequence(*stages: Stage) -> Callable[[Task], Iterator[Stage]]:
    """A plan that is the same for every task."""
    return lambda task: iter(stages)
