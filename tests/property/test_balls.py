"""Balls: exact membership, roundings that stay inside, and sound, nearly exact bounds of linear functions."""

from __future__ import annotations

from fractions import Fraction

import array_api_compat.torch as torch
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verifier.errors import PropertyError
from verifier.evidence.replay import rounded_into
from verifier.property.balls import Ball
from verifier.property.query import Box
from verifier.property.robustness import Neighbourhood
from verifier.property.support import least

SEEDS = st.integers(0, 2**32 - 1)
NORMS = st.sampled_from([1, 2])
SCALES = st.sampled_from([1e-30, 1e-6, 1.0, 1e5, 1e30])


def random_set(rng: np.random.Generator, norm: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray, Ball]:
    """A box that the ball meets: as a rule around its centre, at times beside it, with touching and fixed entries."""
    size = int(rng.integers(1, 7))
    centre, radius = scale * rng.normal(size=size), scale * float(rng.choice([0.0, 1e-3, 0.5, 2.0]))
    width = scale * rng.choice([0.0, 0.1, 1.0, 10.0], size=(2, size))
    lower, upper = centre - width[0], centre + width[1]
    if rng.random() < 0.3:  # the centre lies outside, or on a face
        shift = rng.choice([0.0, 0.6, 1.0]) * radius / size
        lower[0], upper[0] = centre[0] + shift, centre[0] + shift + width[1, 0]
    bounds = np.maximum(lower, centre - radius), np.minimum(upper, centre + radius)
    return np.minimum(*bounds), np.maximum(*bounds), Ball(centre, radius, norm)


def points_of(rng: np.random.Generator, lower: np.ndarray, upper: np.ndarray, ball: Ball, count: int) -> np.ndarray:
    """Points of box and ball, many of them on the sphere; only those that lie in both exactly."""
    anywhere = lower + rng.random((count, len(lower))) * (upper - lower)
    anywhere[::3] = np.where(rng.random(anywhere[::3].shape) < 0.5, lower, upper)
    x = ball.retracted(anywhere, lower, upper)
    inside = ((x >= lower) & (x <= upper)).all(axis=1)
    return np.array([row for row in x[inside] if ball.contains(row)]).reshape(-1, len(lower))


def dot(a: np.ndarray, x: np.ndarray) -> Fraction:
    return sum((Fraction(p) * Fraction(q) for p, q in zip(a.tolist(), x.tolist(), strict=True)), Fraction(0))


@given(SEEDS, NORMS, SCALES, SCALES)
@settings(max_examples=150, deadline=None)
def test_no_point_of_box_and_ball_is_below_the_bound(seed: int, norm: int, scale: float, steepness: float) -> None:
    rng = np.random.default_rng(seed)
    lower, upper, ball = random_set(rng, norm, scale)
    rows = steepness * rng.normal(size=(1, 4, len(lower))) * (rng.random((1, 4, len(lower))) < 0.8)
    found = least(rows, lower[None], upper[None], ball)
    points = [*points_of(rng, lower, upper, ball, 12), *found.point[0]]
    for x in points:
        if ball.contains(x) and (x >= lower).all() and (x <= upper).all():
            for row, bound in zip(rows[0], found.bound[0], strict=True):
                assert dot(row, x) >= Fraction(float(bound))


@given(SEEDS, NORMS)
@example(305465656, 2)  # all entries clipped at too large a multiplier, and not at the right one
@settings(max_examples=80, deadline=None)
def test_the_bound_is_taken_at_the_point(seed: int, norm: int) -> None:
    """Weak duality from both sides: a point of the set (up to rounding) whose value is the bound is the minimum."""
    rng = np.random.default_rng(seed)
    lower, upper, ball = random_set(rng, norm)
    if ball.misses(lower[None], upper[None])[0] or ball.excess(np.clip(ball.centre, lower, upper)) > 0:
        return
    rows = rng.normal(size=(1, 5, len(lower))) * (rng.random((1, 5, len(lower))) < 0.8)
    found = least(rows, lower[None], upper[None], ball)
    for row, bound, x in zip(rows[0], found.bound[0], found.point[0], strict=True):
        assert (x >= lower).all()
        assert (x <= upper).all()
        assert ball.excess(x) <= 1e-4 * ball.radius + 1e-12
        inside = ball.retracted(x[None], lower, upper)[0]
        assert row @ inside - bound <= 1e-6 * (1 + np.abs(row).sum())


