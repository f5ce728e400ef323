"""Programs with a ball: rows and tangents hold at its points, bounds are safe whatever the solver says."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import plain_bounds, random_relu_network
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.programs.encode import encode
from verifier.programs.margins import exact_margin, relaxed_margins
from verifier.programs.safe_bound import safe_bound
from verifier.programs.solvers import conic
from verifier.programs.solvers.outcome import SolveStatus
from verifier.property.query import Box
from verifier.property.robustness import Neighbourhood

NEVER = Deadline()
SEEDS, NORMS = st.integers(0, 2**32 - 1), st.sampled_from([1, 2])


def question(seed: int, norm: int, radius: float = 1.0) -> tuple[np.random.Generator, Network, Box]:
    rng = np.random.default_rng(seed)
    box = Neighbourhood(rng.normal(size=4), radius, norm, None if seed % 2 else (-1.0, 1.5)).box()
    while box is None:
        box = Neighbourhood(rng.normal(size=4), radius, norm).box()
    return rng, random_relu_network(rng, (4, 5, 4, 2)), box


def inner(rng: np.random.Generator, box: Box, count: int = 300) -> np.ndarray:
    """Points of box and ball, some nearly on the sphere."""
    x = box.middle + rng.choice([1.0, 5.0], size=(count, 1)) * (rng.random((count, box.size)) - 0.5) * (
        box.upper - box.lower
    )
    x = box.ball.retracted(x, box.lower, box.upper)
    return np.array([row for row in x if box.ball.contains(row)]).reshape(-1, box.size)


@given(SEEDS, NORMS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_any_multipliers_give_a_bound_below_all_points(seed: int, norm: int, cornered: bool) -> None:
    """Random, huge and nearly right multipliers, as from a solver that lies."""
    rng, network, box = question(seed, norm)
    touching = inner(rng, box, 3) if cornered else None
    encoding = encode(network, box, plain_bounds(network, box.lower, box.upper), False, touching=touching)
    program, values = encoding.program, network.forward(inner(rng, box))
    for form in range(2):
        cost = np.zeros(program.rows.shape[1])
        cost[encoding.outputs.column[form]] = 1.0
        honest = conic.ConicSession("CLARABEL").solve(replace(program, cost=cost), NEVER).multipliers
        assert honest is not None
        for scale in (0.0, 1e-6, 1.0, 1e12):
            lie = honest + scale * rng.normal(size=len(honest))
            assert safe_bound(program, cost, lie) <= values[:, form].min()
        assert safe_bound(program, cost, rng.permutation(honest)) <= values[:, form].min()
        assert safe_bound(program, cost, -honest) <= values[:, form].min()


@pytest.mark.parametrize("norm", [1, 2])
def test_the_bound_is_nearly_the_optimum_of_an_affine_network(norm: int) -> None:
    """Where nothing is relaxed, LP and MILP know the minimum of a row over the ball, which is known in closed form."""
    rng = np.random.default_rng(norm)
    for scale in (1e-5, 1.0, 1e4):
        row, sample = rng.normal(size=6), scale * rng.normal(size=6)
        box = Neighbourhood(sample, scale, norm).box()
        network = Network((Input(6), Affine((0,), (Dense(row[None]),), np.zeros(1))))
        dual = np.linalg.norm(row) if norm == 2 else np.abs(row).max()
        optimum, bounds = row @ sample - scale * dual, plain_bounds(network, box.lower, box.upper)
        (lp,) = relaxed_margins(network, box, bounds, [(np.array([0]), np.zeros(1))], NEVER)
        exact = exact_margin(network, box, bounds, (np.array([0]), np.array([100 * scale])), NEVER)
        assert optimum - 1e-5 * scale <= lp.bound <= optimum + 1e-12 * scale
        assert optimum - 1e-4 * scale <= exact.bound + 100 * scale <= optimum + 1e-12 * scale
        assert lp.point is not None
        assert box.ball.excess(lp.point) <= 1e-4 * scale


def test_without_cvxpy_the_bound_is_safe_and_still_knows_the_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(6):
        rng, network, box = question(seed, 2)
        bounds, asked = plain_bounds(network, box.lower, box.upper), [(np.array([0]), np.zeros(1))]
        (best,) = relaxed_margins(network, box, bounds, asked, NEVER)
        with monkeypatch.context() as patch:
            patch.setattr(conic, "solver_for", lambda solver: "")
            (alone,) = relaxed_margins(network, box, bounds, asked, NEVER)
            exact = exact_margin(network, box, bounds, (np.array([0]), np.array([50.0])), NEVER)
        plain = Box(box.lower, box.upper, box.inner_lower, box.inner_upper)
        (around,) = relaxed_margins(network, plain, bounds, asked, NEVER)
        assert max(around.bound - 1e-6, best.bound - 0.2) <= alone.bound <= best.bound + 1e-6
        assert best.bound - 1e-4 <= exact.bound + 50 <= network.forward(inner(rng, box))[:, 0].min()


def test_what_only_the_ball_makes_infeasible_has_a_proof() -> None:
    """The sum of both inputs reaches 2 in the box, sqrt(2) in the ball; bounds that ask for 1.5 leave nothing."""
    box = Neighbourhood(np.zeros(2), 1.0, 2).box()
    network = Network((Input(2), Affine((0,), (Dense(np.ones((1, 2))),), np.zeros(1))))
    for low, empty in ((1.4, False), (1.5, True)):
        bounds = [(box.lower, box.upper), (np.array([low]), np.array([2.0]))]
        encoding = encode(network, box, bounds, exact=False)
        outcome = conic.ConicSession("CLARABEL").solve(encoding.program, NEVER)
        assert (outcome.status is SolveStatus.INFEASIBLE) == empty
        (margin,) = relaxed_margins(network, box, bounds, [(np.array([0]), np.array([1.0]))], NEVER)
        assert (margin.bound > 1e300) == empty


@given(SEEDS, st.sampled_from([1e-8, 1e-3, 1.0, 1e6]), NORMS)
@settings(max_examples=60, deadline=None)
def test_rows_hold_at_points_of_the_ball_exactly(seed: int, scale: float, norm: int) -> None:
    rng = np.random.default_rng(seed)
    box = Neighbourhood(10 * scale * rng.normal(size=3), scale, norm).box()
    network = Network((Input(3), Affine((0,), (Dense(rng.normal(size=(1, 3))),), np.zeros(1))))
    bounds = plain_bounds(network, box.lower, box.upper)
    points = inner(rng, box, 12)
    program = encode(network, box, bounds, exact=True, touching=points[:2]).program
    added = range(3 + 1, program.rows.shape[1])
    for x in points[:6]:
        gaps = [(Fraction(a) - Fraction(b)) for a, b in zip(x.tolist(), box.ball.centre.tolist(), strict=True)]
        lifted = [abs(g) if norm == 1 else (g / Fraction(scale)) ** 2 for g in gaps]
        value = dict(enumerate([*map(Fraction, x.tolist())])) | dict(zip(added, lifted, strict=True))
        for r in range(1, program.rows.shape[0]):  # row 0 is the affine node's
            part = program.rows[[r]]
            total = sum((Fraction(float(a)) * value[int(j)] for j, a in zip(part.indices, part.data, strict=True)))
            error = Fraction(float(program.row_error[r]))
            assert program.row_lower[r] == -np.inf or total >= Fraction(float(program.row_lower[r])) - error
            assert program.row_upper[r] == np.inf or total <= Fraction(float(program.row_upper[r])) + error
