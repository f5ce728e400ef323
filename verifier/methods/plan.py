"""The plan of `auto`: which stages a query gets, by what its network and its input set are like.

One table, read from the top; the first rule that applies is taken. Each cheap method has its turn before a search, a
small network its MILP, and searches that do not converge hand over to each other. The numbers behind the choices are
in PERFORMANCE.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from verifier.bounds.layout import undecided
from verifier.methods import stages
from verifier.methods.library import convolution_work
from verifier.methods.task import Stage, Task
from verifier.network.functions.steps import Step
from verifier.network.graph import Elementwise, Network, Product


@dataclass(frozen=True)
class Features:
    """What a plan looks at.

    Attributes:
        inputs: input entries that vary, in the widest open box.
        boxes: open boxes.
        values: of all nodes together.
        products: products of two values that vary, as attention and gates have.
    """

    inputs: int
    boxes: int
    values: int
    products: int = 0

    def __str__(self) -> str:
        with_products = f" and {self.products} products" if self.products else ""
        counts = f"{self.inputs} inputs vary, {self.boxes} boxes are open"
        return f"{counts}, the network has {self.values} values{with_products}"


@dataclass(frozen=True)
class Rule:
    """A line of the table; `stages` gives the stages for a task, each chosen when those before it have been run."""

    name: str
    applies: Callable[[Features], bool]
    stages: Callable[[Task], Iterator[Stage]]
    why: str


def short_attack(task: Task) -> None:
    """A fraction of a second of attack, where bounds alone did not do; most violations that are there show up.

    A large network gets as long as a few dozen steps take.
    """
    steps = ATTACK_PASSES * convolution_work(task.forms) / ATTACK_RATE
    stages.attack_until(task, max(min(0.3, 0.02 * task.deadline.remaining), min(steps, 0.1 * task.deadline.remaining)))


def short_search(task: Task) -> None:
    """As much of a search as the long attack would take: what it proves need not wait for that."""
    stages.split_neurons(task, _long(task))


def long_attack(task: Task) -> None:
    """An attack that is worth its time before a long search."""
    stages.attack_until(task, _long(task))


def hopeless_attack(task: Task) -> None:
    """A good part of the time that is left, where bounds get nowhere."""
    stages.attack_until(task, PART * task.deadline.remaining)


def _where_near(task: Task) -> Iterator[Stage]:
    """An attack, if what it has come by is far nearer to a violation than what is proved is to there being none."""
    lacking = float(-task.margins[task.open].min())
    known = {} if task.nearest is None else task.nearest.margins
    nearest = min((known.get(int(d), math.inf) for d in np.flatnonzero(task.open)), default=math.inf)
    if math.isfinite(lacking) and lacking > NEARER * nearest:
        told = f"the bounds lack {lacking:.3g}, the attack {nearest:.3g}"
        task.explain(f"{told}, so that it had {PART * task.deadline.remaining:.0f} s more")
        yield hopeless_attack


def _where_hopeless(task: Task, before: np.ndarray) -> Iterator[Stage]:
    """An attack, a long one if what optimised bounds have gained since `before` is nothing beside what they lack."""
    lacking, gained = (-task.margins)[task.open], (task.margins - before)[task.open]
    worst = int(np.argmax(lacking))
    if not np.isfinite(lacking[worst]) or lacking[worst] <= HOPELESS * gained[worst]:
        yield long_attack
        return
    told = f"optimised bounds gained {gained[worst]:.3g} and lack {lacking[worst]:.3g}"
    task.explain(f"{told}, so that an attack had {PART * task.deadline.remaining:.0f} s")
    yield hopeless_attack


def _long(task: Task) -> float:
    return min(3.0, 0.05 * task.deadline.remaining)


HOPELESS = 10.0
"""Times what optimised bounds have gained that they may lack before they count as hopeless in a large network: what
cuts gain where few domains are bounded in time is less."""

NEARER = 50.0
"""Times what an attack lacks that bounds of a large network may lack before it goes on at once."""

PART = 0.5
"""Of the time left, for such attacks."""

FEW_INPUTS = 10
"""Varying inputs up to which the input box is cut rather than the functions."""

FEW_DEEP_INPUTS = 16
"""Varying inputs up to which a deep network's input box is cut: few of them matter, and its functions are too many."""

SMALL = 20_000
"""Values of all nodes up to which thousands of boxes a second can be bounded."""

