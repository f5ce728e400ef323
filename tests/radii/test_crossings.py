"""No proof lies above the exact value, and no witness below it: all methods on random tiny networks and digits."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.brackets import LOWER, SHAPES, Item, digits_question, tiny_question
from tests.attacks.minimal.planar import minimal_distance
from verifier.attacks.minimal.registry import ATTACKS
from verifier.radii.bracket import Bracket, Side
from verifier.radii.measure import RadiusOptions, measure

NORMS = (1.0, 2.0, math.inf)
ROUNDING = 1e-7
"""Of the enumeration."""
ALL = RadiusOptions(methods=[*ATTACKS, *LOWER, "auto", "milp-distance"], timeout=30.0, threads=1)
QUICK = RadiusOptions(
    methods=["fmn", "fast-bisection", "local-lipschitz", "gradient-crown", "crown", "lp", "auto", "milp-distance"],
    timeout=20.0,
    threads=1,
)


def check(bracket: Bracket, exact: float) -> None:
    assert not bracket.crossings
    for end in bracket.ends:
        if end.proved:
            assert end.value <= exact + ROUNDING, end
        elif end.side is Side.UPPER:
            assert end.value >= exact - ROUNDING, end


def check_tiny(index: int, norm: float, options: RadiusOptions) -> None:
    question = tiny_question(Item("tiny", index, norm, options))
    bracket = measure(question, options)
    low, high = bracket.interval
    if question.network.input_size == 2:
        ends = np.full(2, -1.0), np.full(2, 1.0)
        check(bracket, minimal_distance(question.network, question.x, question.kept, norm, ends))
    assert not bracket.crossings
    assert low <= high * (1 + 1e-9)


@pytest.mark.parametrize("norm", NORMS)
def test_a_handful_of_tiny_networks(norm: float) -> None:
    assert {len(shape) for shape in SHAPES} == {3, 4}
    for index in (1, 2, 4):
        check_tiny(index, norm, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_many_tiny_networks_by_all_methods(norm: float) -> None:
    for index in range(1000, 1030):
        check_tiny(index, norm, ALL)


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_digits_by_all_methods(norm: float) -> None:
    for index in range(200, 205):
        bracket = measure(digits_question(Item("digits", index, norm, ALL)), ALL)
        assert not bracket.crossings
        value = bracket.interval[1]
        assert math.isfinite(value)
        assert bracket.gap < 0.02


def test_a_crossing_ends_the_benchmark_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import brackets
    from verifier.lipschitz.radii import Radius
    from verifier.radii import certificates
    from verifier.standing import Standing

    lie = {"lipschitz": lambda question, deadline: Radius(99.0, 2.0, "a lie", Standing.CERTIFIED)}
    monkeypatch.setattr(certificates, "CERTIFICATES", {**certificates.CERTIFICATES, **lie})
    options = RadiusOptions(methods=["fmn", "lipschitz", "auto"], timeout=10.0, threads=1)
    found = brackets.measured(Item("tiny", 1, 2.0, options))
    assert brackets.show([found]) > 0
