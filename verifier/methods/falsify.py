"""The falsifying stages: gradient attacks, whose points count only once ONNX Runtime has confirmed them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.attacks.pgd import AttackOptions, Best, Target, attack
from verifier.methods.task import Task

QUICK = AttackOptions(most_starts=64, steps=20, rounds=2)
THOROUGH = AttackOptions(rounds=1_000_000)

NO_FLOAT32 = (
    "the input set holds no input of the network's type exactly (an input is fixed to another number), so no witness "
    "can be exact; witness_tolerance=1e-6 accepts the nearest one"
)


def quick_attack(task: Task, seconds: float = 0.5) -> None:
    """A short attack on all open disjuncts, before any bound is computed."""
    _run(task, QUICK, seconds)


def attack_until(task: Task, seconds: float = float("inf"), options: AttackOptions = THOROUGH) -> None:
    """An attack with ever new starts for as long as it is allowed."""
    _run(task, options, seconds)


def _run(task: Task, options: AttackOptions, seconds: float) -> None:
    best = best_of(task)
    attack(best, reachable(task), options, task.random(), task.deadline.within(seconds))
    if task.options.thorough:
        for d, point in best.points.items():
            task.reaches(d, point)


def best_of(task: Task) -> Best:
    """What attacks have come nearest by so far, of which every one begins."""
    network, example = task.descended
    target = Target(network, task.query, task.judge, example)
    task.nearest = Best(target) if task.nearest is None else replace(task.nearest, target=target)
    task.nearest.minimisers = task.minimisers
    return task.nearest


def reachable(task: Task) -> list[int]:
    """Open disjuncts whose inputs may be of the network's type."""
    targets = [int(d) for d in np.flatnonzero(task.open)]
    if task.options.witness_tolerance > 0.0:
        return targets
    reachable = [d for d in targets if task.query.disjuncts[d].box.has_float32_point]
    if len(reachable) < len(targets):
        task.notes.append(NO_FLOAT32)
    return reachable