LARGE = 100_000
"""Values of all nodes from which on not every intermediate bound can be optimised, nor an attack end in a moment."""

ATTACK_PASSES, ATTACK_RATE = 200.0, 1e10
"""Passes of one start that a short attack on a large network should have, and multiplications a second."""

FEW_BOXES = 16
"""Open boxes up to which each is worth bounds of its own before a search on inputs, and a MILP."""

FEW_OPEN = 64
"""Open neurons up to which a MILP is mostly done in seconds: twins of 16 relus take it one to three."""

MOST_FUNCTIONS = 2000
"""Entries of functions beyond which nobody counts the open ones."""

FIRST_SEARCH, FIRST_MILP = (2.0, 0.1), (20.0, 0.5)
"""Seconds at most, and part of the time left, of the first turns."""

SHORT_MILP = (10.0, 0.2)
"""The same of a MILP while cuts of the inputs get on."""

DEEP_SEARCH = 0.5
"""Part of the time left for the first cuts of a deep network's inputs."""

LATER = (10.0, 0.1)
"""Seconds at most, and part of the time left, of the turns after that; they double."""

GAINING = 0.05
"""Part of what all margins lack that a turn of cuts of neurons has to gain to get another one."""

ENDED = 0.4
"""A turn that took less of its time than this came to its own end, and will find no more in another."""


class Cutting(Protocol):
    """A search on inputs that goes on where it was (`InputCutting`)."""

    @property
    def exhausted(self) -> bool: ...

    @property
    def stalled(self) -> bool: ...

    def run(self, seconds: float) -> None: ...


def _time(task: Task, most: float, share: float) -> float:
    return min(most, share * task.deadline.remaining)


def few_inputs(task: Task) -> Iterator[Stage]:
    """Cuts of the inputs; where these do not get anywhere, in turns with a MILP or with cuts of neurons."""
    if len(task.open_boxes()) <= FEW_BOXES:
        yield stages.crown
    from verifier.methods.split_inputs import InputCutting

    cutting = InputCutting(task)
    yield _cutting(cutting, _time(task, *FIRST_SEARCH))
    if is_small(task):
        yield long_attack
        yield small_milp if cutting.stalled else short_milp
    else:
        yield short_attack
    yield from turns(task, cutting)


def few_deep_inputs(task: Task) -> Iterator[Stage]:
    """Cuts of the inputs; where most of the box stays open, in turns with cuts of neurons, as long as these gain."""
    from verifier.methods.split_inputs import InputCutting

    cutting = InputCutting(task)
    yield short_attack
    yield stages.torch_kernels
    yield _cutting(cutting, DEEP_SEARCH * task.deadline.remaining)
    if not cutting.stalled:
        yield _cutting(cutting, math.inf)  # boxes take seconds: those under way would be bounded again after every turn
    yield from turns(task, cutting)


def many_inputs(task: Task) -> Iterator[Stage]:
    """Cuts of neurons, after the cheap methods, and for a small network a MILP first."""
    yield stages.crown
    yield short_attack
    yield stages.torch_kernels
    yield stages.alpha
    yield stages.torch_kernels
    yield stages.alpha_where_violated
    yield short_search
    yield long_attack
    if is_small(task):
        yield small_milp
    yield stages.split_neurons


def large(task: Task) -> Iterator[Stage]:
    """As with many inputs; but an attack first, and optimised bounds of only what costs the property."""
    yield stages.torch_kernels
    yield short_attack
    yield stages.crown
    yield stages.torch_kernels
    yield from _where_near(task)
    before = task.margins.copy()
    yield stages.alpha_by_cost
    yield from _where_hopeless(task, before)
    yield stages.alpha_where_violated
    yield stages.split_neurons


def products(task: Task) -> Iterator[Stage]:
    """Cuts of neurons, after bounds of those intermediate values only that cost the property."""
    yield stages.zonotope
    yield short_attack
    yield stages.alpha_by_cost
    yield stages.alpha_where_violated
    yield long_attack
    yield stages.split_neurons


