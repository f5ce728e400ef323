"""All methods by name, and the plan of `auto`.

A method is a sequence of stages that work on one task. Each alone shows what its kind of certificate can do; `auto`
goes from the cheapest to the strongest and stops as soon as the verdict is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from verifier.errors import UsageError
from verifier.methods import complete, falsify, incomplete
from verifier.methods.task import Options, Stage, Task
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.verdict import Verdict


@dataclass(frozen=True)
class Method:
    """A way to decide a query.

    Attributes:
        name: as users give it.
        summary: one line for the help.
        complete: whether it decides every query on piecewise linear networks, given time.
        stages: run in order until the task is settled or its time is up.
    """

    name: str
    summary: str
    complete: bool
    stages: tuple[Stage, ...]


def _short_attack(task: Task) -> None:
    """A fraction of a second of attack, where bounds alone did not do; most violations that are there show up."""
    falsify.attack_until(task, seconds=min(0.3, 0.02 * task.deadline.remaining))


def _long_attack(task: Task) -> None:
    """A longer attack before the MILP, which may well use up all the time left; a small MILP is worth no long wait."""
    boxes = task.open_boxes()
    unstable = task.unstable_count(boxes[0][0]) if boxes else 0
    falsify.attack_until(task, seconds=min(5.0, 0.02 * unstable, 0.1 * task.deadline.remaining))


_METHODS = (
    Method("auto", "attack a little, then interval, CROWN, LP and MILP", True,
           (falsify.quick_attack, incomplete.interval, incomplete.crown, _short_attack,
            incomplete.lp, _long_attack, complete.milp)),
    Method("interval", "interval bound propagation: fastest, loosest", False, (incomplete.interval,)),
    Method("crown", "linear bounds, propagated backward", False, (incomplete.crown,)),
    Method("lp", "the triangle relaxation, solved by HiGHS", False, (incomplete.lp,)),
    Method("milp", "the exact mixed-integer program, solved by HiGHS", True, (complete.milp,)),
    Method("attack", "projected gradient descent: can only falsify", False, (falsify.attack_until,)),
)  # fmt: skip

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _METHODS})


def method_named(name: str) -> Method:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}", "--method", f"choose one of {', '.join(METHODS)}")
    return METHODS[name]


def decide(network: Network, query: Query, method: Method, options: Options) -> Verdict:
    """Runs a method on a query about a network; the answer names the stage that settled it."""
    return run(Task(network, query, options), method)


def run(task: Task, method: Method) -> Verdict:
    """Runs a method on a task, whose state can be watched meanwhile."""
    with np.errstate(all="ignore"):  # infinities and NaN are expected, and handled where they arise
        told = _run_stages(task, method)
    return task.verdict(told)


def _run_stages(task: Task, method: Method) -> str:
    """Runs the stages; the method's name, with the stage that settled the task where there were several."""
    falsify.judge_unconstrained(task)
    for stage in method.stages:
        if task.settled or task.deadline.expired or not task.query.patterns.count:
            break
        name = stage.__name__.strip("_")
        task.on_stage(name)
        stage(task)
        if task.settled and len(method.stages) > 1:
            return f"{method.name} ({name})"
    return method.name
