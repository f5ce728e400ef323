"""The plan of `auto`: a rule for every query, and an explanation of the one that was taken."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.networks import random_relu_network
from tests.search.test_neurons import query_of
from verifier.methods.options import Options
from verifier.methods.plan import (
    FEW_DEEP_INPUTS,
    FEW_INPUTS,
    PLAN,
    SMALL,
    Features,
    auto,
    features_of,
    sequence,
    turns,
)
from verifier.methods.registry import METHODS, Method, run
from verifier.methods.task import Task
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.query import Box
from verifier.verdict import Status


def test_every_query_has_a_rule() -> None:
    rng = np.random.default_rng(0)
    for inputs, boxes, values in rng.integers(0, 10**6, size=(200, 3)):
        assert any(rule.applies(Features(int(inputs), int(boxes), int(values))) for rule in PLAN)


def asked(size: int, threshold: float = -100.0, hidden: int = 4, **options: float) -> Task:
    """Whether a random network on a box of `size` inputs falls to a threshold."""
    network = random_relu_network(np.random.default_rng(1), (size, hidden, 1))
    box = Box.exact(-np.ones(size), np.ones(size))
    query = query_of(network, box, [(np.array([0]), np.array([threshold]))])
    return Task(network, query, Options(**options))  # type: ignore[arg-type]


def test_few_inputs_are_cut_and_many_are_not() -> None:
    for size, rule, first in (
        (FEW_INPUTS, PLAN[0], ["crown", "split_inputs", "long_attack", "short_milp", "split_inputs", "milp"]),
        (
            FEW_INPUTS + 1,
            PLAN[-1],
            [
                "crown",
                "short_attack",
                "torch_kernels",
                "alpha",
                "torch_kernels",
                "alpha_where_violated",
                "short_search",
                "long_attack",
                "small_milp",
                "split_neurons",
            ],
        ),
    ):
        task = asked(size)
        assert features_of(task).inputs == size
        names = [stage.__name__ for stage in islice(auto(task), 2 + len(first))]
        assert names == ["interval", "quick_attack", *first]
        assert task.explanation[0].startswith(rule.name)
        assert f"{size} inputs vary" in task.explanation[0]


def test_a_network_with_many_open_neurons_gets_no_milp() -> None:
    names = [stage.__name__ for stage in islice(auto(asked(4, hidden=200)), 6)]
    assert names == ["interval", "quick_attack", "crown", "split_inputs", "short_attack", "split_inputs"]


class Cutting:
    """Stands for the cuts of inputs."""

    def __init__(self, stalled: bool, exhausted: bool) -> None:
        self.stalled, self.exhausted = stalled, exhausted
        self.turns: list[float] = []

    def run(self, seconds: float) -> None:
        self.turns.append(seconds)


@pytest.mark.parametrize(("stalled", "gain"), [(False, 0.0), (True, 0.5), (True, 0.01)])
def test_cuts_of_inputs_that_get_nowhere_hand_over_to_neurons_and_back(stalled: bool, gain: float) -> None:
    """In turns that double, as long as these gain and none comes to an end of its own; told to those who ask."""
    task, cutting = asked(4, hidden=200, timeout=30.0), Cutting(stalled, exhausted=False)
    task.margins[:] = -1.0
    names = []
    for stage in islice(turns(task, cutting), 4):
        names.append(stage.__name__)
        if stage.__name__ == "split_inputs":
            stage(task)
        else:
            task.margins *= 1.0 - gain
    if stalled:
        assert names == [
            "split_inputs",
            "split_neurons",
            "split_inputs",
            "split_neurons" if gain > 0.05 else "split_inputs",
        ]
        assert cutting.turns[1] == 2 * cutting.turns[0]
        assert "split_neurons had" in task.explanation[0]
    else:
        assert names == ["split_inputs"] * 4
        assert not task.explanation


def test_turns_end_where_nothing_is_left_to_try() -> None:
    task = asked(4)
    assert [stage.__name__ for stage in turns(task, Cutting(False, exhausted=True))] == ["milp", "split_neurons"]


def test_what_a_milp_has_excluded_is_told_by_its_name() -> None:
    """Two disjuncts, one excluded by the solver's word, one by a bound: the proof rests on both."""

    def milp(task: Task) -> None:
        task.margin_bounded(0, 1.0)

    def bounds(task: Task) -> None:
        task.margin_bounded(1, 1.0)

    network = random_relu_network(np.random.default_rng(1), (2, 4, 1))
    box = Box.exact(-np.ones(2), np.ones(2))
    task = Task(network, query_of(network, box, [(np.array([0]), np.array([-100.0]))] * 2))
    assert run(task, Method("auto", "", True, sequence(milp, bounds))).method == "auto (milp, bounds)"


def test_twins_of_a_small_network_are_decided() -> None:
    """f(x) - f(y) where y >= x and f rises: the margin is 0, so that no box next to the diagonal is ever excluded."""
    rng = np.random.default_rng(3)
    first, second = np.abs(rng.normal(size=(8, 3))), np.abs(rng.normal(size=(1, 8)))
    bias = -0.5 * first.sum(axis=1)
    both = Dense(np.block([[first, np.zeros((8, 3))], [first, first]]))  # x, and x + d for d >= 0
    nodes = (
        Input(6),
        Affine((0,), (both,), np.concatenate([bias, bias])),
        Elementwise((1,), Relu(), 16),
        Affine((2,), (Dense(np.hstack([-second, second])),), np.zeros(1)),
    )
    network = Network(nodes)
    box = Box.exact(np.zeros(6), np.ones(6))
    task = Task(network, query_of(network, box, [(np.array([0]), np.array([-0.01]))]), Options(timeout=60.0))
    task.replay = Unconvinced()
    assert run(task, METHODS["auto"]).status is Status.UNSAT


class Unconvinced:
    """A judge for a network without a model, which accepts no candidate of a solver."""

    def judge(self, disjunct: object, point: np.ndarray) -> None:
        return None


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
