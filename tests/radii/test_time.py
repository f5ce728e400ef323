"""Certificates look at their deadline: a clock that runs out after so many looks, and no seconds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import verifier
from verifier.deadline import NEVER, Deadline, OutOfTimeError
from verifier.lipschitz.norms import operator_norm
from verifier.network.linear_maps import Convolution, Dense
from verifier.network.linear_maps.convolution import Window
from verifier.radii.bracket import Bracket
from verifier.radii.certificates import CERTIFICATES, certificate_ends, clever_end, linear_rule
from verifier.radii.measure import RadiusOptions
from verifier.radii.question import RadiusQuestion
from verifier.radii.shares import ordered, shares

MODEL = Path(__file__).resolve().parents[2] / "vnnlib_specs/onnx/moons.onnx"


class Looks(Deadline):
    """Expires once it has been looked at so many times; parts of it count on it."""

    def __init__(self, looks: int) -> None:
        super().__init__(1000.0)
        self.looks = looks

    @property
    def elapsed(self) -> float:
        self.looks -= 1
        return 0.0 if self.looks >= 0 else 1000.0

    def within(self, seconds: float) -> Deadline:
        return self


def _question(norm: float = 2.0) -> RadiusQuestion:
    return RadiusQuestion(verifier.load_network(MODEL), np.array([0.0, 1.0]), None, norm)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_without_time_says_so(name: str) -> None:
    with pytest.raises(OutOfTimeError):
        CERTIFICATES[name](_question(), Deadline(0.0))
    end = next(certificate_ends(_question(), [name], Deadline(0.0)))
    assert (end.value, end.late, end.detail) == (0.0, True, "out of time")


@pytest.mark.parametrize("name", ["local-lipschitz", "gradient-interval", "gradient-crown", "lipsdp"])
def test_what_is_proved_when_the_time_is_up_still_counts(name: str) -> None:
    whole = CERTIFICATES[name](_question(), NEVER).radius
    found = []
    for looks in (3, 30, 90):
        try:
            found.append(CERTIFICATES[name](_question(), Looks(looks)).radius)
        except OutOfTimeError:
            continue
    assert found
    assert max(found) <= whole * (1 + 1e-6)
    assert max(found) > 0


def test_clever_samples_as_long_as_there_is_time() -> None:
    assert clever_end(_question(), 0.1, 0, Deadline(0.0)).late
    assert not clever_end(_question(), 0.1, 0, Looks(90)).late


@pytest.mark.parametrize(
    "linear_map",
    [
        Dense(np.ones((30, 40))),
        Convolution(np.ones((8, 8, 3, 3)), (1, 8, 40, 40), Window((1, 1), (1, 1), (1, 1), (1, 1), 1)),
    ],
)
def test_a_norm_looks_at_the_time(linear_map: Dense | Convolution) -> None:
    with pytest.raises(OutOfTimeError):
        operator_norm(linear_map, 2.0, Deadline(0.0))


def test_bounds_of_gradients_are_sound_whenever_the_time_is_up() -> None:
    network = verifier.load_network(MODEL)
    lower, upper = np.array([[-0.5, 0.5]]), np.array([[0.5, 1.5]])
    points = np.random.default_rng(0).uniform(lower, upper, (500, 2))
    outputs = network.forward(points)
    for looks in range(12):
        low, high = linear_rule(network, lower, upper, Looks(looks))
        assert (low <= outputs).all()
        assert (outputs <= high).all()


def test_the_strong_run_first_and_the_others_cost_them_little() -> None:
    assert ordered(["lbfgs", "lp", "fmn", "crown", "auto"]) == ["fmn", "lbfgs", "crown", "lp", "auto"]
    parts = {name: share.seconds for name, share in shares(["fmn", "a", "b", "c"], Deadline(100.0))}
    assert parts["fmn"] == pytest.approx(50.0, rel=1e-3)
    assert all(parts[name] >= 25.0 - 1e-3 for name in "abc")


def test_progress_is_told_with_what_is_known() -> None:
    known: list[Bracket] = []
    network, options = verifier.load_network(MODEL), RadiusOptions(methods=["fmn", "cross-lipschitz", "crown"])
    last = verifier.radius(network, np.array([0.0, 1.0]), options=options, progress=known.append)
    assert [bracket.ends[-1].method for bracket in known] == [end.method for end in last.ends]
    assert known[-1].interval == last.interval
    assert all(a.interval[0] <= b.interval[0] for a, b in pairwise(known))
