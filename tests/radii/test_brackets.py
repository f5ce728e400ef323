"""Brackets against the exact minimal perturbation of tiny networks, and what they do with lies."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import verifier
from tests.attacks.minimal.planar import minimal_distance
from tests.lipschitz.boundaries import minimal_perturbation
from tests.radii.models import relu_network
from verifier.deadline import Deadline
from verifier.errors import PropertyError, UsageError
from verifier.lipschitz.radii import Radius
from verifier.methods import METHODS, Options
from verifier.radii import bisection, certificates
from verifier.radii.bisection import Bisection, by_complete, by_incomplete
from verifier.radii.bracket import Bracket, End, Side
from verifier.radii.measure import RadiusOptions, measure
from verifier.radii.question import RadiusQuestion
from verifier.standing import Standing
from verifier.verdict import Status, Verdict

NORMS = (1.0, 2.0, math.inf)
QUICK = RadiusOptions(timeout=20.0, threads=1)
ROUNDING = 1e-7
"""Of the enumerations."""


def sample_of(seed: int, side: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed + 1000).uniform(-side, side, 2).astype(np.float32).astype(float)


def check_ends(bracket: Bracket, exact: float) -> None:
    """Every proof is at most, every witness at least the exact value, and all proofs and attacks are there."""
    assert not bracket.crossings
    for end in bracket.ends:
        if end.proved:
            assert end.value <= exact + ROUNDING, end
            assert end.point is None
        elif end.side is Side.UPPER:
            assert end.value >= exact - ROUNDING, end
            assert (end.point is None) == math.isinf(end.value)
            assert end.standing is Standing.ATTACK
        else:
            assert (end.method, end.standing) == ("clever", Standing.ESTIMATE)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(4))
def test_all_ends_are_on_their_side_of_the_exact_value(seed: int, norm: float, tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, seed), sample_of(seed)
    bracket = verifier.radius(network, x, norm=norm, options=QUICK)
    exact = minimal_perturbation(network, x, bracket.label, norm)
    check_ends(bracket, exact)
    low, high = bracket.interval
    if math.isfinite(exact):
        assert low - ROUNDING <= exact <= high + ROUNDING
        assert bracket.exact
        assert bracket.standing is Standing.EXACT
        assert high - low <= 1e-3 * high
    named = {end.method for end in bracket.ends}
    assert {"lipschitz", "gradient-crown", "clever", "crown", "lp", "auto", "fmn", "fab"} <= named


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(5, 8))
def test_the_range_of_the_data_counts(seed: int, norm: float, tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, seed), sample_of(seed)
    bracket = verifier.radius(network, x, norm=norm, options=replace(QUICK, clip=(-1.0, 1.0)))
    exact = minimal_distance(network, x, bracket.label, norm, (np.full(2, -1.0), np.full(2, 1.0)))
    check_ends(bracket, exact)
    low, high = bracket.interval
    assert low - ROUNDING <= exact <= high + ROUNDING
    assert bracket.exact
    if math.isinf(exact):
        assert low == math.inf
        assert "infinite" in bracket.summary
    for end in bracket.ends:
        if end.point is not None:
            assert np.abs(end.point).max() <= 1.0


@pytest.mark.parametrize("name", ["auto", "milp", "neurons", "inputs"])
@pytest.mark.parametrize("norm", NORMS)
def test_complete_methods_find_the_value_alone(name: str, norm: float, tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, 1), sample_of(1)
    bracket = verifier.radius(network, x, norm=norm, options=replace(QUICK, methods=[name]))
    exact = minimal_perturbation(network, x, bracket.label, norm)
    check_ends(bracket, exact)
    assert bracket.exact
    assert bracket.interval[0] - ROUNDING <= exact <= bracket.interval[1] + ROUNDING
    proof = bracket.lower
    assert proof is not None
    assert name == "auto" or proof.standing is (Standing.REAL if name == "milp" else Standing.CERTIFIED)


def test_incomplete_methods_prove_less_and_stop(tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, 2), sample_of(2)
    question = RadiusQuestion(network, x, None, 2.0)
    exact = minimal_perturbation(network, x, question.kept, 2.0)
    proved = {}
    for name in ("interval", "crown", "lp"):
        ends = by_incomplete(question, METHODS[name], Options(threads=1), 2 * exact, Deadline(10.0))
        proved[name] = ends[0].value
        assert 0 < ends[0].value <= exact + ROUNDING
    assert proved["interval"] <= proved["crown"] * 1.01 <= proved["lp"] * 1.02


def test_what_was_known_before_is_said(tmp_path: Path) -> None:
    """A bracket that others have closed leaves nothing to ask below it, which is no weakness of the method."""
    question = RadiusQuestion(relu_network(tmp_path, 3), sample_of(3), None, 2.0)
    exact = minimal_perturbation(question.network, question.x, question.kept, 2.0)
    known = 0.99999 * exact, 1.00001 * exact
    lower = by_complete(question, METHODS["auto"], Options(threads=1), known, Deadline(10.0), 1e-3)[0]
    assert lower.value == 0
    assert f"{known[0]:.4g} was known" in lower.detail


def test_out_of_time_is_no_proof(tmp_path: Path) -> None:
    question = RadiusQuestion(relu_network(tmp_path, 3), sample_of(3), None, 2.0)
    spent = Deadline(1e-9)
    ends = by_complete(question, METHODS["auto"], Options(threads=1), (0.0, 1.0), spent, 1e-3)
    assert [end.value for end in ends if end.side is Side.LOWER] == [0.0]
    bracket = measure(question, RadiusOptions(timeout=1e-6, threads=1))
    assert not bracket.crossings
    assert bracket.interval[0] == 0


def test_a_witness_that_only_float32_sees_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = RadiusQuestion(relu_network(tmp_path, 1), sample_of(1), None, 2.0)
    monkeypatch.setattr(RadiusQuestion, "distance", lambda self, point: math.inf)
    bisection = Bisection(question, METHODS["auto"], Options(threads=1), Deadline(5.0), ceiling=100.0)
    bisection.ask(50.0)
    assert (bisection.ceiling, bisection.high, bisection.point, bisection.proved) == (50.0, math.inf, None, 0.0)


def test_a_misclassified_sample_has_radius_0(tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, 4), sample_of(4)
    own = RadiusQuestion(network, x, None, 2.0).predicted
    bracket = verifier.radius(network, x, (own + 1) % 3, options=QUICK)
    assert bracket.interval == (0.0, 0.0)
    assert bracket.exact
    assert bracket.standing is Standing.EXACT
    assert "misclassified" in bracket.summary


def test_lies_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = relu_network(tmp_path, 1), sample_of(1)
    lie = dict(certificates.CERTIFICATES)
    lie["lipschitz"] = lambda question, deadline: Radius(99.0, 2.0, "a lie", Standing.CERTIFIED)
    monkeypatch.setattr(certificates, "CERTIFICATES", lie)
    bracket = verifier.radius(network, x, options=replace(QUICK, methods=["fmn", "lipschitz", "auto"]))
    assert [(c.lower.method, c.upper.method) for c in bracket.crossings] == [("lipschitz", "fmn")]
    assert not bracket.exact
    assert bracket.standing is None
    assert "contradict" in bracket.summary


def test_estimates_and_roundings_do_not_cross() -> None:
    def bracket(lower: float, standing: Standing) -> Bracket:
        ends = [End("a", Side.LOWER, lower, standing), End("b", Side.UPPER, 1.0, Standing.ATTACK)]
        return Bracket(2.0, 0, 0, ends, 1e-3)

    assert not bracket(2.0, Standing.ESTIMATE).crossings
    assert not bracket(2.0, Standing.PROBABLE).crossings
    assert not bracket(1 + 1e-12, Standing.CERTIFIED).crossings
    for standing in (Standing.CERTIFIED, Standing.REAL):
        assert bracket(1 + 1e-6, standing).crossings
    assert bracket(0.5, Standing.CERTIFIED).gap == 0.5
    assert bracket(0.9995, Standing.CERTIFIED).exact


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    network = relu_network(tmp_path, 0)
    for x, label, norm, clip in (
        (np.zeros(3), None, 2.0, None),
        (np.zeros(2), 3, 2.0, None),
        (np.zeros(2), None, 3.0, None),
        (np.array([np.nan, 0]), None, 2.0, None),
        (np.array([1e300, 0]), None, 2.0, None),
        (np.zeros(2), None, 2.0, (1.0, 2.0)),
    ):
        with pytest.raises(PropertyError):
            RadiusQuestion(network, x, label, norm, clip)
    for wrong in ({"gap": 0.0}, {"methods": ["none"]}, {"timeout": 0.0}, {"threads": 0}, {"seed": -1}):
        with pytest.raises(UsageError):
            RadiusOptions(**wrong)
    with pytest.raises(UsageError, match="1-norm"):
        RadiusOptions(methods=["ddn"]).chosen(1)
    assert RadiusOptions(methods=["ddn", "fmn", "fmn"]).chosen(1) == ["fmn"]


def test_lipsdp_on_demand(tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, 1), sample_of(1)
    bracket = verifier.radius(network, x, options=replace(QUICK, methods=["cross-lipschitz", "lipsdp"]))
    exact = minimal_perturbation(network, x, bracket.label, 2.0)
    pairs, semidefinite = bracket.ends
    assert 0 < pairs.value < semidefinite.value <= exact + ROUNDING
    assert semidefinite.proved


def test_the_0_norm_has_attacks_alone(tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, 0, (4, 8, 3)), np.random.default_rng(3).uniform(-1, 1, 4)
    options = RadiusOptions((-1.0, 1.0), timeout=20.0, threads=1)
    bracket = verifier.radius(network, x, norm=0, options=options)
    assert [(end.method, end.side) for end in bracket.ends] == [("fmn", Side.UPPER)]
    end = bracket.ends[0]
    assert end.point is not None
    assert end.value == np.count_nonzero(end.point != x.astype(np.float32)) > 0
    assert bracket.lower is None
    assert bracket.gap == 1
    assert not bracket.exact
    question = RadiusQuestion(network, x, None, 0)
    with pytest.raises(PropertyError, match="1, 2 or inf"):
        question.query(1.0)
    for name in ("lipschitz", "clever", "crown", "auto", "milp", "milp-distance"):
        with pytest.raises(UsageError, match="0-norm"):
            RadiusOptions(methods=["fmn", name]).chosen(0)
    with pytest.raises(UsageError, match="0-norm"):
        RadiusOptions(methods=["ddn"]).chosen(0)


@pytest.mark.parametrize("method", ["crown", "lp", "auto"])
def test_a_method_that_proves_too_much_crosses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """It is asked beyond the nearest witness as well, where an honest one proves nothing."""
    question = RadiusQuestion(relu_network(tmp_path, 1), np.array([0.3, -0.2]), None, 2.0)
    options = RadiusOptions(methods=["fmn", method], timeout=10.0)
    assert not measure(question, options).crossings
    monkeypatch.setattr(bisection, "decide", lambda *_: Verdict(Status.UNSAT, "a lie", 1.0))
    (crossing,) = measure(question, options).crossings
    assert (crossing.lower.method, crossing.upper.method) == (method, "fmn")
