"""The search on inputs decides small queries as dense sampling does, and says nothing it does not know."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from tests.networks import random_box, random_dag, random_relu_network, samples
from tests.vnncomp import root
from verifier.deadline import Deadline
from verifier.methods.options import Options
from verifier.methods.split_inputs import split_inputs
from verifier.methods.task import Task
from verifier.network.graph import Network
from verifier.property.forms import with_forms
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property
from verifier.search import box_bounds, inputs
from verifier.search.boxes import Question
from verifier.search.crew import Crew
from verifier.search.inputs import InputOptions, InputSearch


@dataclass
class Listener:
    """Keeps what a search tells; accepts a point that the network's own float64 values call a violation."""

    network: Network
    query: Query
    excluded: dict[int, float] = field(default_factory=dict)
    witness: tuple[int, np.ndarray] | None = None

    def accepts(self, disjunct: int, point: np.ndarray) -> bool:
        x = point.astype(np.float32)
        if self.query.disjuncts[disjunct].holds(x, self.network.forward(x.astype(float)[None])[0]):
            self.witness = disjunct, x
        return self.witness is not None

    def margin_bounded(self, disjunct: int, margin: float) -> None:
        assert disjunct not in self.excluded
        self.excluded[disjunct] = margin

    def advanced(self, open_count: int, explored: int, bound: float) -> None:
        assert open_count >= 0
        assert explored > 0


def random_query(rng: np.random.Generator, network: Network, boxes: int = 2, disjuncts: int = 3) -> Query:
    """Conjunctions of 1 to 3 random rows with thresholds near what the outputs take on."""
    made = []
    for _ in range(boxes):
        box = Box.exact(*random_box(rng, network.input_size))
        outputs = network.forward(samples(rng, box.lower, box.upper, 500))
        for _ in range(disjuncts):
            rows = []
            for _ in range(int(rng.integers(1, 4))):
                weights = rng.normal(size=network.output_size)
                values = outputs @ weights
                threshold = values.min() + (rng.random() * 0.8 - 0.3) * (np.ptp(values) + 0.1)
                terms = tuple((j, Fraction(float(w))) for j, w in enumerate(weights))
                rows.append(LinearConstraint((), terms, Fraction(float(threshold))))
            made.append(Disjunct(box, tuple(rows)))
    return Query(tuple(made), network.input_size, network.output_size)


def searched(
    network: Network, query: Query, options: InputOptions | None = None, seconds: float = 10.0
) -> tuple[Listener, InputSearch]:
    groups: dict[int, tuple[np.ndarray, np.ndarray, list[int]]] = {}
    for d, disjunct in enumerate(query.disjuncts):
        box = disjunct.box
        groups.setdefault(id(box), (box.lower, box.upper, []))[2].append(d)
    forms = with_forms(network, query.patterns)
    question = Question.of(forms, np.zeros(0), query.patterns, list(groups.values()))
    listener = Listener(network, query)
    with np.errstate(all="ignore"):
        search = InputSearch(question, listener, options or InputOptions(), Deadline(seconds))
        assert search.run() == (listener.witness is not None)
    return listener, search


def violated_in_samples(rng: np.random.Generator, network: Network, query: Query) -> set[int]:
    found = set()
    for d, disjunct in enumerate(query.disjuncts):
        x = samples(rng, disjunct.box.lower, disjunct.box.upper, 3000)
        forms = with_forms(network, query.patterns).forward(x)
        excess = forms[:, query.patterns.rows[d]] - query.patterns.thresholds[d]
        if (excess.max(axis=1) < -1e-9).any():
            found.add(d)
    return found


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_verdicts_agree_with_sampling(seed: int, clip: bool) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, [2, 8, 8, 3]) if seed % 2 else random_dag(rng, products=seed % 4 == 0)
    query = random_query(rng, network)
    listener, search = searched(network, query, InputOptions(threads=1 + seed % 2, clip=clip))
    violated = violated_in_samples(rng, network, query)
    assert not violated & set(listener.excluded)
    assert all(margin > 0 for margin in listener.excluded.values())
    if violated:
        assert listener.witness is not None
    elif listener.witness is None:
        assert search.stuck or set(listener.excluded) == set(range(len(query.disjuncts)))