@pytest.mark.parametrize("norm", [1, 2])
def test_the_bound_is_the_optimum_that_cvxpy_finds(norm: int) -> None:
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(norm)
    for _ in range(15):
        lower, upper, ball = random_set(rng, norm)
        row, x = rng.normal(size=len(lower)), cp.Variable(len(lower))
        limits = [x >= lower, x <= upper, cp.norm(x - ball.centre, norm) <= ball.radius]
        optimum = cp.Problem(cp.Minimize(row @ x), limits).solve(solver=cp.CLARABEL)
        if np.isfinite(optimum):
            bound = float(least(row[None, None], lower[None], upper[None], ball).bound[0, 0])
            assert bound == pytest.approx(optimum, abs=1e-5)
            assert bound >= np.minimum(row * lower, row * upper).sum() - 1e-9
            assert bound >= row @ ball.centre - ball.radius * ball_dual(row, norm) - 1e-9


def ball_dual(row: np.ndarray, norm: int) -> float:
    return float(np.abs(row).max() if norm == 1 else np.linalg.norm(row))


def test_boxes_of_a_batch_and_libraries_agree() -> None:
    rng = np.random.default_rng(3)
    for norm in (1, 2):
        ball = Ball(rng.normal(size=5), 0.7, norm)
        lower, upper = ball.centre - rng.random((6, 5)), ball.centre + rng.random((6, 5))
        rows = rng.normal(size=(6, 3, 5))
        together = least(rows, lower, upper, ball)
        for n in range(6):
            alone = least(rows[n : n + 1], lower[n : n + 1], upper[n : n + 1], ball)
            np.testing.assert_allclose(together.bound[n], alone.bound[0], atol=1e-8)
        elsewhere = least(*(torch.asarray(a) for a in (rows, lower, upper)), ball)
        np.testing.assert_allclose(elsewhere.bound.numpy(), together.bound, atol=1e-12)
        np.testing.assert_allclose(elsewhere.point.numpy(), together.point, atol=1e-9)
        fast = least(*(a.astype(np.float32) for a in (rows, lower, upper)), ball)
        assert fast.bound.dtype == fast.point.dtype == np.float32
        np.testing.assert_allclose(fast.point, together.point, atol=1e-2)


@pytest.mark.parametrize("norm", [1, 2])
def test_many_sparse_rows_are_bounded_as_each_alone(norm: int) -> None:
    """They go in blocks, on the inputs that they have."""
    rng = np.random.default_rng(norm)
    ball = Ball(rng.normal(size=3000), 2.0, norm)
    lower, upper = ball.centre - rng.random((1, 3000)), ball.centre + rng.random((1, 3000))
    rows = np.zeros((1, 90, 3000))
    for r in range(90):
        rows[0, r, 25 * r : 25 * r + 60] = rng.normal(size=60)
    rows[0, 40] = rng.normal(size=3000)
    found = least(rows, lower, upper, ball)
    for r in range(90):
        alone = least(rows[:, r : r + 1], lower, upper, ball)
        assert found.bound[0, r] == pytest.approx(alone.bound[0, 0], abs=1e-8)
        assert rows[0, r] @ found.point[0, r] == pytest.approx(alone.bound[0, 0], abs=1e-5)
        assert ball.excess(found.point[0, r]) <= 1e-4


@pytest.mark.parametrize("count", [0, 1])
def test_no_boxes_have_no_bounds(count: int) -> None:
    box = np.zeros((count, 3))
    found = least(np.zeros((count, 0, 3)), box, box, Ball(np.zeros(3), 1.0, 2))
    assert (found.bound.shape, found.point.shape) == ((count, 0), (count, 0, 3))


def test_rows_that_are_not_finite_bound_nothing() -> None:
    ball = Ball(np.zeros(2), 1.0, 2)
    rows = np.array([[[np.inf, 1.0], [np.nan, 0.0], [1e300, 1e300]]])
    with np.errstate(all="ignore"):
        bound = least(rows, -np.ones((1, 2)), np.ones((1, 2)), ball).bound[0]
    assert not (bound > -1e300).any()


@given(SEEDS, NORMS, SCALES)
@settings(max_examples=100, deadline=None)
def test_roundings_lie_in_box_and_ball_exactly(seed: int, norm: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 9))
    radius = float(scale * rng.choice([1e-2, 1.0]))
    sample = scale * rng.normal(size=size) * rng.choice([0.0, 1.0, 10.0])
    clip = None if rng.random() < 0.5 else (-scale, scale)
    box = Neighbourhood(sample, radius, norm, clip).box()
    if box is None or not box.has_float32_point:
        return
    for _ in range(5):
        x = box.lower + (2 * rng.random(size) - 0.5) * (box.upper - box.lower)
        point = rounded_into(box, x)
        assert point.dtype == np.float32
        assert box.contains(point)
        assert box.distance(point) == 0.0
        gaps = [abs(Fraction(float(a)) - Fraction(float(b))) for a, b in zip(point, sample, strict=True)]
        assert sum(g**norm for g in gaps) <= Fraction(radius) ** norm
        retracted = box.ball.retracted(x[None], box.lower, box.upper)[0]
        assert np.abs(point - retracted).max() <= 1e-4 * (radius + np.abs(sample).max())


