"""Methods side by side: what they say agrees, what cannot be right is found, the time is shared."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import verifier
from tests.networks import random_box, random_relu_network
from tests.programs.patterns import exact_minimum
from verifier.errors import SolverError, UsageError
from verifier.methods import comparison
from verifier.methods.comparison import Answer, Comparison, all_methods, shares
from verifier.methods.registry import Method, run
from verifier.methods.task import Task
from verifier.verdict import Status, Verdict

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"


def asked(prop: str, *methods: str) -> Comparison:
    network = verifier.load_network(SPECS / "onnx" / f"{prop.rpartition('_')[0]}.onnx")
    query = verifier.load_property(SPECS / "vnnlib" / f"{prop}.vnnlib", network)
    return verifier.compare(network, query, methods or None, verifier.Options(timeout=60.0, threads=1))


def answer(method: str, status: str, bound: float | None = None, reached: float | None = None) -> Answer:
    return Answer(method, Verdict(Status(status), method, bound, reached=reached))


def test_bounds_lie_in_the_order_of_their_methods() -> None:
    comparison = asked("moons_everywhere", "interval", "crown", "alpha", "lp", "milp", "attack")
    bounds = {a.method: a.verdict.bound for a in comparison.answers}
    assert bounds["interval"] <= bounds["crown"] <= bounds["lp"] + 1e-6 <= bounds["milp"] + 1e-3
    assert bounds["crown"] <= bounds["alpha"] <= bounds["milp"] + 1e-3
    assert comparison.verdict is Status.SAT
    assert not comparison.contradictions
    assert comparison.optimum == pytest.approx(bounds["milp"], abs=0.05)
    gaps = [comparison.gap(a) for a in comparison.answers if a.verdict.bound is not None]
    assert all(gap is not None and gap >= 0 for gap in gaps)
    assert all(a.undecided is not None and a.undecided > 0 for a in comparison.answers if a.method != "attack")


def test_the_optimum_of_a_property_that_holds_is_that_of_enumeration() -> None:
    comparison = asked("moons_upper", "crown", "milp")
    assert comparison.verdict is Status.UNSAT
    assert comparison.optimum is not None
    assert comparison.optimum > 0
    network = verifier.load_network(SPECS / "onnx" / "moons.onnx")
    query = verifier.load_property(SPECS / "vnnlib" / "moons_upper.vnnlib", network)
    corners = np.stack([query.disjuncts[0].box.lower, query.disjuncts[0].box.upper])
    rng = np.random.default_rng(0)
    points = corners[0] + rng.random((5000, 2)) * (corners[1] - corners[0])
    forms = network.forward(points) @ query.patterns.outputs.T + points @ query.patterns.inputs.T
    margins = [
        np.max(forms[:, r] - t, axis=1) for r, t in zip(query.patterns.rows, query.patterns.thresholds, strict=True)
    ]
    assert comparison.optimum <= np.min(margins) + 1e-6
    assert comparison.optimum >= np.min(margins) - 0.2


@pytest.mark.parametrize("seed", range(6))
def test_the_programs_optimum_is_that_of_enumeration(seed: int) -> None:
    from verifier.bounds.linear import linear_bounds
    from verifier.deadline import Deadline
    from verifier.programs.margins import exact_optimum
    from verifier.property.query import Box

    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (2, 4, 3, 3))
    lower, upper = random_box(rng, 2, 1.0)
    bounds = [(i.lower[0], i.upper[0]) for i in linear_bounds(network, lower[None], upper[None])]
    rows, thresholds = np.array([0, 2])[: 1 + seed % 2], rng.normal(size=1 + seed % 2)
    reached = []

    def note(point: np.ndarray) -> bool:
        reached.append(float(np.max(network.forward(point[None])[0, rows] - thresholds)))
        return False

    found = exact_optimum(network, Box.exact(lower, upper), bounds, (rows, thresholds), Deadline(20.0), note)
    exact = exact_minimum(network, lower, upper, rows, thresholds)
    assert exact - 1e-3 <= found.bound <= exact + 1e-9
    assert min(reached) == pytest.approx(exact, abs=1e-3)


def test_what_cannot_both_be_right() -> None:
    proof, refutation = answer("crown", "unsat", 0.5), answer("attack", "sat", None, -1.0)
    (found,) = Comparison((proof, refutation)).contradictions
    assert (found.proof, found.refutation, found.told) == (proof, refutation, "crown says unsat, attack says sat")
    assert Comparison((proof, refutation)).verdict is None
    assert Comparison((proof, refutation)).optimum is None
    high, low = answer("lp", "unknown", -1.0), answer("milp", "unknown", -3.0, -2.0)
    (found,) = Comparison((high, low)).contradictions
    assert found.told == "lp proves a margin from -1 on, milp reached -2"
    (found,) = Comparison((answer("lp", "unknown", -1.0, -1.5),)).contradictions  # one method against itself
    assert found.proof is found.refutation
    assert not Comparison((high, answer("milp", "unknown", -1.0, -1.0 - 1e-9))).contradictions


def test_a_method_that_fails_leaves_the_others_their_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(task: Task, method: Method) -> Verdict:
        if method.name == "lp":
            raise SolverError("is not installed", "cvxpy", "pip install cvxpy")
        return run(task, method)

    monkeypatch.setattr(comparison, "run", broken)
    crown, lp, milp = asked("moons_upper", "crown", "lp", "milp").answers
    assert (lp.verdict.status, lp.verdict.detail) == (Status.ERROR, "cvxpy: is not installed; pip install cvxpy")
    assert crown.verdict.bound is not None
    assert milp.verdict.status is Status.UNSAT


def test_no_method_is_asked_where_one_cannot_be() -> None:
    with pytest.raises(UsageError, match="there is no method 'ilp'"):
        asked("moons_upper", "crown", "ilp")


def test_an_optimum_is_known_relative_to_its_size() -> None:
    assert Comparison((answer("lp", "unknown", -9e-6, 1.1e-5),)).optimum is None  # not even its sign is
    assert Comparison((answer("lp", "unknown", 1.0999e-5, 1.1e-5),)).optimum == 1.1e-5
    assert Comparison((answer("lp", "unknown", 1e-5, 1.1e-5),)).optimum is None
    assert Comparison((answer("lp", "unknown", -2e-5, -3e-5),)).contradictions


def test_what_is_known_where_little_is() -> None:
    comparison = Comparison((answer("crown", "unknown"), answer("attack", "timeout")))
    assert (comparison.verdict, comparison.optimum) == (None, None)
    assert (comparison.bound, comparison.reached) == (-math.inf, math.inf)
    assert comparison.gap(comparison.answers[0]) is None
    between = Comparison((answer("crown", "unknown", -2.0), answer("attack", "timeout", None, 1.0)))
    assert between.optimum is None


def test_the_time_left_is_shared() -> None:
    methods = all_methods()
    assert methods[0] == "interval"
    assert methods[-1] == "auto"
    given = dict(shares(methods, 11.0))
    assert list(given) == list(methods)
    assert given["interval"] == pytest.approx(11.0 / len(methods), rel=0.1)
    assert given["auto"] == pytest.approx(11.0, rel=0.1)  # nobody has used any
    assert all(seconds == 0.1 for _, seconds in shares(("crown", "lp"), 0.001))
