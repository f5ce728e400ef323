"""Decision regions agree with the network; sections of balls with brute force."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.radii.models import relu_network
from verifier.pictures.regions import classes_in, plane_through, regions_picture
from verifier.radii.bracket import End, Side
from verifier.radii.measure import RadiusOptions, measure
from verifier.radii.question import RadiusQuestion
from verifier.standing import Standing


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("size", [2, 7])
def test_a_section_is_the_boundary_of_the_ball_in_the_plane(norm: float, size: int) -> None:
    plane = plane_through(np.zeros(size), 3)
    a, b = plane.section(0.3, norm)
    assert np.allclose(np.linalg.norm(plane.points(a, b), ord=norm, axis=1), 0.3)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (2, 400))
    angle = np.arctan2(y, x) % (2 * np.pi)
    reach = np.interp(angle, np.linspace(0, 2 * np.pi, len(a)), np.hypot(a, b))
    inside = np.linalg.norm(plane.points(x, y), ord=norm, axis=1) <= 0.3
    clear = np.abs(np.hypot(x, y) / reach - 1) > 0.01
    assert (inside == (np.hypot(x, y) <= reach))[clear].all()


def test_directions_are_orthonormal_and_come_again() -> None:
    x = np.random.default_rng(1).normal(size=20)
    plane, again, other = plane_through(x, 5), plane_through(x, 5), plane_through(x, 6)
    basis = np.stack([plane.u, plane.v])
    assert np.allclose(basis @ basis.T, np.eye(2), atol=1e-12)
    assert np.array_equal(plane.u, again.u)
    assert not np.array_equal(plane.u, other.u)
    with pytest.raises(ValueError, match="plane"):
        plane_through(np.zeros(1), 0)


def test_the_plane_goes_through_the_sample_and_two_witnesses() -> None:
    rng = np.random.default_rng(4)
    x, near, far = rng.normal(size=(3, 6)).astype(np.float32).astype(float)
    points = {"far": (2.0, far), "near": (1.0, near), "again": (3.0, x + 2 * (near - x))}
    ends = [End(name, Side.UPPER, v, Standing.ATTACK, point=p.astype(np.float32)) for name, (v, p) in points.items()]
    plane = plane_through(x, 0, ends)
    for _, point in points.values():
        coordinates = np.array([(point - x) @ plane.u]), np.array([(point - x) @ plane.v])
        assert np.allclose(plane.points(*coordinates)[0], point, atol=1e-6)
    assert (near - x) @ plane.v == pytest.approx(0.0, abs=1e-6)
    alone = plane_through(x, 0, [ends[1], ends[2]])
    assert "random" in alone.names[1]
    assert abs(alone.u @ alone.v) < 1e-12


@pytest.mark.parametrize("sizes", [(2, 6, 3), (5, 6, 3)])
def test_pixels_have_the_networks_classes(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    network = relu_network(tmp_path, 4, sizes)
    question = RadiusQuestion(network, np.full(sizes[0], 0.25), None, 2.0, (-1.0, 1.5))
    plane = plane_through(question.x, 0)
    side, classes, inside = classes_in(question, plane, 2.0, 21)
    for row, column in ((0, 0), (3, 17), (10, 10), (20, 5)):
        point = question.x + side[column] * plane.u + side[row] * plane.v
        assert classes[row, column] == network.forward(point[None])[0].argmax()
        assert inside[row, column] == ((point >= -1) & (point <= 1.5)).all()


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_it_is_drawn(tmp_path: Path, ending: str) -> None:
    question = RadiusQuestion(relu_network(tmp_path, 4, (2, 6, 3)), np.array([0.2, 0.1]), None, 1.0, (-1.0, 1.0))
    bracket = measure(question, RadiusOptions(methods=["fmn", "crown"], timeout=5.0))
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    assert regions_picture(question, bracket, "t", 0, ending).startswith(start)