def test_membership_is_exact() -> None:
    ball = Ball(np.zeros(2), 5.0, 2)
    assert ball.contains(np.array([3.0, 4.0], np.float32))
    assert not ball.contains(np.array([3.0, np.nextafter(4, 5, dtype=np.float32)], np.float32))
    one = Ball(np.array([0.1, 0.0]), 0.1, 1)
    assert one.contains(np.zeros(2, np.float32))
    assert not Ball(np.array([0.1, 0.0]), float(np.nextafter(0.1, 0)), 1).contains(np.zeros(2, np.float32))
    assert not ball.contains(np.array([np.nan, 0.0], np.float32))
    assert not ball.contains(np.array([np.inf, 0.0], np.float32))


def test_a_ball_without_float32_inside_gives_no_point() -> None:
    box = Neighbourhood(np.array([0.1, 0.5]), 1e-12, 2).box()
    assert box is not None
    assert not box.has_float32_point
    assert not box.contains(rounded_into(box, box.middle))
    assert box.distance(rounded_into(box, box.middle)) > 0
    point = Neighbourhood(np.array([0.25, 0.5]), 0.0, 1).box()
    assert point is not None
    assert point.contains(rounded_into(point, np.array([9.0, -9.0])))


def test_parts_outside_the_ball_are_told() -> None:
    ball = Ball(np.zeros(2), 1.0, 2)
    lower, upper = np.array([[0.8, 0.8], [0.6, 0.6], [0.0, 1.0]]), np.array([[2.0, 2.0], [2.0, 2.0], [0.0, 2.0]])
    assert ball.misses(lower, upper).tolist() == [True, False, False]
    assert Ball(np.zeros(2), 1.0, 1).misses(lower, upper).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("centre", "radius", "norm"),
    [([0.0], -1.0, 2), ([0.0], np.inf, 2), ([0.0], np.nan, 1), ([np.nan], 1.0, 1), ([0.0], 1.0, 3)],
)
def test_what_is_no_ball_is_refused(centre: list[float], radius: float, norm: int) -> None:
    with pytest.raises(PropertyError):
        Ball(np.array(centre), radius, norm)


def test_a_ball_in_an_infinite_box_or_of_another_size_is_refused() -> None:
    ends, point = np.array([-np.inf, 0.0]), np.zeros(2, np.float32)
    with pytest.raises(PropertyError, match="infinite"):
        Box(ends, np.ones(2), point, point, Ball(np.zeros(2), 1.0, 2))
    with pytest.raises(PropertyError, match="dimensions"):
        Box(np.zeros(2), np.ones(2), point, point, Ball(np.zeros(3), 1.0, 2))


@given(SEEDS, NORMS, st.sampled_from([1e-200, 1e-160, 1e-30, 1.0, 1e30, 1e200]))
@settings(max_examples=200, deadline=None)
def test_membership_near_the_sphere_is_that_of_fractions(seed: int, norm: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    centre, radius = scale * rng.normal(size=3), scale * float(rng.choice([0.0, 1e-10, 1.0, 1e5]))
    gaps = rng.normal(size=3)
    gaps *= radius / np.linalg.norm(gaps, norm)
    x = centre + gaps * rng.choice([0.5, 1 - 1e-15, 1.0, 1 + 1e-15, 2.0])
    exact = sum(abs(Fraction(a) - Fraction(b)) ** norm for a, b in zip(x.tolist(), centre.tolist(), strict=True))
    with np.errstate(over="ignore"):
        assert Ball(centre, radius, norm).contains(x) == (exact <= Fraction(radius) ** norm)


def test_a_length_that_overflows_misses_nothing() -> None:
    ball = Ball(np.zeros(2), 1e160, 2)
    with np.errstate(over="ignore"):
        assert not ball.misses(np.full((1, 2), 1e155), np.full((1, 2), 1e156))[0]


@pytest.mark.parametrize("clip", [(np.inf, np.inf), (-np.inf, -np.inf), (1.0, 0.0), (np.nan, 1.0)])
def test_a_box_that_holds_nothing_is_refused(clip: tuple[float, float]) -> None:
    with pytest.raises(PropertyError, match="a box from"):
        Neighbourhood(np.zeros(2), 1.0, 2, clip)


def test_a_neighbourhood_has_one_ball() -> None:
    near = Neighbourhood(np.zeros(2), 1.0, 2)
    parts = [near.box(Box.exact(np.full(2, low), np.full(2, low + 0.5))) for low in (-0.5, 0.0)]
    assert parts[0] is not None
    assert parts[1] is not None
    assert parts[0].ball is parts[1].ball
