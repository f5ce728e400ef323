"""The plan of `auto`: a rule for every query, and an explanation of the one that was taken."""

from __future__ import annotations

import numpy as np

from tests.networks import random_relu_network
from tests.search.test_neurons import query_of
from verifier.methods.plan import FEW_DEEP_INPUTS, FEW_INPUTS, PLAN, SMALL, Features, auto, features_of
from verifier.methods.task import Task
from verifier.property.query import Box


def test_every_query_has_a_rule() -> None:
    rng = np.random.default_rng(0)
    for inputs, boxes, values in rng.integers(0, 10**6, size=(200, 3)):
        assert any(rule.applies(Features(int(inputs), int(boxes), int(values))) for rule in PLAN)


def test_few_inputs_are_cut_and_many_are_not() -> None:
    rng = np.random.default_rng(1)
    for size, rule in ((FEW_INPUTS, PLAN[0]), (FEW_INPUTS + 1, PLAN[-1])):
        network = random_relu_network(rng, (size, 4, 1))
        box = Box.exact(-np.ones(size), np.ones(size))
        task = Task(network, query_of(network, box, [(np.array([0]), np.array([-100.0]))]))
        assert features_of(task).inputs == size
        names = [stage.__name__ for stage in auto(task)]
        assert names == ["quick_attack", "interval", *(stage.__name__ for stage in rule.stages)]
        (line,) = task.explanation
        assert line.startswith(rule.name)
        assert f"{size} inputs vary" in line


def test_few_inputs_of_a_deep_network_are_cut() -> None:
    for inputs, expected in ((FEW_INPUTS, "few inputs, deep"), (FEW_DEEP_INPUTS, "few inputs, deep")):
        assert taken(Features(inputs, 1, SMALL + 1)) == expected
    assert taken(Features(FEW_DEEP_INPUTS + 1, 1, SMALL + 1)) == "neurons"
    assert taken(Features(FEW_DEEP_INPUTS, 1, SMALL)) == "neurons"


def taken(features: Features) -> str:
    """The name of the rule for such a query."""
    return next(rule.name for rule in PLAN if rule.applies(features))


def test_inputs_that_are_fixed_do_not_count() -> None:
    network = random_relu_network(np.random.default_rng(2), (40, 4, 1))
    lower, upper = np.zeros(40), np.zeros(40)
    upper[:3] = 1.0
    task = Task(network, query_of(network, Box.exact(lower, upper), [(np.array([0]), np.array([-100.0]))]))
    assert features_of(task).inputs == 3
