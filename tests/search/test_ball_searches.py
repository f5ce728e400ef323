"""Both searches in balls: they decide tiny questions, keep balls apart, and run on any array library."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import verifier
from tests.methods.test_balls import check_witness, classifier, inside, points
from tests.networks import random_dag
from verifier.bounds.boxwise import BoxwisePass, Plan, boxwise_intervals
from verifier.bounds.enclosure import Interval
from verifier.property.query import Disjunct, LinearConstraint, Query
from verifier.property.robustness import Neighbourhood


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2]))
@settings(max_examples=40, deadline=None)
def test_parts_of_a_box_are_bounded_within_the_ball(seed: int, norm: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    box = Neighbourhood(rng.normal(size=network.input_size), 0.6, norm).box()
    cut = box.lower + rng.uniform(0.3, 0.7, size=box.size) * (box.upper - box.lower)
    upper_half = rng.random((2, box.size)) < 0.3
    lower, upper = np.where(upper_half, cut, box.lower), np.where(upper_half, box.upper, cut)
    plan = Plan(network, np.zeros(0), ball=True)
    with np.errstate(all="ignore"):
        intervals, _ = boxwise_intervals(plan, Interval(lower, upper, box.ball), {})
        forms = BoxwisePass(plan, intervals).forms(len(network.nodes) - 1, np.eye(3)[None])
    x = inside(box, points(box, rng, 2000))
    for n in range(2):
        within = ((x >= lower[n]) & (x <= upper[n])).all(axis=1)
        assert not (within.any() and box.ball.misses(lower[n][None], upper[n][None])[0])
        if within.any():
            values = network.values(x[within])
            for value, interval in zip(values, intervals, strict=True):
                slack = 1e-9 * (1 + np.abs(value))
                assert (value >= interval.lower[n] - slack).all()
                assert (value <= interval.upper[n] + slack).all()
            assert (values[-1] >= forms.bound[n] - 1e-9 * (1 + np.abs(values[-1]))).all()


@pytest.mark.parametrize("method", ["inputs", "neurons", "auto"])
@pytest.mark.parametrize("device", ["cpu", "torch:cpu"])
def test_balls_of_several_norms_in_one_query(tmp_path: Path, method: str, device: str) -> None:
    """A threshold between the minima over the balls of norm 1, 2 and inf: only the larger sets hold violations."""
    rng = np.random.default_rng(3)
    network = classifier(rng, (3, 6, 5, 2), tmp_path)
    sample = rng.normal(size=3)
    boxes = [Neighbourhood(sample, 0.7, norm).box() for norm in (1, 2, np.inf)]
    minima = [network.forward(points(box, rng, 20_000))[:, 0].min() for box in boxes]
    assert minima[0] > minima[1] + 0.05 > minima[2] + 0.1
    options = verifier.Options(timeout=60, device=device, threads=1)
    for several, threshold, verdict in (
        ((0,), minima[0] - 0.02, "unsat"),
        ((0, 1), minima[1] + 0.01, "sat"),
        ((0, 1), minima[1] - 0.02, "unsat"),
        ((0, 1, 2), minima[2] + 0.01, "sat"),
        ((0, 1, 2), minima[2] - 0.02, "unsat"),
    ):
        row = LinearConstraint((), ((0, Fraction(1)),), Fraction(float(threshold)))
        query = Query(tuple(Disjunct(boxes[i], (row,)) for i in several), 3, 2)
        answer = verifier.verify(network, query, method, options)
        assert answer.status == verdict, (several, threshold)
        if answer.witness is not None:
            norm = (1, 2, np.inf)[several[-1]]
            check_witness(answer.witness, sample, 0.7, norm, None)
