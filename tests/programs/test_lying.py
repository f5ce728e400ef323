"""With a solver that lies there is never a wrong `unsat` and never a wrong `sat`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.networks import plain_bounds
from tests.programs.lying import FAULTS, Lying
from tests.programs.patterns import exact_minimum
from tests.readers.onnx_models import draw, model_of
from verifier import load_network
from verifier.deadline import Deadline
from verifier.methods import METHODS, Task, run
from verifier.network.graph import Network
from verifier.programs.margins import Conjunction, exact_margin, relaxed_margins
from verifier.programs.solvers.backend import Backend
from verifier.programs.solvers.highs import Highs
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.verdict import Status

SIZES = (2, 3, 2, 2)
NEVER = Deadline()


@dataclass(frozen=True)
class Asked:
    """A small network, a box, a conjunction and its true margin."""

    network: Network
    box: Box
    conjunction: Conjunction
    margin: float

    @property
    def query(self) -> Query:
        rows = (
            LinearConstraint((), ((int(r), Fraction(1)),), Fraction(float(t)))
            for r, t in zip(*self.conjunction, strict=True)
        )
        return Query((Disjunct(self.box, tuple(rows)),), SIZES[0], SIZES[-1])


def relu_model(path: Path, seed: int) -> Network:
    """A fully connected relu network, read from a model, so that it can be replayed."""
    nodes, constants, last = [], {}, "x"
    for k, (before, after) in enumerate(pairwise(SIZES)):
        constants[f"w{k}"] = draw(before, after, seed=10 * seed + k) * np.float32(1.5)
        constants[f"b{k}"] = draw(after, seed=10 * seed + k + 5) * np.float32(0.3)
        nodes.append(onnx.helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"y{k}"]))
        last = f"y{k}"
        if k < len(SIZES) - 2:
            nodes.append(onnx.helper.make_node("Relu", [last], [f"z{k}"]))
            last = f"z{k}"
    onnx.save(model_of(nodes, {"x": (1, SIZES[0])}, [last], constants), path)
    return load_network(path)


def questions(folder: Path, networks: int) -> list[Asked]:
    """Of each network ones whose violation exists, some barely, and ones whose violation does not."""
    made = []
    for seed in range(networks):
        network = relu_model(folder / f"{seed}.onnx", seed)
        rng = np.random.default_rng(seed)
        middle = rng.normal(size=SIZES[0])
        box = Box.exact((middle - 1).astype(np.float32).astype(float), (middle + 1).astype(np.float32).astype(float))
        for rows in (np.array([0]), np.array([0, 1])):
            least = exact_minimum(network, box.lower, box.upper, rows, np.zeros(len(rows)))
            for margin in (-0.3, -1e-3, 0.02):
                made.append(Asked(network, box, (rows, np.full(len(rows), least - margin)), margin))
    return made


def margins(asked: Asked, solver: Backend) -> Iterator[float]:
    """The bounds of the relaxation and of the exact program."""
    bounds = plain_bounds(asked.network, asked.box.lower, asked.box.upper)
    given = asked.network, asked.box, bounds
    yield relaxed_margins(*given, [asked.conjunction], NEVER, solver=solver)[0].bound
    yield exact_margin(*given, asked.conjunction, NEVER, lambda x: False, solver=solver).bound


def test_bounds_hold_whatever_the_solver_says(tmp_path: Path) -> None:
    """A thousand lies: no bound of a margin is ever above the true one."""
    made, lying = questions(tmp_path, 8), Lying(np.random.default_rng(0))
    for turn in count():
        asked = made[turn % len(made)]
        for bound in margins(asked, lying):
            assert bound <= asked.margin + 1e-9
        if lying.told > 1000:
            break
    proved = [bound for asked in made if asked.margin > 0 for bound in margins(asked, Highs())]
    assert sum(bound > 0 for bound in proved) > len(proved) / 3  # so the same solver without lies does prove


@pytest.mark.slow
def test_ten_thousand_lies_and_no_wrong_verdict(tmp_path: Path) -> None:
    """All the way to the verdict, by the methods that use a solver; points are replayed in ONNX Runtime."""
    made, lying, verdicts = questions(tmp_path, 15), Lying(np.random.default_rng(1)), []
    replays = {id(asked.network): Task(asked.network, asked.query).replay for asked in made}
    for turn in count():
        asked, method = made[turn % len(made)], METHODS["lp" if turn % 2 else "milp"]
        task = Task(asked.network, asked.query)
        task.replay, task.solver = replays[id(asked.network)], lying
        verdict = run(task, method)
        verdicts.append(verdict.status)
        assert verdict.status is not (Status.UNSAT if asked.margin < 0 else Status.SAT), (turn, asked.margin)
        if verdict.witness is not None:
            assert asked.query.violated(verdict.witness.x, verdict.witness.y)
        if lying.told > 10_000:
            break
    assert Status.SAT in verdicts


@pytest.mark.parametrize("said", [np.inf, np.nan, -np.inf, 1e300, -1e300])
def test_dual_bounds_that_cannot_be_are_refused(said: float, tmp_path: Path) -> None:
    """A mixed-integer program's dual bound is trusted, except where it is none, or a point is seen to lie below it."""
    lying = Lying(np.random.default_rng(2), bound=lambda true: said)
    for asked in questions(tmp_path, 3):
        *_, exact = margins(asked, lying)
        assert exact <= asked.margin + 1e-9


def test_every_fault_was_told() -> None:
    """The faults are faults: none but the mildest leaves a vector of multipliers as it was."""
    rng, values = np.random.default_rng(3), np.array([0.5, -2.0, 0.0, 3.0])
    for name, fault in FAULTS.items():
        changed = [fault(rng, values) for _ in range(20)]
        assert any(c is None or c.shape != values.shape or not np.array_equal(c, values) for c in changed), name
