"""VNN-LIB 2.0 through the official parser."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from verifier.errors import PropertyError
from verifier.network.graph import Affine, Input, Network, Port
from verifier.network.linear_maps import Dense
from verifier.property.query import LinearConstraint, Query
from verifier.readers.vnnlib import load_property

TENSORS = "(declare-input X real [2,3]) (declare-output Y real [2])"
BOX = "".join(f"(assert (and (>= X[{i},{j}] -1.0) (<= X[{i},{j}] {i}.{j}5)))\n" for i in range(2) for j in range(3))


def load(tmp_path: Path, assertions: str, tensors: str = TENSORS, network: Network | None = None) -> Query:
    path = tmp_path / "p.vnnlib"
    path.write_text(f"; version 2, naïvely\n(vnnlib-version <2.0>)\n(declare-network f {tensors})\n{assertions}")
    return load_property(path, network)


def fault(tmp_path: Path, assertions: str, tensors: str = TENSORS, network: Network | None = None) -> str:
    with pytest.raises(PropertyError) as raised:
        load(tmp_path, assertions, tensors, network)
    message = str(raised.value)
    assert "\n" not in message
    return message


def network(inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> Network:
    size, out = sum(p.size for p in inputs), sum(p.size for p in outputs)
    nodes = (Input(size), Affine((0,), (Dense(np.ones((out, size))),), np.zeros(out)))
    return Network(nodes, inputs, outputs)


def test_elements_are_laid_out_row_by_row(tmp_path: Path) -> None:
    query = load(tmp_path, BOX + "(assert (or (>= Y[0] Y[1]) (< Y[1] (+ X[1,0] (* 2.0 Y[0]) -0.1))))")
    assert (query.input_size, query.output_size) == (6, 2)
    first, second = query.disjuncts
    assert first.box is second.box
    uppers = ["0.05", "0.15", "0.25", "1.05", "1.15", "1.25"]
    for value, text in zip(first.box.upper, uppers, strict=True):
        assert 0 <= Fraction(float(value)) - Fraction(text) < Fraction(1, 10**15)
    assert first.box.lower.tolist() == [-1] * 6
    one = Fraction(1)
    assert first.rows == (LinearConstraint((), ((0, -one), (1, one)), Fraction(0)),)
    expected = LinearConstraint(((3, -one),), ((0, Fraction(-2)), (1, one)), Fraction(-1, 10), strict=True)
    assert second.rows == (expected,)


@pytest.mark.parametrize(
    ("assertion", "rows"),
    [
        ("(== Y[0] 0.5)", [[("1", "0.5", False), ("-1", "-0.5", False)]]),
        ("(!= Y[0] 0.5)", [[("1", "0.5", True)], [("-1", "-0.5", True)]]),
        ("(> (- Y[0]) (- 1.0 0.25 0.25))", [[("1", "-0.5", True)]]),
        ("(<= (* 2.0 (- Y[0] 1.0) 2.0) 0.0)", [[("4", "4", False)]]),
        ("(and (<= Y[0] 0.1) (or (<= Y[0] 0.2) (<= Y[0] 0.3)))", [[("1", "0.1", False), ("1", "0.2", False)]] * 0),
    ],
)
def test_operators(tmp_path: Path, assertion: str, rows: list[list[tuple[str, str, bool]]]) -> None:
    query = load(tmp_path, BOX + f"(assert {assertion})")
    found = [[(r.outputs[0][1], r.constant, r.strict) for r in d.rows] for d in query.disjuncts]
    if rows:
        assert found == [[(Fraction(c), Fraction(t), s) for c, t, s in of] for of in rows]
    else:
        assert [[t for _, t, _ in of] for of in found] == [
            [Fraction(1, 10), Fraction(1, 5)],
            [Fraction(1, 10), Fraction(3, 10)],
        ]


def test_capital_real_is_real(tmp_path: Path) -> None:
    assert len(load(tmp_path, BOX + "(assert (<= 0.5 Y[0]))", TENSORS.replace("real", "Real")).disjuncts) == 1


def test_several_tensors_follow_the_ports(tmp_path: Path) -> None:
    tensors = "(declare-input A real [1,2]) (declare-input B float32 [1]) (declare-output Y float32 [1,1])"
    box = "(assert (and (>= A[0,0] 0.0) (<= A[0,0] 1.0) (>= A[0,1] 0.0) (<= A[0,1] 2.0)))"
    box += "(assert (and (>= B[0] 0.0) (<= B[0] 3.0)))(assert (<= Y[0,0] 0.0))"
    net = network((Port("a", (2,)), Port("b", (1, 1))), (Port("y", (1,)),))
    assert load(tmp_path, box, tensors, net).disjuncts[0].box.upper.tolist() == [1, 2, 3]
    assert load(tmp_path, box, tensors).disjuncts[0].box.upper.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("inputs", "outputs", "says"),
    [
        ((Port("a", (6,)), Port("b", (1,))), (Port("y", (2,)),), "declares 1 input tensors, the network has 2"),
        ((Port("a", (5,)),), (Port("y", (2,)),), "input X has 6 elements, the network's a has 5"),
        ((Port("a", (6,)),), (Port("y", (3,)),), "output Y has 2 elements, the network's y has 3"),
    ],
)
def test_tensors_must_be_the_networks(
    tmp_path: Path, inputs: tuple[Port, ...], outputs: tuple[Port, ...], says: str
) -> None:
    assert says in fault(tmp_path, BOX, TENSORS, network(inputs, outputs))


def test_element_types_must_be_the_networks(tmp_path: Path) -> None:
    net = network((Port("a", (2, 3), "float64"),), (Port("y", (2,)),))
    tensors = TENSORS.replace("real", "float32")
    assert "input X is float32, the network's a is float64" in fault(tmp_path, BOX, tensors, net)
    assert len(load(tmp_path, BOX, TENSORS, net).disjuncts) == 1


@pytest.mark.parametrize(
    ("assertions", "tensors", "says"),
    [
        ("(assert (<= Y[7] 0.0))", TENSORS, "line 4: Index out of bounds for variable: Y[7]"),
        ("(assert (<= Z[0] 0.0))", TENSORS, "line 4: Undeclared variable: Z"),
        ("(assert (<= Y[0] 1e-3))", TENSORS, "line 4: Parse error"),
        ("(assert (<= Y[0] 0.0)", TENSORS, "line 4: Parse error"),
        (
            "(assert (<= Y[0] 0.0))",
            "(declare-input X complex64 [2]) (declare-output Y real [1])",
            "has element type C64",
        ),
        (
            "(declare-network g (isomorphic-to f) (declare-input U real [7]) (declare-output V real [2]))"
            "(assert (<= Y[0] 0.0))",
            TENSORS,
            "g is declared isomorphic to f, which has other inputs",
        ),
        (
            "(declare-network g (isomorphic-to h) (declare-input U real [7]) (declare-output V real [2]))"
            "(assert (<= Y[0] 0.0))",
            TENSORS,
            "g is declared isomorphic to h, which is not declared before it",
        ),
        ("(assert " + "(and " * 200_000 + "(<= Y[0] 0.0)" + ")" * 200_001, TENSORS, "nested deeper than 500 levels"),
        ("(assert (or (<= Y[0] 0.0) (>= Y[0] 1.0)))" * 40, TENSORS, "disjuncts in normal form"),
    ],
)
def test_faults(tmp_path: Path, assertions: str, tensors: str, says: str) -> None:
    assert says in fault(tmp_path, assertions, tensors)


def test_other_versions(tmp_path: Path) -> None:
    path = tmp_path / "p.vnnlib"
    path.write_text(f"(vnnlib-version <3.0>)\n(declare-network f {TENSORS})\n{BOX}")
    with pytest.raises(PropertyError, match=r"line 1: Incompatible VNNLib version: <3\.0>"):
        load_property(path)
    path.write_text(f"(declare-network f {TENSORS})\n{BOX}")
    with pytest.raises(PropertyError, match="line 1: Parse error"):
        load_property(path)


def test_networks_and_hidden_tensors_need_their_models(tmp_path: Path) -> None:
    other = "(declare-network g (declare-input U real [1]) (declare-output V real [1]))"
    net = network((Port("a", (2, 3)),), (Port("y", (2,)),))
    assert "declares 2 networks (f, g)" in fault(tmp_path, other + BOX, TENSORS, net)
    hidden = TENSORS.replace("(declare-output", '(declare-hidden H real [3] "h") (declare-output')
    assert "hidden tensor H is not among what was read" in fault(tmp_path, BOX, hidden, net)
    assert len(load(tmp_path, other + BOX + "(assert (<= V[0] U[0]))").disjuncts) == 1


def test_a_missing_bound_is_what_the_type_says(tmp_path: Path) -> None:
    tensors = (
        "(declare-input X real [1]) (declare-input B int8 [1]) (declare-input C bool [1]) (declare-output Y real [1])"
    )
    box = load(tmp_path, "(assert (>= X[0] 1.0))(assert (<= B[0] 3))(assert (<= Y[0] 0.0))", tensors).disjuncts[0].box
    assert box.lower.tolist() == [1, -128, 0]
    assert box.upper.tolist() == [np.inf, 3, 1]
    assert np.isfinite(box.inner_upper).all()


def test_products_are_kept_exactly(tmp_path: Path) -> None:
    (disjunct,) = load(tmp_path, BOX + "(assert (<= (* (+ X[0,0] Y[1] 1.0) 0.1 (- Y[1])) 2.0))").disjuncts
    tenth = Fraction(1, 10)
    assert disjunct.rows == (
        LinearConstraint((), ((1, -tenth),), Fraction(2), products=(((-2, -2), -tenth), ((-2, 0), -tenth))),
    )
    assert load(tmp_path, BOX + "(assert (<= (- (* Y[0] Y[1]) (* Y[1] Y[0])) 2.0))").disjuncts[0].rows == ()
