"""The stages by name, each loaded when it runs: a query that bounds decide does not wait for attacks and searches."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from verifier.methods.task import Task


class Timed(Protocol):
    """A stage that may be given seconds."""

    __name__: str

    def __call__(self, task: Task, *seconds: float) -> None: ...


def _stage(module: str, name: str) -> Timed:
    def run(task: Task, *seconds: float) -> None:
        getattr(import_module(f"verifier.methods.{module}"), name)(task, *seconds)

    run.__name__ = name
    return run


centres = _stage("cells", "centres")
quick_attack = _stage("falsify", "quick_attack")
attack_until = _stage("falsify", "attack_until")
torch_kernels = _stage("library", "torch_kernels")
interval = _stage("incomplete", "interval")
crown = _stage("incomplete", "crown")
zonotope = _stage("incomplete", "zonotope")
dual = _stage("incomplete", "dual")
lp = _stage("incomplete", "lp")
sdp = _stage("semidefinite", "sdp")
alpha = _stage("optimised", "alpha")
alpha_by_cost = _stage("optimised", "alpha_by_cost")
alpha_where_violated = _stage("violated", "alpha_where_violated")
split_neurons = _stage("optimised", "split_neurons")
split_inputs = _stage("split_inputs", "split_inputs")
milp = _stage("complete", "milp")
tighten = _stage("tightening", "tighten")
