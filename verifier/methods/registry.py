"""All methods by name, and the plan of `auto`.

A method is a sequence of stages that work on one task. Each alone shows what its kind of certificate can do; `auto`
goes from the cheapest to the strongest and stops as soon as the verdict is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from verifier.arguments import of_type
from verifier.errors import Argument, UsageError
from verifier.methods import stages, unbounded, unconstrained
from verifier.methods.options import Options
from verifier.methods.plan import auto, sequence
from verifier.methods.task import Stage, Task
from verifier.network.graph import Network
from verifier.programs.solvers.registry import DEFAULT, solver_named
from verifier.property.query import Query
from verifier.verdict import Status, Verdict


@dataclass(frozen=True)
class Method:
    """A way to decide a query.

    Attributes:
        name: as users give it.
        summary: one line for the help.
        complete: whether it decides every query on piecewise linear networks, given time.
        stages: the stages for a task, run in order until it is settled or its time is up.
    """

    name: str
    summary: str
    complete: bool
    stages: Callable[[Task], Iterable[Stage]]


_METHODS = (
    Method("auto", "a plan made for the query: attacks, bounds, branch and bound", True, auto),
    Method("interval", "interval bound propagation: fastest, loosest", False, sequence(stages.interval)),
    Method("crown", "linear bounds, propagated backward", False, sequence(stages.crown)),
    Method("dual", "the dual network of relus, in closed form", False, sequence(stages.dual)),
    Method("alpha", "linear bounds with optimised slopes", False, sequence(stages.alpha)),
    Method("lp", "the triangle relaxation as a linear program", False, sequence(stages.lp)),
    Method(
        "sdp",
        "the semidefinite relaxation of a small relu network",
        False,
        sequence(stages.crown, stages.sdp),
    ),
    Method("inputs", "branch and bound on the inputs", True, sequence(stages.crown, stages.split_inputs)),
    Method("neurons", "branch and bound on neurons", True, sequence(stages.alpha, stages.split_neurons)),
    Method("milp", "the exact mixed-integer program", True, sequence(stages.milp)),
    Method("attack", "projected gradient descent: can only falsify", False, sequence(stages.attack_until)),
)

METHODS: Mapping[str, Method] = MappingProxyType({method.name: method for method in _METHODS})


def method_named(name: str) -> Method:
    """The method of that name.

    Raises:
        UsageError: there is none.
    """
    of_type(name, str, "method", "give one name; `compare` asks several methods")
    if name not in METHODS:
        raise UsageError(f"there is no method {name!r}", Argument("method"), f"choose one of {', '.join(METHODS)}")
    return METHODS[name]


def check_solver(solver: str, methods: Iterable[str]) -> None:
    """Finds out before any work whether a solver is to be had and does for the methods.

    Args:
        solver: as `verifier solvers` lists it.
        methods: names.

    Raises:
        UsageError: it is not, or does not.
    """
    if solver == DEFAULT:
        return
    backend = solver_named(solver)
    if "milp" in methods and not backend.capabilities.milp:
        cause = "it solves no mixed-integer programs, which method=milp needs"
        raise UsageError(cause, Argument("solver"), "`verifier solvers` shows which do")


def decide(network: Network, query: Query, method: Method, options: Options) -> Verdict:
    """Runs a method on a query about a network; the answer names the stage that settled it."""
    return run(Task(network, query, options), method)


def run(task: Task, method: Method) -> Verdict:
    """Runs a method on a task, whose state can be watched meanwhile.

    Raises:
        UsageError: an option asks for what is not to be had.
        ModelError: ONNX Runtime, the judge of the model's meaning, does not accept it, or cannot run it.
    """
    check_solver(task.options.solver, [method.name])
    with np.errstate(all="ignore"):  # infinities and NaN are expected, and handled where they arise
        if unbounded.has_unbounded(task.query):
            told = unbounded.run_in_parts(task, lambda part: _run_stages(part, method))
        else:
            told = _run_stages(task, method)
    verdict = task.verdict(told)
    if verdict.status is not Status.UNSAT:
        return verdict
    from verifier.methods.rounding import rounding_remark

    if task.network.has_model:
        task.replay.require_accepted()
    remark = rounding_remark(task)
    return replace(verdict, detail="; ".join(filter(None, (verdict.detail, remark)))) if remark else verdict


def _run_stages(task: Task, method: Method) -> str:
    """Runs the stages; the method's name, where there were several with the stage that settled the task.

    With a MILP that excluded a part as well: what trusts a solver's dual bound is told apart by its name.
    """
    unconstrained.judge_unconstrained(task)
    if task.settled or not task.query.patterns.count:
        return method.name
    if task.tightens:
        task.on_stage("tighten")
        stages.tighten(task)
    trusted: list[str] = []  # stages that have excluded something by a solver's word
    for count, stage in enumerate(method.stages(task)):
        if task.deadline.expired:
            break
        task.on_stage(stage.__name__)
        before = task.open.copy()
        stage(task)
        if task.settled:
            settling = dict.fromkeys([*trusted, stage.__name__])
            return f"{method.name} ({', '.join(settling)})" if method.name == "auto" or count else method.name
        if "milp" in stage.__name__ and (before & ~task.open).any():
            trusted.append(stage.__name__)
    return method.name
