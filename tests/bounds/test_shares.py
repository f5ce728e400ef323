"""Bounds that know that entries of a softmax add up to 1, and bounds of entries that are alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attention import attention
from tests.networks import random_box
from verifier.bounds.alike import Alike
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines, Tightening
from verifier.bounds.interval import interval_bounds
from verifier.bounds.lagrangian import Lagrangian, Rows, first_choice
from verifier.bounds.layout import layout
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.bounds.relaxation import Relaxation
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Composition, LinearMap, Scaling, Selection

seeds = st.integers(0, 2**32 - 1)


def question(rng: np.random.Generator, radius: float) -> tuple[Network, list[Interval], Rows, np.ndarray]:
    """A network with attention over a box, two rows on its outputs, and values of all nodes at points of the box."""
    network = attention(rng, 3, 2)
    lower, upper = random_box(rng, 3, radius=radius)
    intervals = interval_bounds(network, lower[None], upper[None])
    rows = Rows(len(network.nodes) - 1, rng.normal(size=(2, 1, 2)), np.zeros((2, 1)), np.zeros((2, 0), np.int64))
    return network, intervals, rows, rng.uniform(lower, upper, size=(300, 3))


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_any_choice_gives_a_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, intervals, rows, points = question(rng, float(rng.choice([0.01, 0.3, 1.0])))
    shape = layout(network, intervals)
    assert shape.shared_places[5].stop == shape.place_count == shape.shared_places[5].start + 3
    relaxation = Relaxation(network, intervals, shape)
    start = first_choice(Lagrangian(network, relaxation, rows))
    choice = replace(start, places=rng.random(start.places.shape))
    least = (rows.coefficients[:, 0] @ network.forward(points).T).min(axis=1)
    assert (proven(relaxation, rows, choice).bound <= least + 1e-12).all()


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_gradient_is_that_of_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, intervals, rows, _ = question(rng, 0.3)
    lagrangian = Lagrangian(network, Relaxation(network, intervals, layout(network, intervals)), rows)
    start = first_choice(lagrangian)
    choice = replace(start, places=rng.uniform(0.1, 0.9, start.places.shape))
    gradient = lagrangian.gradient(choice, lagrangian.evaluate(choice)).places
    direction = rng.normal(size=choice.places.shape)
    step = 1e-7
    ends = [lagrangian.evaluate(replace(choice, places=choice.places + s * step * direction)).bound for s in (1, -1)]
    np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), (gradient * direction).sum(axis=1), 1e-3, 1e-4)


def test_what_entries_share_raises_bounds() -> None:
    gains = []
    for seed in range(8):
        network, intervals, rows, _ = question(np.random.default_rng(seed), 0.3)
        bounds = []
        for sharing in (True, False):
            relaxation = Relaxation(network, intervals, layout(network, intervals, sharing))
            ascent = Ascent(*(lambda f: (f, first_choice(f)))(Lagrangian(network, relaxation, rows)), AscentOptions())
            ascent.run(np.inf)
            bounds.append(proven(relaxation, rows, ascent.best).bound)
        gains.append(bounds[0] - bounds[1])
    assert np.mean(gains) > 0
    assert (np.array(gains) > 0).mean() > 0.8


@given(seeds)
@settings(max_examples=40, deadline=None)
def test_entries_that_are_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = Scaling(rng.choice([-1.0, 1.0], 12), exact=True)
    maps: list[LinearMap] = [
        Selection(rng.integers(-1, 3, 12), 3),
        Composition(factors, Selection(rng.integers(-1, 3, 12), 3)),
    ]
    node = Affine((0, 0), tuple(maps), rng.integers(-1, 2, 12) / 3.0)
    alike = Alike.of(node)
    x = rng.normal(size=(5, 3))
    values = sum((m.apply(x) for m in maps), node.bias)
    assert len(np.unique(alike.like)) < 12
    np.testing.assert_allclose(values, alike.sign * values[:, alike.like] + alike.offset, rtol=0, atol=1e-14)
    ends = np.stack([values, -values])[:, 0, alike.like] - 1e-13  # the rounding of the values themselves
    bounds = alike.bounds(np.arange(12), ends)
    assert (bounds <= np.stack([values, -values])[:, 0]).all()
    np.testing.assert_allclose(bounds, np.stack([values, -values])[:, 0], rtol=0, atol=1e-12)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_chosen_entries_alone_are_tightened(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, intervals, _, points = question(rng, 0.3)
    chosen = {2: np.zeros(27, bool), 4: np.ones(9, bool)}
    work = Tightening(Engines(network, network, np.zeros(0)), AscentOptions(steps=3), Deadline(), chosen)
    for tight, known, values in zip(work.of_box(intervals), intervals, network.values(points), strict=True):
        assert (tight.lower <= values + 1e-12).all()
        assert (tight.upper >= values - 1e-12).all()
        assert (tight.lower >= known.lower).all()