@pytest.mark.parametrize("forward_values", [0, 20_000])
@pytest.mark.parametrize("seed", range(6))
def test_verdicts_of_large_networks_agree_too(seed: int, forward_values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those bounded by zonotopes and by forward bounds; the sizes from which on that is done are moved."""
    monkeypatch.setattr(box_bounds, "BACKWARD_VALUES", 0)
    monkeypatch.setattr(box_bounds, "FORWARD_VALUES", forward_values)
    rng = np.random.default_rng(200 + seed)
    network = random_relu_network(rng, [2, 8, 8, 3]) if seed % 2 else random_dag(rng, products=seed % 4 == 0)
    query = random_query(rng, network)
    listener, search = searched(network, query, InputOptions(threads=1 + seed % 2))
    violated = violated_in_samples(rng, network, query)
    assert not violated & set(listener.excluded)
    if violated:
        assert listener.witness is not None
    elif listener.witness is None:
        assert search.stuck or set(listener.excluded) == set(range(len(query.disjuncts)))


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_margins_are_lower_bounds(seed: int, clip: bool) -> None:
    rng = np.random.default_rng(100 + seed)
    network = random_relu_network(rng, [3, 6, 6, 2])
    query = random_query(rng, network, boxes=1, disjuncts=4)
    listener, _ = searched(network, query, InputOptions(clip=clip))
    forms = with_forms(network, query.patterns)
    for d, margin in listener.excluded.items():
        box = query.disjuncts[d].box
        values = forms.forward(samples(rng, box.lower, box.upper, 3000))
        excess = (values[:, query.patterns.rows[d]] - query.patterns.thresholds[d]).max(axis=1)
        assert margin <= excess.min()


def test_a_deadline_that_has_come_leaves_everything_open() -> None:
    rng = np.random.default_rng(0)
    network = random_relu_network(rng, [3, 8, 8, 2])
    listener, search = searched(network, random_query(rng, network), seconds=0.0)
    assert not listener.excluded
    assert not search.explored


class Looks(Deadline):
    """Expires once it was looked at so often."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    @property
    def expired(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_search_goes_on_where_it_was(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while boxes are under way, it proves what it proves in one run."""
    monkeypatch.setattr(inputs, "Crew", partial(Crew, warm_up=0.0))
    rng = np.random.default_rng(7)
    network = random_relu_network(rng, [4, 16, 16, 2])
    box = Box.exact(-np.ones(4), np.ones(4))
    least = network.forward(samples(rng, box.lower, box.upper, 20_000)).min(axis=0)
    rows = [LinearConstraint((), ((k, Fraction(1)),), Fraction(float(least[k] - 0.3))) for k in range(2)]
    query = Query(tuple(Disjunct(box, (row,)) for row in rows), 4, 2)
    options = InputOptions(threads=threads, batch=8, chunk=4)
    whole, _ = searched(network, query, options)
    assert set(whole.excluded) == {0, 1}
    sliced, search = searched(network, query, options, seconds=0.0)
    assert search.open_share() == 1.0
    slices = 0
    with np.errstate(all="ignore"):
        while not search.exhausted:
            still_open = np.array([d not in sliced.excluded for d in range(2)])
            search.resume(still_open, Looks(20))
            slices += 1
    assert slices > 1
    assert search.open_share() == 0.0
    assert set(sliced.excluded) == {0, 1}


def test_a_resumed_search_leaves_out_what_others_have_excluded() -> None:
    rng = np.random.default_rng(8)
    network = random_relu_network(rng, [3, 8, 8, 2])
    query = random_query(rng, network, boxes=3, disjuncts=1)
    listener, search = searched(network, query, seconds=0.0)
    with np.errstate(all="ignore"):
        assert not search.resume(np.zeros(3, bool), Deadline(10.0))
    assert search.exhausted
    assert not search.explored
    assert not listener.excluded


def test_little_memory_only_narrows_the_search() -> None:
    rng = np.random.default_rng(5)
    network = random_relu_network(rng, [3, 10, 10, 2])
    query = random_query(rng, network)
    wide, _ = searched(network, query, seconds=20.0)
    narrow, _ = searched(network, query, InputOptions(memory=1e-3), seconds=20.0)
    assert (wide.witness is None) == (narrow.witness is None)
    if wide.witness is None:
        assert set(wide.excluded) == set(narrow.excluded)


def test_the_tree_lists_every_part() -> None:
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, [2, 8, 8, 2])
    _, search = searched(network, random_query(rng, network, boxes=3))
    tree = search.cuts.tree
    assert (tree.parent[:3] == -1).all()
    assert (tree.parent[3:] < np.arange(3, len(tree))).all()
    assert (tree.parent[3:] >= 0).all()


@pytest.mark.parametrize(("net", "prop"), [("1_1", 1), ("4_5", 10)])
def test_real_properties_are_proven(net: str, prop: int) -> None:
    folder = root() / "acasxu_2023"
    network = load_network(folder / f"ACASXU_run2a_{net}_batch_2000.onnx")
    task = Task(network, load_property(folder / f"prop_{prop}.vnnlib", network), Options(timeout=60.0))
    with np.errstate(all="ignore"):
        split_inputs(task)
    assert not task.open.any()
