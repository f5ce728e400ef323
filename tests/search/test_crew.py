"""A crew does all of its work in order, alone or in processes, whatever becomes of these."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.networks import random_relu_network
from tests.search.test_inputs import random_query, searched
from tests.search.test_neurons import query_of, search
from verifier.property.query import Box
from verifier.search.crew import Crew
from verifier.search.inputs import InputOptions
from verifier.search.neurons import NeuronOptions

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def squared(x: np.ndarray) -> tuple[int, np.ndarray]:
    return os.getpid(), x * x


def deadly(x: float) -> float:
    """Ends the process it runs in, unless that is the one of the test."""
    if x == 3.0 and os.getpid() != TEST:
        os.kill(os.getpid(), signal.SIGKILL)
    return x + 1


def wrong(x: float) -> float:
    raise ValueError(f"no {x}")


TEST = os.getpid()


@needs_fork
def test_processes_share_the_work_and_keep_its_order() -> None:
    with Crew((squared,), 3, warm_up=0.0) as crew:
        found = crew.map(squared, [np.full(4, float(i)) for i in range(40)])
    for i, (_, result) in enumerate(found):
        np.testing.assert_array_equal(result, np.full(4, float(i * i)))
    assert os.getpid() not in {pid for pid, _ in found}


def test_one_process_and_a_warming_crew_work_here() -> None:
    for processes, warm_up in ((1, 0.0), (2, 60.0)):
        with Crew((squared,), processes, warm_up) as crew:
            assert {pid for pid, _ in crew.map(squared, [np.ones(1), np.ones(2)])} == {os.getpid()}


@needs_fork
def test_parts_come_back_one_by_one() -> None:
    with Crew((squared,), 2, warm_up=0.0) as crew:
        assert crew.free == 2
        parts = [np.ones(1), np.full(1, 2.0)]
        for part in parts:
            crew.put(squared, part)
        assert crew.free == 0
        assert {id(part) for part in crew.under_way} == {id(part) for part in parts}
        for count in (1, 0):
            done = crew.take(60.0)
            assert done is not None
            np.testing.assert_array_equal(done[1][1], done[0] ** 2)
            assert crew.busy == count
        assert crew.take(60.0) is None, "nothing is under way"


@needs_fork
def test_the_time_to_wait_is_limited() -> None:
    with Crew((time.sleep,), 2, warm_up=0.0) as crew:
        crew.put(time.sleep, 60.0)
        assert crew.take(0.01) is None
        assert crew.busy == 1


@needs_fork
def test_without_a_limit_it_waits_for_the_next_result() -> None:
    with Crew((squared,), 2, warm_up=0.0) as crew:
        crew.put(squared, np.ones(1))
        assert crew.take(float("inf")) is not None


@needs_fork
def test_work_of_lost_processes_is_not_lost() -> None:
    with Crew((deadly,), 2, warm_up=0.0) as crew:
        parts = [1.0, 2.0, 3.0, 4.0, float("3"), 5.0, 6.0]
        assert crew.map(deadly, parts) == [x + 1 for x in parts]
        assert crew.lost == 2
        assert crew.map(deadly, [7.0]) == [8.0]


def test_errors_are_raised_where_results_are_taken() -> None:
    for warm_up in (0.0, 60.0):
        with pytest.raises(ValueError, match="no 2"), Crew((wrong,), 2, warm_up) as crew:
            crew.map(wrong, [2.0])


@needs_fork
def test_processes_end_with_their_owner(tmp_path: Path) -> None:
    script = """
import os, sys, time
from verifier.search.crew import Crew
from verifier.search.inputs import InputOptions
from verifier.search.neurons import NeuronOptions
def pid(x): return os.getpid()
with Crew((pid,), 3, warm_up=0.0) as crew:
    print(*crew.map(pid, [float(i) for i in range(30)]), flush=True)
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    pids = {int(word) for word in done.stdout.split()}
    assert pids, done.stderr
    until = time.monotonic() + 60
    while any(_lives(pid) for pid in pids):
        assert time.monotonic() < until, "orphans"
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # what nobody waits for is dead too


@needs_fork
@pytest.mark.parametrize("seed", range(4))
def test_searches_decide_the_same_in_processes(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    network, box = random_relu_network(rng, (3, 6, 5, 2)), Box.exact(-np.ones(3), np.ones(3))
    values = network.forward(rng.uniform(-1, 1, size=(50_000, 3)))
    neurons = query_of(network, box, [(np.array([k]), values[:, [k]].min(axis=0) - 0.05) for k in range(2)])
    inputs = random_query(rng, network)

    def decided() -> tuple[set[int], bool, set[int]]:
        of_neurons = search(network, neurons, NeuronOptions(threads=2))[1].margins
        listener = searched(network, inputs, InputOptions(threads=2))[0]
        falsified = listener.witness is not None
        return set(of_neurons), falsified, set() if falsified else set(listener.excluded)

    alone = decided()
    for module in ("neurons", "inputs"):
        monkeypatch.setattr(f"verifier.search.{module}.Crew", partial(Crew, warm_up=0.0))
    assert decided() == alone
