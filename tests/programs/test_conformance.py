"""What every solver that is found here has to keep to: statuses, signs, bounds that hold, limits, silence."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy.sparse import csr_array

from tests.networks import plain_bounds, random_box, random_relu_network
from tests.programs.exact import optimum, random_program
from tests.programs.patterns import exact_minimum
from tests.programs.test_highs import knapsack, program_of
from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.programs.margins import exact_margin, relaxed_margins
from verifier.programs.program import Program
from verifier.programs.safe_bound import safe_bound
from verifier.programs.solvers.backend import Backend, DualBound
from verifier.programs.solvers.outcome import LpOutcome, SolveStatus
from verifier.programs.solvers.registry import installed_solvers
from verifier.property.query import Box

BACKENDS = installed_solvers()
LINEAR = [b for b in BACKENDS if b.capabilities.multipliers]
INTEGER = [b for b in BACKENDS if b.capabilities.milp and not b.name.startswith("highs:")]  # they are all alike there
FIRST_ORDER = {"highs:pdlp", "cvxpy:SCS", "cvxpy:OSQP", "cvxpy:PDLP"}
"""Their multipliers are rough; bounds from them only have to hold."""

every = pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
linear = pytest.mark.parametrize("backend", LINEAR, ids=lambda b: b.name)
integer = pytest.mark.parametrize("backend", INTEGER, ids=lambda b: b.name)


def accuracy(backend: Backend) -> float:
    """How near the optimum the bound of an easy program is to come."""
    return 0.2 if backend.name in FIRST_ORDER else 1e-5


def solved(backend: Backend, program: Program, seconds: float = 30.0) -> LpOutcome:
    return backend.session(program).solve(program, Deadline(seconds))


def bound_of(program: Program, outcome: LpOutcome) -> float:
    return -np.inf if outcome.multipliers is None else safe_bound(program, program.cost, outcome.multipliers)


def feasible_programs(count: int, columns: int = 3, rows: int = 4) -> list[tuple[Program, float]]:
    """Random programs with their exact optima."""
    made = (random_program(np.random.default_rng(seed), columns, rows) for seed in itertools.count())
    pairs = ((program, optimum(program)) for program in made)
    return list(itertools.islice(((p, float(least)) for p, least in pairs if least is not None), count))


@every
def test_optima(backend: Backend) -> None:
    """The bound from the multipliers never exceeds the optimum, and is near it; so is the minimiser."""
    for program, least in feasible_programs(4):
        outcome = solved(backend, program)
        assert outcome.status is SolveStatus.OPTIMAL or backend.name in FIRST_ORDER
        bound = bound_of(program, outcome)
        assert bound <= least + 1e-12 * (1 + abs(least))
        if backend.capabilities.multipliers:
            assert bound == pytest.approx(least, abs=accuracy(backend), rel=accuracy(backend))
        else:
            assert outcome.multipliers is None
        assert outcome.primal is not None
        assert program.cost @ outcome.primal == pytest.approx(least, abs=accuracy(backend), rel=accuracy(backend))


@linear
def test_signs_and_completeness_of_multipliers(backend: Backend) -> None:
    """A pressing lower side has a positive multiplier, a pressing upper side a negative one, a slack row none."""
    program = program_of([[1, 2], [1, -1], [1, 1]], [(4, np.inf), (-np.inf, -1), (-50, 50)], [1, 1])
    session = backend.session(program)
    outcome = session.solve(program, Deadline(30.0))
    assert outcome.multipliers == pytest.approx([0.5, 0, 0], abs=accuracy(backend))
    most = replace(program, cost=np.array([-1.0, 0.0]))
    assert session.solve(most, Deadline(30.0)).multipliers == pytest.approx([0, -1, 0], abs=accuracy(backend))


@linear
def test_every_kind_of_row_and_column(backend: Backend) -> None:
    """Empty rows, equations, one- and two-sided rows; fixed, free and idle columns, in one program."""
    inf = np.inf
    matrix = csr_array([[1.0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, -1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 1, 0, 0]])
    matrix.eliminate_zeros()
    program = Program(
        lower=np.array([-20.0, -5.0, -inf, 2.0, -1.0]),
        upper=np.array([20.0, 5.0, inf, 2.0, 1.0]),
        cost=np.array([1.0, 2.0, 0.0, 3.0, 0.0]),
        integrality=np.zeros(5, bool),
        rows=matrix,
        row_lower=np.array([1.0, -1.0, 0.5, -inf, -2.0]),
        row_upper=np.array([1.0, inf, inf, 4.0, 9.0]),
        row_error=np.zeros(5),
    )
    # x1 = 1 - x0 and x0 >= 0.5 + x2 >= -1.5: x0 + 2 x1 + 6 = 8 - x0 is least at the largest x0, where x1 = -5.
    outcome = solved(backend, program)
    assert outcome.multipliers is not None
    assert outcome.multipliers == pytest.approx([1, 0, 0, 0, 0], abs=accuracy(backend))
    assert outcome.primal is not None
    assert outcome.primal[[0, 1, 3]] == pytest.approx([6, -5, 2], abs=accuracy(backend))
    assert bound_of(program, outcome) <= 2.0  # -inf where the free column has a multiplier, however small
    tight = replace(program, lower=np.maximum(program.lower, -20.0), upper=np.minimum(program.upper, 20.0))
    assert safe_bound(tight, tight.cost, outcome.multipliers) == pytest.approx(2.0, abs=50 * accuracy(backend))


@every
def test_a_row_without_entries_that_cannot_hold(backend: Backend) -> None:
    matrix = csr_array([[1.0, 0], [0, 0]])
    matrix.eliminate_zeros()
    program = replace(program_of([[1, 0], [0, 1]], [(0, 5), (1, 2)], [1, 1]), rows=matrix)
    outcome = solved(backend, program)
    assert outcome.status is not SolveStatus.OPTIMAL
    if outcome.multipliers is not None and not backend.name.startswith("highs"):
        assert safe_bound(program, np.zeros(2), outcome.multipliers) > 0
    if backend.capabilities.milp:
        assert backend.solve_milp(replace(program, integrality=np.ones(2, bool)), Deadline(9.0)).dual_bound == -np.inf


@every
def test_an_infeasible_program(backend: Backend) -> None:
    """No optimum; multipliers, where there are any, are a ray, or prove no more than what holds of each row."""
    program = program_of([[1, 1], [1, -1]], [(30, np.inf), (-1, 1)], [1, 1])
    outcome = solved(backend, program)
    assert outcome.status is not SolveStatus.OPTIMAL
    if backend.capabilities.ray and outcome.status is SolveStatus.INFEASIBLE and outcome.multipliers is not None:
        assert safe_bound(program, np.zeros(2), outcome.multipliers) > 0


@every
def test_an_unbounded_program_has_no_bound(backend: Backend) -> None:
    program = program_of([[1, -1]], [(-1, 1)], [-1, -1], (0.0, np.inf))
    outcome = solved(backend, program)
    assert outcome.status is not SolveStatus.OPTIMAL
    assert bound_of(program, outcome) == -np.inf


@linear
def test_degenerate_and_badly_scaled(backend: Backend) -> None:
    """Ten rows through one vertex, then rows of size 1e-6 to 1e6."""
    angles = np.linspace(0.1, 1.4, 10)
    fan = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for scales in (np.ones(10), np.logspace(-6, 6, 10)):
        rows = fan * scales[:, None]
        program = program_of(rows.tolist(), [(float(s), np.inf) for s in rows.sum(axis=1)], [1, 1])
        bound = bound_of(program, solved(backend, program, 5.0))
        assert bound <= 2.0
        if backend.name not in FIRST_ORDER and scales[0] == 1:
            assert bound == pytest.approx(2.0, abs=1e-5)


@linear
def test_a_session_is_as_good_as_a_new_one(backend: Backend) -> None:
    """Objectives, column bounds, sides, and which sides there are, change in one session."""
    rng = np.random.default_rng(0)
    program, _ = feasible_programs(1, 2, 4)[0]
    session = backend.session(program)
    for change in range(5):
        varied = replace(program, cost=rng.normal(size=2))
        if change == 2:
            varied = replace(varied, lower=program.lower - 0.5, row_lower=program.row_lower - 1)
        if change == 3:
            varied = replace(varied, row_lower=np.full(4, -np.inf))
        least = optimum(varied)
        assert least is not None
        bound = bound_of(varied, session.solve(varied, Deadline(30.0)))
        assert bound <= float(least) + 1e-12
        assert bound == pytest.approx(float(least), abs=accuracy(backend), rel=accuracy(backend))


@every
def test_limits(backend: Backend) -> None:
    """No time is no solve; little time is a bound that holds."""
    program, _ = feasible_programs(1)[0]
    assert solved(backend, program, 0.0).status is SolveStatus.STOPPED
    rng = np.random.default_rng(1)
    large = random_program(rng, 150, 120)
    inside = np.clip(np.zeros(150), large.lower, large.upper)
    activity = large.rows @ inside
    low, high = np.minimum(large.row_lower, activity), np.maximum(large.row_upper, activity)
    large = replace(large, row_lower=low, row_upper=high)
    outcome = solved(backend, large, 0.05)
    assert bound_of(large, outcome) <= large.cost @ inside


@every
def test_other_rows_are_refused(backend: Backend) -> None:
    (first, _), (second, _) = feasible_programs(2)
    with pytest.raises(ValueError, match="rows"):
        backend.session(first).solve(second, Deadline())


def enumerated(program: Program) -> float:
    """The optimum of a small program of binaries."""
    points = np.array(list(itertools.product([0.0, 1.0], repeat=len(program.cost))))
    activity = points @ program.rows.toarray().T
    holds = (activity <= program.row_upper + 1e-9).all(axis=1) & (activity >= program.row_lower - 1e-9).all(axis=1)
    return float((points[holds] @ program.cost).min())


@integer
def test_a_known_integer_optimum(backend: Backend) -> None:
    for seed in (6, 7):
        program = knapsack(np.random.default_rng(seed), 9)
        program = replace(program, cost=program.cost / 100)
        seen: list[np.ndarray] = []
        outcome = backend.solve_milp(program, Deadline(60.0), on_candidate=lambda x, seen=seen: bool(seen.append(x)))
        least = enumerated(program)
        assert outcome.status is SolveStatus.OPTIMAL
        assert outcome.dual_bound <= least + 1e-6
        if backend.capabilities.dual_bound is not DualBound.NEVER:
            assert outcome.dual_bound == pytest.approx(least, abs=1e-3)
        assert not outcome.accepted
        assert outcome.primal is not None
        assert program.cost @ outcome.primal == pytest.approx(least, abs=1e-5)
        assert min(program.cost @ x for x in seen) == pytest.approx(least, abs=1e-5)


@integer
def test_integers_among_continuous_columns_and_equations(backend: Backend) -> None:
    """Least x - y where x + 2 y = 3.5 z, z in {0, 1, 2, 3}, x <= 1, y <= 2.5: the best z is 1, at x = 0, y = 1.75."""
    program = replace(
        program_of([[1, 2, -3.5], [1, 0, 0]], [(0, 0), (-np.inf, 1)], [1, -1, 0]),
        lower=np.zeros(3),
        upper=np.array([2.0, 2.5, 3.0]),
        integrality=np.array([False, False, True]),
    )
    outcome = backend.solve_milp(program, Deadline(60.0))
    assert outcome.dual_bound == pytest.approx(-1.75, abs=1e-3)
    assert outcome.dual_bound <= -1.75 + 1e-6


@integer
def test_a_limited_search_has_a_bound_that_holds(backend: Backend) -> None:
    program = knapsack(np.random.default_rng(5), 60)
    program = replace(program, cost=program.cost / 1000)
    known = backend_free_solution(program)
    outcome = backend.solve_milp(program, Deadline(0.7))
    assert outcome.status in (SolveStatus.STOPPED, SolveStatus.OPTIMAL)
    assert outcome.dual_bound <= known
    if backend.capabilities.dual_bound is DualBound.ALWAYS:
        assert float(program.cost.sum()) <= outcome.dual_bound
    if outcome.status is SolveStatus.STOPPED and backend.capabilities.dual_bound is DualBound.AT_OPTIMUM:
        assert outcome.dual_bound == -np.inf


def backend_free_solution(program: Program) -> float:
    """The value of a solution found greedily."""
    x = np.zeros(len(program.cost))
    for j in np.argsort(program.cost):
        x[j] = 1.0
        if not (program.rows @ x <= program.row_upper).all():
            x[j] = 0.0
    return float(program.cost @ x)


@integer
def test_integer_programs_without_a_solution_have_no_bound(backend: Backend) -> None:
    narrow = program_of([[2, 2]], [(1, 1)], [1, 1], (0.0, 3.0), integers=True)  # an even number is never 1
    assert backend.solve_milp(narrow, Deadline(30.0)).dual_bound == -np.inf
    assert backend.solve_milp(narrow, Deadline(0.0)).dual_bound == -np.inf


@integer
def test_an_accepted_candidate(backend: Backend) -> None:
    program = knapsack(np.random.default_rng(8), 12)
    outcome = backend.solve_milp(program, Deadline(30.0), on_candidate=lambda x: True)
    assert outcome.accepted
    assert outcome.primal is not None
    assert (program.rows @ outcome.primal <= program.row_upper + 1e-6).all()


@pytest.mark.parametrize("backend", [b for b in BACKENDS if not b.capabilities.milp], ids=lambda b: b.name)
def test_solvers_without_integers_say_so(backend: Backend) -> None:
    with pytest.raises(SolverError, match="mixed-integer"):
        backend.solve_milp(knapsack(np.random.default_rng(0), 4), Deadline(9.0))


@every
def test_margins_of_networks(backend: Backend) -> None:
    """The relaxation's margin and, where there are integers, the exact one, against enumeration of patterns."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        network = random_relu_network(rng, (2, 4, 2))
        lower, upper = random_box(rng, 2, radius=2.0)
        bounds, box = plain_bounds(network, lower, upper), Box.exact(lower, upper)
        for rows in (np.array([0]), np.array([0, 1])):
            truth = exact_minimum(network, lower, upper, rows, np.zeros(len(rows)))
            asked = rows, np.full(len(rows), truth + 1.0)  # the margin is -1: the solve runs to its optimum
            (relaxed,) = relaxed_margins(network, box, bounds, [asked], Deadline(30.0), solver=backend)
            assert relaxed.bound <= -1 + 1e-9
            if backend.capabilities.milp:
                exact = exact_margin(network, box, bounds, asked, Deadline(30.0), solver=backend)
                assert exact.bound <= -1 + 1e-9
                assert exact.bound == pytest.approx(-1, abs=0.02)
                assert exact.finished


@every
def test_nothing_is_printed_and_nothing_is_left(
    backend: Backend, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # others use the usual one at the same time
    before = psutil.Process().children(recursive=True)
    program, _ = feasible_programs(1)[0]
    solved(backend, program)
    if backend.capabilities.milp:
        backend.solve_milp(knapsack(np.random.default_rng(5), 60), Deadline(0.3))
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
    left = [child for child in psutil.Process().children(recursive=True) if child not in before]
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
