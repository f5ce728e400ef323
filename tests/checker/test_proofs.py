"""Proofs of what holds are accepted, in doubles and in rational numbers; of what does not there are none."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.checker.claims import NAMES, claim, model_file, proof, property_file, read, said, with_array
from verifier.checker.claim import Disjunct
from verifier.checker.main import check
from verifier.checker.proof import Proof
from verifier.deadline import Deadline
from verifier.proofs.draft import Draft, GivenUp, Leaf
from verifier.proofs.write import proof_of

SMALL = [("moons", "upper"), ("moons", "both"), ("moons", "bounded"), ("digits_dense", "robust")]


@pytest.mark.parametrize(("network", "prop"), NAMES)
def test_what_holds_has_a_proof_that_is_accepted(network: str, prop: str, tmp_path: Path) -> None:
    contents = proof(network, prop)
    assert said(claim(network, prop), read(contents, tmp_path)) == ""
    assert check(model_file(network), property_file(network, prop), tmp_path / "proof.npz") == ("accepted", "")


@pytest.mark.parametrize(("network", "prop"), SMALL)
def test_rational_numbers_agree(network: str, prop: str, tmp_path: Path) -> None:
    assert said(claim(network, prop), read(proof(network, prop), tmp_path), exact=True) == ""


def test_what_does_not_hold_has_no_proof() -> None:
    with pytest.raises(GivenUp):
        proof_of(model_file("moons"), property_file("moons", "everywhere"), Deadline(2))


def test_a_proof_is_of_one_model_and_one_property(tmp_path: Path) -> None:
    (tmp_path / "proof.npz").write_bytes(proof("moons", "upper"))
    other = tmp_path / "other.vnnlib"
    other.write_bytes(property_file("moons", "upper").read_bytes() + b"; the same but for a remark\n")
    assert check(model_file("moons"), other, tmp_path / "proof.npz")[0] == "rejected"
    assert check(model_file("digits_dense"), property_file("moons", "upper"), tmp_path / "proof.npz")[0] == "rejected"


@pytest.mark.parametrize("weight", [-1.0, 0.0])
def test_weights_are_not_negative_and_not_all_zero(weight: float, tmp_path: Path) -> None:
    good = read(proof("moons", "upper"), tmp_path)
    changed = with_array(good, "leaf_weights", np.full_like(good["leaf_weights"], weight))
    assert "weights" in said(claim("moons", "upper"), changed)


@pytest.mark.parametrize(("network", "prop"), [("moons", "bounded"), ("digits_dense", "close")])
def test_no_leaf_can_be_missing(network: str, prop: str, tmp_path: Path) -> None:
    good = read(proof(network, prop), tmp_path)
    for leaf in range(len(good["leaf_node"])):
        kept = np.delete(np.arange(len(good["leaf_node"])), leaf)
        assert said(claim(network, prop), without(good, kept)), leaf


def without(good: Proof, kept: np.ndarray) -> Proof:
    """A proof with some of its leaves."""
    arrays = dict(good.arrays)
    for name in ("leaf_weights", "leaf_pressures"):
        parts = [good.part(name, int(k)) for k in kept]
        arrays[name] = np.concatenate([*parts, np.zeros(0, np.float32)])
        arrays[f"{name}_end"] = np.cumsum([len(p) for p in parts], dtype=np.int64)
    for name in ("leaf_node", "leaf_disjunct", "leaf_choice"):
        arrays[name] = good[name][kept]
    return replace(good, arrays=arrays)


def test_a_cut_is_the_same_on_both_sides(tmp_path: Path) -> None:
    good = read(proof("moons", "bounded"), tmp_path)
    for node in np.flatnonzero(good["tree_parent"] >= 0):
        cut = good["tree_cut"].copy()
        cut[node] += -1e-9 if good["tree_above"][node] else 1e-9  # overlapping even, and still refused
        assert said(claim("moons", "bounded"), with_array(good, "tree_cut", cut)), node


@pytest.mark.parametrize("lie", ["root", "halves"])
def test_no_lie_proves_what_is_violated_by_little(lie: str) -> None:
    """The threshold is moved to a value that a point exceeds by 1e-6."""
    graph, claimed = claim("moons", "bounded")
    disjunct = claimed.disjuncts[0]
    from verifier.checker.bounds import Bounder

    bounder = Bounder(graph)
    low, high = (np.array([float(v) for v in ends]) for ends in (disjunct.lower, disjunct.upper))
    points = np.random.default_rng(0).uniform(low, high, (2000, len(low)))
    values = bounder.propagated(points, points).lower[graph.output][:, 0]
    (row,) = disjunct.rows
    sign = int(row.coefficients[0][1])
    least = Fraction(float((sign * values).min()))
    false = [replace(disjunct, rows=(replace(row, threshold=least + Fraction(1, 10**6)),))]
    draft = Draft()
    nodes = [draft.root(0)]
    if lie == "halves":
        for _ in range(4):
            nodes = [half for node in nodes for half in draft.split(node, "", 0, 0.25)]
    draft.sharpened = [True] * len(draft.sharpened)
    draft.leaves = [Leaf(node, 0, (1.0,)) for node in nodes]
    assert said((graph, replace(claimed, disjuncts=false)), draft.proof("", "")) != ""
    holds: Disjunct = replace(false[0], rows=(replace(row, threshold=least - 10**6),))
    assert said((graph, replace(claimed, disjuncts=[holds])), draft.proof("", "")) == ""