def turns(task: Task, cutting: Cutting) -> Iterator[Stage]:
    """Cuts of inputs and what else there is, in turns that double; cuts of inputs alone, while they get on."""
    seconds, gaining = _time(task, *LATER), True
    while True:
        if not cutting.exhausted:
            yield _cutting(cutting, seconds)
        ended = cutting.exhausted
        others = [stages.milp] if is_small(task) else []
        others += [stages.split_neurons] if ended or (cutting.stalled and gaining) else []
        if others and not ended:
            task.explain(f"cuts of the inputs left most of the box open, so that {_names(others)} had {seconds:.1f} s")
        for stage in others:
            started, lacking = task.deadline.elapsed, _lacking(task)
            yield _limited(stage, seconds)
            ended = ended and task.deadline.elapsed - started < ENDED * seconds
            gaining = _lacking(task) < (1.0 - GAINING) * lacking if stage is stages.split_neurons else gaining
        if ended:
            return
        seconds *= 2


def _lacking(task: Task) -> float:
    """What the margins of all open disjuncts lack to be positive."""
    return float(-np.minimum(task.margins[task.open], 0.0).sum())


def _names(stages: Sequence[stages.Timed]) -> str:
    return " and ".join(stage.__name__ for stage in stages)


def _cutting(cutting: Cutting, seconds: float) -> Stage:
    def split_inputs(task: Task) -> None:
        cutting.run(seconds)

    return split_inputs


def _limited(stage: stages.Timed, seconds: float) -> Stage:
    def limited(task: Task) -> None:
        stage(task, seconds)

    limited.__name__ = stage.__name__
    return limited


def small_milp(task: Task) -> None:
    """The exact program of a small network, for a part of the time."""
    stages.milp(task, _time(task, *FIRST_MILP))


def short_milp(task: Task) -> None:
    """The same where cuts of the inputs get on, and had better go on soon."""
    stages.milp(task, _time(task, *SHORT_MILP))


def is_small(task: Task) -> bool:
    """Whether the network is piecewise linear (jumps included) with few open neurons, and there are few disjuncts.

    MILPs finish then.
    """
    able = task.solver is None or task.solver.capabilities.milp
    if not able or int(task.open.sum()) > FEW_BOXES or not _piecewise_linear(task.forms):
        return False
    return all(int(undecided(task.forms, task.enclosures.of(box))[0]) <= FEW_OPEN for box, _ in task.open_boxes())


def _piecewise_linear(network: Network) -> bool:
    functions = [node for node in network.nodes if isinstance(node, Elementwise | Product)]
    if sum(node.size for node in functions) > MOST_FUNCTIONS:
        return False
    return all(
        isinstance(node, Elementwise) and (node.function.pieces is not None or isinstance(node.function, Step))
        for node in functions
    )


PLAN = (
    Rule("few inputs", lambda f: f.inputs <= FEW_INPUTS and f.values <= SMALL, few_inputs,
         "boxes of so few inputs are quickly small, and linear bounds on small boxes are tight"),
    Rule("few inputs, deep", lambda f: f.inputs <= FEW_DEEP_INPUTS and f.values > SMALL, few_deep_inputs,
         "zonotopes of so few inputs pass a deep network at a fraction of the cost of backward rows"),
    Rule("products", lambda f: f.products > 0 and f.boxes <= FEW_BOXES, products,
         "zonotopes of a network with products take less than backward rows, and few of its bounds matter"),
    Rule("large", lambda f: f.values > LARGE and f.boxes <= FEW_BOXES, large,
         "a large network has more intermediate bounds than there is time for, of which few cost the property"),
    Rule("neurons", lambda f: True, many_inputs,
         "a box of many inputs stays wide however it is cut; functions are cut instead"),
)  # fmt: skip


def auto(task: Task) -> Iterator[Stage]:
    """The stages of `auto`, chosen when it is known what the cheap ones left open."""
    if task.cell_margins is not None:
        yield stages.centres
    yield stages.interval
    yield stages.quick_attack
    features = features_of(task)
    rule = next(rule for rule in PLAN if rule.applies(features))
    task.explain(f"{rule.name}: {rule.why} ({features})")
    yield from rule.stages(task)


def features_of(task: Task) -> Features:
    """The features of what is still open."""
    boxes = task.open_boxes()
    return Features(
        inputs=max((int((box.lower < box.upper).sum()) for box, _ in boxes), default=0),
        boxes=len(boxes),
        values=sum(node.size for node in task.forms.nodes),
        products=sum(node.size for node in task.forms.nodes if isinstance(node, Product)),
    )


def sequence(*stages: Stage) -> Callable[[Task], Iterator[Stage]]:
    """A plan that is the same for every task."""
    return lambda task: iter(stages)
