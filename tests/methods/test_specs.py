"""Every property of vnnlib_specs has the verdict that truth.csv states, by its weakest method and by auto."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import verifier
from verifier import Options, Status
from verifier.methods import METHODS

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
TRUTH = list(csv.DictReader((SPECS / "truth.csv").open()))
ORDER = ("interval", "crown", "lp", "milp")


@pytest.mark.parametrize("line", TRUTH, ids=lambda line: Path(line["property"]).stem)
def test_every_method_agrees_with_the_truth(line: dict[str, str]) -> None:
    network = verifier.load_network(SPECS / line["network"])
    query = verifier.load_property(SPECS / line["property"], network)
    weakest = line["weakest_method"]
    for method in METHODS:
        needed = method in ("auto", "milp", *ORDER, weakest)
        verdict = verifier.verify(network, query, method, Options(timeout=60.0 if needed else 2.0))
        assert verdict.status in (line["verdict"], Status.UNKNOWN, Status.TIMEOUT)
        if method in ("auto", "milp", weakest):
            assert verdict.status == line["verdict"], method
        if method in ORDER and weakest in ORDER and ORDER.index(method) < ORDER.index(weakest):
            assert verdict.status is Status.UNKNOWN, f"{method} is weaker than {weakest}"
        if verdict.status is Status.SAT:
            assert verdict.witness is not None
            assert query.violated(verdict.witness.x, verdict.witness.y)
        if verdict.status is Status.UNSAT:
            assert verdict.bound is not None
            assert verdict.bound > 0


def test_instances_are_those_of_the_truth() -> None:
    with (SPECS / "instances.csv").open() as file:
        instances = [(network, prop) for network, prop, _ in csv.reader(file)]
    assert instances == [(line["network"], line["property"]) for line in TRUTH]
