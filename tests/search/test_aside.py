"""What goes on beside a search: it gets little time where the search ends soon, half where it does not, and ends it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tests.networks import random_relu_network
from tests.search.test_neurons import query_of, search
from verifier.deadline import Deadline
from verifier.property.query import Box
from verifier.search import aside
from verifier.search.aside import HALF, LITTLE, WAIT, Turns
from verifier.search.neurons import NeuronOptions, NeuronSearch


class Clock(Deadline):
    """A deadline whose time is told."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.now = 0.0

    @property
    def elapsed(self) -> float:
        return self.now


def turns_after(bounds: list[tuple[float, float]], seconds: float = 100.0, processes: int = 1) -> tuple[Turns, Clock]:
    clock = Clock(seconds)
    turns = Turns(clock, processes)
    for now, bound in bounds:
        clock.now = now
        turns.note(bound)
    return turns, clock


def test_a_bound_that_rises_with_every_doubling_tells_the_end() -> None:
    turns, _ = turns_after([(1.0, -4.0), (2.0, -3.0), (4.0, -2.0), (8.0, -1.0)])
    assert turns.expected() == pytest.approx(8.0)  # at 16 s it is 0
    assert turns.share == LITTLE


@pytest.mark.parametrize("bounds", [[(1.0, -4.0), (8.0, -4.0)], [(1.0, -4.0), (8.0, -3.9)]])
def test_a_bound_that_gets_nowhere_leaves_half_of_the_time(bounds: list[tuple[float, float]]) -> None:
    turns, _ = turns_after(bounds)
    assert turns.share == HALF


@pytest.mark.parametrize("processes", [1, 2])
def test_turns_double_and_add_up_to_the_share(processes: int) -> None:
    turns, clock = turns_after([(0.5, -4.0)], processes=processes)
    assert not turns.due()
    clock.now, lengths = WAIT, []
    while clock.now < 40.0:
        turns.note(-4.0)
        if seconds := turns.due():
            turns.had(seconds)
            lengths.append(seconds)
        clock.now += seconds if processes == 1 and seconds else 0.25
    assert lengths[:4] == [aside.TURN[0] * 2**k for k in range(4)]
    assert turns.seconds / (clock.now * processes) == pytest.approx(HALF, abs=0.15)


class Stub:
    """Takes its time, and may claim to have found something."""

    def __init__(self, finds: bool, seconds: float) -> None:
        self.finds, self.seconds, self.results = finds, seconds, 0

    def part(self, seconds: float) -> Any:
        return seconds

    def work(self, part: Any) -> Any:
        time.sleep(self.seconds)
        return part

    def taken(self, result: Any) -> bool:
        self.results += 1
        return self.finds

    def pointed_out(self, disjunct: int, point: np.ndarray) -> None:
        assert point.ndim == 1


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_found_beside_it_ends_a_search(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "WAIT", 0.0)
    stub = Stub(finds=True, seconds=0.0)
    assert searched(stub, threads).found
    assert stub.results == 1


def test_a_search_that_is_done_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "WAIT", 0.0)
    stub = Stub(finds=False, seconds=3600.0)
    assert searched(stub, 2).finished
    assert stub.results == 0


def searched(stub: Stub, threads: int) -> NeuronSearch:
    """A search that takes hundreds of domains, run to its end."""
    rng = np.random.default_rng(5)
    network = random_relu_network(rng, (12, 24, 24, 1))
    box = Box.exact(-np.ones(12), np.ones(12))
    points = rng.uniform(-1, 1, (20_000, 12))
    threshold = float(network.forward(points).min()) - 2.0
    query = query_of(network, box, [(np.array([0]), np.array([threshold]))])
    found, _ = search(network, query, NeuronOptions(threads=threads), aside=stub)
    return found
