"""Linear bounds of many boxes at once hold in each, and rows a box does not need change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks import random_box, random_dag, samples
from verifier.bounds.boxwise import BoxwisePass, Plan, boxwise_intervals
from verifier.bounds.enclosure import Interval
from verifier.relaxations.policy import Policy


def boxes(rng: np.random.Generator, size: int, count: int) -> Interval:
    ends = [random_box(rng, size, radius=10.0 ** rng.integers(-6, 1)) for _ in range(count)]
    return Interval(np.stack([low for low, _ in ends]), np.stack([high for _, high in ends]))


@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("seed", range(25))
def test_bounds_contain_the_values(seed: int, policy: Policy) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    box = boxes(rng, network.input_size, 7)
    plan = Plan(network, np.zeros(0))
    with np.errstate(all="ignore"):
        intervals, _ = boxwise_intervals(plan, box, {})
        rows = rng.normal(size=(1, 4, network.output_size))
        forms = BoxwisePass(plan, intervals, policy).forms(len(network.nodes) - 1, rows)
    for n in range(7):
        x = samples(rng, box.lower[n], box.upper[n], 200)
        values = network.values(x)
        for interval, value in zip(intervals, values, strict=True):
            slack = 1e-13 * (1 + np.abs(value))
            assert (interval.lower[n] <= value + slack).all()
            assert (value - slack <= interval.upper[n]).all()
        outputs = values[-1] @ rows[0].T
        slack = 1e-12 * (1 + np.abs(outputs))
        assert (x @ forms.coefficients[n].T + forms.constant[n] <= outputs + slack).all()
        assert (forms.bound[n] <= outputs + slack).all()


@pytest.mark.parametrize("seed", range(10))
def test_a_part_of_a_box_starts_from_what_is_known_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    box = boxes(rng, network.input_size, 3)
    part = Interval(box.lower, 0.5 * box.lower + 0.5 * box.upper)
    plan = Plan(network, np.zeros(0))
    with np.errstate(all="ignore"):
        whole, _ = boxwise_intervals(plan, box, {})
        known = {k: whole[k] for k in plan.tightened}
        bounded, _ = boxwise_intervals(plan, part, known)
    for k in plan.tightened:
        assert (bounded[k].lower >= known[k].lower).all()
        assert (bounded[k].upper <= known[k].upper).all()


def test_unbounded_intervals_make_no_bound_and_no_nan() -> None:
    network = random_dag(np.random.default_rng(4), products=True)
    box = Interval(np.full((2, network.input_size), -1e90), np.full((2, network.input_size), 1e90))
    plan = Plan(network, np.zeros(0))
    with np.errstate(all="ignore"):
        intervals, _ = boxwise_intervals(plan, box, {})
        forms = BoxwisePass(plan, intervals).forms(len(network.nodes) - 1, np.eye(network.output_size)[None])
    assert not np.isnan(forms.bound).any()
    assert not np.isnan(forms.constant).any()
