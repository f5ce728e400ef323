"""Branch and bound on neurons: exact on tiny networks, silent where it did not finish, bounded in memory."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from tests.networks import random_dag, random_relu_network, samples
from tests.programs.patterns import exact_minimum
from verifier.bounds.intermediate import Engines
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.deadline import Deadline
from verifier.network.functions import Clip, Relu, ScalarFunction, Sigmoid, Sin, Tanh
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense
from verifier.programs.margins import exact_margin
from verifier.property.forms import with_forms
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.search.aside import Aside
from verifier.search.bounding import Bounded, Bounder, Question
from verifier.search.branching import children
from verifier.search.crew import Crew
from verifier.search.domains import Domains, Pool
from verifier.search.neurons import NeuronOptions, NeuronSearch, roots
from verifier.search.record import Record


class Recorder:
    """An observer that judges points by the network itself."""

    def __init__(self, network: Network, query: Query) -> None:
        self.network, self.query = network, query
        self.margins: dict[int, float] = {}
        self.witness: np.ndarray | None = None
        self.progress: list[tuple[int, int, float]] = []

    def accepts(self, disjunct: int, point: np.ndarray) -> bool:
        x = np.clip(point, self.query.disjuncts[disjunct].box.lower, self.query.disjuncts[disjunct].box.upper)
        y = self.network.forward(x[None])[0]
        if all(row.holds(x, y) for row in self.query.disjuncts[disjunct].rows):
            self.witness = x
        return self.witness is not None

    def margin_bounded(self, disjunct: int, margin: float) -> None:
        self.margins[disjunct] = max(margin, self.margins.get(disjunct, -np.inf))

    def advanced(self, open_count: int, explored: int, bound: float) -> None:
        self.progress.append((open_count, explored, bound))


def query_of(network: Network, box: Box, conjunctions: list[tuple[np.ndarray, np.ndarray]]) -> Query:
    """Outputs rows <= thresholds, one disjunct a conjunction."""
    disjuncts = [
        Disjunct(
            box,
            tuple(
                LinearConstraint((), ((int(r), Fraction(1)),), Fraction(float(t)))
                for r, t in zip(rows, thresholds, strict=True)
            ),
        )
        for rows, thresholds in conjunctions
    ]
    return Query(tuple(disjuncts), network.input_size, network.output_size)


def search(
    network: Network,
    query: Query,
    options: NeuronOptions | None = None,
    seconds: float = 60.0,
    aside: Aside | None = None,
) -> tuple[NeuronSearch, Recorder]:
    forms = with_forms(network, query.patterns)
    box = query.disjuncts[0].box
    intervals = linear_bounds(forms, box.lower[None], box.upper[None])
    engines = Engines(forms, forms.like(np.zeros(0, np.float32)), np.zeros(0, np.float32))
    recorder = Recorder(network, query)
    question = Question.over(engines, box, intervals, query.patterns)
    found = NeuronSearch(question, options or NeuronOptions(threads=1), recorder, Deadline(seconds), aside)
    with np.errstate(all="ignore"):
        found.run(np.arange(len(query.disjuncts)))
    return found, recorder


@pytest.mark.parametrize("seed", range(12))
def test_verdicts_are_those_of_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (3, 5, 4, 3))
    lower, upper = -1.0 - rng.random(3), 1.0 + rng.random(3)
    box = Box.exact(lower, upper)
    several = rng.permutation(3)[:2], rng.normal(scale=0.2, size=2)
    for rows, thresholds in ((np.array([0]), np.zeros(1)), several):
        true = exact_minimum(network, lower, upper, rows, thresholds)
        for shift in (-0.3, -1e-4, 1e-4, 0.3):
            query = query_of(network, box, [(rows, thresholds + true + shift)])
            done, recorder = search(network, query)
            if shift < 0:
                assert recorder.margins[0] > 0
                assert recorder.margins[0] <= -shift + 1e-6
                assert recorder.witness is None
            else:
                assert done.found
                assert recorder.witness is not None
                assert not recorder.margins


@pytest.mark.parametrize("function", [Sigmoid(), Tanh(), Sin()], ids=lambda function: function.name)
def test_bent_functions_are_decided(function: ScalarFunction) -> None:
    rng = np.random.default_rng(1)
    network = random_relu_network(rng, (2, 4, 3, 1))
    nodes = [replace(n, function=function) if isinstance(n, Elementwise) else n for n in network.nodes]
    network = Network(tuple(nodes))
    box = Box.exact(-2 * np.ones(2), 2 * np.ones(2))
    least = network.forward(samples(rng, box.lower, box.upper, 50_000)).min()
    for shift in (-0.02, 0.02):
        done, recorder = search(network, query_of(network, box, [(np.array([0]), np.array([least + shift]))]))
        assert (recorder.margins.get(0, -1.0) > 0) == (shift < 0)
        assert done.found == (shift > 0)


@pytest.mark.parametrize("seed", range(8))
def test_any_graph_is_treated_soundly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng, depth=3)
    centre = rng.normal(size=network.input_size)
    box = Box.exact(centre - 0.4, centre + 0.4)
    values = network.forward(samples(rng, box.lower, box.upper, 20_000))[:, :2]
    thresholds = values.min(axis=0) + rng.choice([-0.1, 0.01], size=2)
    query = query_of(network, box, [(np.array([0]), thresholds[:1]), (np.array([0, 1]), thresholds)])
    _, recorder = search(network, query, seconds=2.0)
    for d, rows in enumerate(([0], [0, 1])):
        margin = (values[:, rows] - thresholds[rows]).max(axis=1).min()
        assert recorder.margins.get(d, -np.inf) <= margin + 1e-9


def test_disjuncts_are_told_one_by_one_and_only_when_closed() -> None:
    rng = np.random.default_rng(4)
    network = random_relu_network(rng, (3, 4, 4, 2))
    box = Box.exact(-np.ones(3), np.ones(3))
    least = [exact_minimum(network, box.lower, box.upper, np.array([k]), np.zeros(1)) for k in range(2)]
    far = network.forward(samples(rng, box.lower, box.upper, 1000))
    query = query_of(network, box, [(np.array([k]), np.array([least[k] - 0.05])) for k in range(2)])
    _, recorder = search(network, query)
    assert set(recorder.margins) == {0, 1}
    for k in range(2):
        assert 0 < recorder.margins[k] <= far[:, k].min() - least[k] + 0.05 + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_no_domain_is_left_that_can_neither_be_cut_nor_closed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network, box = random_relu_network(rng, (3, 5, 4, 2)), Box.exact(-np.ones(3), np.ones(3))
    least = [exact_minimum(network, box.lower, box.upper, np.array([k]), np.zeros(1)) for k in range(2)]
    query = query_of(network, box, [(np.array([k]), np.array([least[k] - 0.001])) for k in range(2)])
    done, recorder = search(network, query)
    assert set(recorder.margins) == {0, 1}
    assert not done.stuck


@pytest.mark.parametrize("seed", range(4))
def test_clips_are_cut_at_both_kinks_and_nowhere_else(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng, functions=(Clip(-0.3, 0.5), Relu()), products=False)
    box = Box.exact(-np.ones(network.input_size), np.ones(network.input_size))
    bounds = [(i.lower[0], i.upper[0]) for i in linear_bounds(network, box.lower[None], box.upper[None])]
    far = bounds[-1][1][0] + 1.0
    truth = far + exact_margin(network, box, bounds, (np.array([0]), np.array([far])), Deadline()).bound
    query = query_of(network, box, [(np.array([0]), np.array([truth - 0.01]))])
    done, recorder = search(network, query)
    assert set(recorder.margins) == {0}
    assert 0 < recorder.margins[0] <= 0.011
    assert not done.stuck
    cuts = done.record.tree.cut[done.record.tree.dimension >= 0]
    assert np.isin(cuts, [-0.3, 0.0, 0.5]).all()


@pytest.mark.parametrize("shift", [-0.01, 0.01])
def test_a_network_without_anything_to_cut_is_a_linear_program(shift: float) -> None:
    forms = Dense(np.array([[1.0, 1.0], [-1.0, -1.0]]))
    layers = (
        Input(2),
        Affine((0,), (Dense(np.eye(2)),), np.full(2, 5.0)),
        Elementwise((1,), Relu(), 2),
        Affine((2,), (forms,), np.zeros(2)),
    )
    network, box = Network(layers), Box.exact(-np.ones(2), np.ones(2))
    query = query_of(network, box, [(np.array([0, 1]), np.array([10.0, -10.0 + shift]))])
    done, recorder = search(network, query)
    assert done.found == (shift > 0)
    assert (0 in recorder.margins) == (shift < 0)


def test_an_expired_deadline_proves_nothing() -> None:
    rng = np.random.default_rng(2)
    network = random_relu_network(rng, (6, 20, 20, 1))
    box = Box.exact(-np.ones(6), np.ones(6))
    least = network.forward(samples(rng, box.lower, box.upper, 5000))[:, 0].min()
    query = query_of(network, box, [(np.array([0]), np.array([least - 0.05]))])
    done, recorder = search(network, query, seconds=0.0)
    assert not done.found
    assert not any(margin > 0 for margin in recorder.margins.values())


def test_a_search_cut_short_tells_a_better_bound_that_excludes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "accepts", lambda self, disjunct, point: False)
    rng = np.random.default_rng(5)
    network = random_relu_network(rng, (12, 60, 60, 60, 2))
    box = Box.exact(-np.ones(12), np.ones(12))
    values = network.forward(samples(rng, box.lower, box.upper, 20_000))
    query = query_of(network, box, [(np.array([k]), values[:, [k]].min(axis=0) - 0.01) for k in range(2)])
    forms = with_forms(network, query.patterns)
    root = rows_minimum(forms, linear_bounds(forms, box.lower[None], box.upper[None]))[0]
    done, recorder = search(network, query, seconds=2.0)
    assert not done.found
    for d in range(2):
        assert root[d] - query.patterns.thresholds[d][0] < recorder.margins[d] <= 0


def test_little_memory_narrows_and_still_decides() -> None:
    rng = np.random.default_rng(6)
    network = random_relu_network(rng, (4, 10, 8, 1))
    box = Box.exact(-np.ones(4), np.ones(4))
    least = network.forward(samples(rng, box.lower, box.upper, 50_000))[:, 0].min()
    query = query_of(network, box, [(np.array([0]), np.array([least - 0.3]))])
    _, recorder = search(network, query, NeuronOptions(threads=1, memory=1.0))
    assert recorder.margins[0] > 0


def some_domains(count: int) -> tuple[Bounder, Domains]:
    rng = np.random.default_rng(0)
    network = random_relu_network(rng, (3, 8, 2))
    box = Box.exact(-np.ones(3), np.ones(3))
    query = query_of(network, box, [(np.array([0]), np.array([float(d)])) for d in range(count)])
    forms = with_forms(network, query.patterns)
    engines = Engines(forms, forms, np.zeros(0))
    intervals = linear_bounds(forms, box.lower[None], box.upper[None])
    bounder = Bounder(Question.over(engines, box, intervals, query.patterns), NeuronOptions().step, 3)
    return bounder, bounder.bound(roots(bounder, np.arange(count))).domains


def test_children_cover_their_parent() -> None:
    bounder, parents = some_domains(4)
    positions = parents.candidates[:, 0]
    halves = children(bounder, parents, positions)
    below, above = halves.take(np.arange(4)), halves.take(np.arange(4, 8))
    rows = np.arange(4)
    np.testing.assert_array_equal(below.upper[rows, positions], above.lower[rows, positions])
    np.testing.assert_array_equal(below.lower, parents.lower)
    np.testing.assert_array_equal(above.upper, parents.upper)
    for n in range(4):
        assert positions[n] in halves.cuts[n]
    again = children(bounder, halves, np.concatenate([positions, positions]))
    assert again.cuts.shape[1] == halves.cuts.shape[1], "a position is noted once"


def test_the_pool_gives_back_what_it_took_worst_first() -> None:
    _, domains = some_domains(40)
    pool = Pool(domains, most=1e9)
    taken = pool.take(10)
    assert set(taken.disjunct) == set(np.argsort(domains.bound)[:10])
    pool.put(taken)
    assert len(pool) == 40
    rest = pool.take(1000)
    assert sorted(rest.disjunct) == list(range(40))
    order = np.argsort(rest.disjunct)
    np.testing.assert_array_equal(rest.lower[order], domains.lower)
    assert len(pool) == 0


def test_a_full_pool_takes_what_is_nearest_a_proof() -> None:
    _, domains = some_domains(40)
    pool = Pool(domains, most=1.0)  # room for 64
    assert pool.narrow
    assert set(pool.take(5).disjunct) == set(np.argsort(-domains.bound)[:5])


def test_the_record_is_a_tree_whose_leaves_were_all_closed() -> None:
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, (3, 6, 4, 1))
    box = Box.exact(-np.ones(3), np.ones(3))
    least = exact_minimum(network, box.lower, box.upper, np.array([0]), np.zeros(1))
    done, recorder = search(network, query_of(network, box, [(np.array([0]), np.array([least - 0.01]))]))
    assert recorder.margins[0] > 0
    tree, closed = done.record.tree, np.concatenate([part.leaf for part in done.record.leaves])
    assert done.record.complete
    assert len(tree) > 3
    inner = set(tree.parent[tree.parent >= 0].tolist())
    assert set(closed.tolist()) == set(range(len(tree))) - inner
    assert len(closed) == len(set(closed.tolist()))
    for node in inner:  # two children, one on each side of one cut
        children_ = np.flatnonzero(tree.parent == node)
        assert sorted(tree.above[children_]) == [False, True]
        assert len(set(tree.cut[children_])) == len(set(tree.dimension[children_])) == 1


@pytest.mark.slow
def test_a_long_partition_keeps_all_its_parts() -> None:
    """More than 64 cuts in a row: both halves of the first cut must still be there, as both hold violations."""
    count = 80
    relus, direct = np.full((1, count), 0.1), np.full((1, count), -1.0)
    relus[0, 0], direct[0, 0] = 0.2, 0.0
    bias = np.array([0.9 * (count - 1) - 0.5])
    layers = (
        Input(count),
        Affine((0,), (Dense(np.eye(count)),), np.zeros(count)),
        Elementwise((1,), Relu(), count),
        Affine((2, 0), (Dense(relus), Dense(direct)), bias),
    )
    network, box = Network(layers), Box.exact(-np.ones(count), np.ones(count))
    query = query_of(network, box, [(np.array([0]), np.zeros(1))])
    forms = with_forms(network, query.patterns)
    engines = Engines(forms, forms.like(np.zeros(0, np.float32)), np.zeros(0, np.float32))
    intervals = linear_bounds(forms, box.lower[None], box.upper[None])
    question = Question.over(engines, box, intervals, query.patterns)
    blind = Recorder(network, query)
    blind.accepts = lambda disjunct, point: False  # type: ignore[method-assign]
    partition = NeuronSearch(question, NeuronOptions(threads=1), blind, Deadline(600.0))
    start = roots(Bounder(question, NeuronOptions().root, 3), np.array([0]))
    partition.record, rounds = Record(1, 1e9), []
    sort_out = partition._sorted_out

    def watched(bounded: Bounded) -> Domains:
        kept = sort_out(bounded)
        rounds.append(
            {
                (round(float(low)), round(float(high)))
                for low, high in zip(kept.lower[:, 0], kept.upper[:, 0], strict=True)
            }
        )
        partition.found = len(rounds) >= 24
        return kept

    partition._sorted_out = watched  # type: ignore[method-assign]
    with np.errstate(all="ignore"), Crew((partition._tighten, partition._bounder.bound), 1) as crew:
        partition._partitioned(start, crew)
    assert len(rounds) >= 24, "72 cuts"
    assert rounds[-1] == rounds[0] == {(-1, 0), (0, 1)}
