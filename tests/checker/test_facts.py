"""Facts: they narrow what is known, are proved where they are, and count nowhere else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.checker.claims import read, said, with_array
from verifier.checker.claim import Claim, read_property
from verifier.checker.graph import Graph
from verifier.checker.model import read_model
from verifier.checker.proof import Proof
from verifier.deadline import Deadline
from verifier.proofs.write import proof_of

INPUTS = 24
"""So many that functions are cut rather than inputs."""


def model() -> bytes:
    """Three layers of relus and tanhs that need facts and cuts."""
    rng = np.random.default_rng(5)
    nodes, constants, current, width = [], [], "x", INPUTS
    for layer, (function, wider) in enumerate((("Relu", 10), ("Relu", 8), ("Tanh", 6))):
        for name, array in (("w", rng.normal(size=(width, wider)) / np.sqrt(width)), ("b", rng.normal(size=wider) / 3)):
            constants.append(numpy_helper.from_array(array.astype(np.float32), f"{name}{layer}"))
        nodes.append(helper.make_node("MatMul", [current, f"w{layer}"], [f"m{layer}"]))
        nodes.append(helper.make_node("Add", [f"m{layer}", f"b{layer}"], [f"a{layer}"]))
        nodes.append(helper.make_node(function, [f"a{layer}"], [f"f{layer}"]))
        width, current = wider, f"f{layer}"
    constants.append(numpy_helper.from_array(rng.normal(size=(width, 1)).astype(np.float32), "out"))
    nodes.append(helper.make_node("MatMul", [current, "out"], ["y"]))
    ends = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", INPUTS), ("y", 1)))
    graph = helper.make_graph(nodes, "g", *([end] for end in ends), constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def written(folder: Path, threshold: float) -> tuple[Path, Path]:
    lines = [f"(declare-const X_{k} Real)(assert (>= X_{k} -1))(assert (<= X_{k} 1))" for k in range(INPUTS)]
    (folder / "n.onnx").write_bytes(model())
    (folder / "p.vnnlib").write_text(
        "\n".join([*lines, "(declare-const Y_0 Real)", f"(assert (<= Y_0 {threshold}))"]) + "\n"
    )
    return folder / "n.onnx", folder / "p.vnnlib"


@cache
def proved(folder: Path) -> tuple[tuple[Graph, Claim], Proof]:
    """A claim that holds by little, and its proof."""
    files = written(folder, -2.1)
    return (read_model(files[0]), read_property(files[1])), read(proof_of(*files, Deadline(60)), folder)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Graph, Claim], Proof]:
    return proved(tmp_path_factory.mktemp("facts"))


def without(good: Proof, gone: np.ndarray) -> Proof:
    """A proof without some facts."""
    kept = ~gone
    arrays = {n: a[kept] for n, a in good.arrays.items() if n.startswith("fact_") and len(a) == len(gone)}
    parts = [good.part("fact_pressures", n) for n in np.flatnonzero(kept)]
    arrays["fact_pressures"] = np.concatenate([*parts, np.zeros(0, np.float32)])
    arrays["fact_pressures_end"] = np.cumsum([len(p) for p in parts], dtype=np.int64)
    return replace(good, arrays={**good.arrays, **arrays})


def test_facts_are_needed_and_enough(case: tuple[tuple[Graph, Claim], Proof]) -> None:
    claim, good = case
    assert len(good["fact_node"]) > 10
    assert said(claim, good) == ""
    assert said(claim, without(good, np.ones(len(good["fact_node"]), bool))) != ""


def test_rational_numbers_agree_on_facts(case: tuple[tuple[Graph, Claim], Proof]) -> None:
    claim, good = case
    assert said(claim, good, exact=True) == ""


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("fact_quantity", 99, "quantity that there is not"),
        ("fact_entry", 10**6, "entry 1000000, which there is not"),
        ("fact_node", 10**6, "which is not sharpened"),
        ("fact_node", -1, "which is not sharpened"),
        ("fact_choice", 10**6, "a choice that there is not"),
    ],
)
def test_facts_about_nothing(name: str, value: int, told: str, case: tuple[tuple[Graph, Claim], Proof]) -> None:
    claim, good = case
    array = good[name].copy()
    array[0] = value
    assert told in said(claim, with_array(good, name, array))


def test_a_fact_at_a_node_that_is_not_sharpened(case: tuple[tuple[Graph, Claim], Proof]) -> None:
    claim, good = case
    flat = np.zeros_like(good["tree_sharpened"])
    assert "which is not sharpened" in said(claim, with_array(good, "tree_sharpened", flat))


def test_no_fact_can_say_more_than_what_is_proved(case: tuple[tuple[Graph, Claim], Proof]) -> None:
    """Whatever slopes facts have, no claim passes that a point violates."""
    (graph, claim), good = case
    rng = np.random.default_rng(0)
    low, high = (np.array([float(v) for v in ends]) for ends in (claim.disjuncts[0].lower, claim.disjuncts[0].upper))
    from verifier.checker.bounds import Bounder

    points = rng.choice([low, high], 2000)
    least = Bounder(graph).propagated(points, points).lower[graph.output].min()
    (row,) = claim.disjuncts[0].rows
    from fractions import Fraction

    false = replace(claim, disjuncts=[replace(claim.disjuncts[0], rows=(replace(row, threshold=Fraction(least) + 1),))])
    for scale in (0.0, 1.0, -1.0, 50.0):
        slopes = (good["choice_slopes"] * scale + rng.normal(size=good["choice_slopes"].shape)).astype(np.float32)
        assert said((graph, false), with_array(good, "choice_slopes", slopes)) != ""
