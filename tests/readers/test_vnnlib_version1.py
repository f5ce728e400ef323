"""VNN-LIB 1.0: small formulas and the disjuncts they must become."""

from __future__ import annotations

import gzip
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from verifier.errors import PropertyError
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.query import LinearConstraint, Query
from verifier.readers.vnnlib import load_property
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.version1 import read_version1

UNIT_BOX = "(assert (>= X_0 0)) (assert (<= X_0 1)) (assert (>= X_1 0)) (assert (<= X_1 1))"


def read(assertions: str, inputs: int = 2, outputs: int = 2) -> Query:
    names = [f"X_{i}" for i in range(inputs)] + [f"Y_{j}" for j in range(outputs)]
    declarations = "".join(f"(declare-const {name} Real)\n" for name in names)
    return read_version1(Source.of(declarations + assertions, "test.vnnlib"))


def row(
    inputs: dict[int, object], outputs: dict[int, object], constant: object, strict: bool = False
) -> LinearConstraint:
    def terms(coefficients: dict[int, object]) -> tuple[tuple[int, Fraction], ...]:
        return tuple((i, Fraction(c)) for i, c in coefficients.items())  # type: ignore[arg-type]

    return LinearConstraint(terms(inputs), terms(outputs), Fraction(constant), strict)  # type: ignore[arg-type]


def test_disjunction_over_outputs_shares_one_box() -> None:
    query = read(UNIT_BOX + "(assert (or (and (>= Y_0 Y_1)) (and (<= Y_0 0.1) (> Y_1 2e-1))))")
    first, second = query.disjuncts
    assert first.box is second.box
    assert first.box.lower.tolist() == [0, 0]
    assert first.box.upper.tolist() == [1, 1]
    assert first.rows == (row({}, {0: -1, 1: 1}, 0),)
    assert second.rows == (row({}, {0: 1}, "1/10"), row({}, {1: -1}, "-1/5", strict=True))
    assert (query.input_size, query.output_size, query.note, query.name) == (2, 2, "", "test.vnnlib")


def test_boxes_within_disjuncts_meet_the_outer_box() -> None:
    query = read(UNIT_BOX + "(assert (or (and (<= X_0 0.5) (<= Y_0 0)) (and (>= X_0 0.25) (<= X_0 7) (<= Y_0 0))))")
    assert [d.box.lower.tolist() for d in query.disjuncts] == [[0, 0], [0.25, 0]]
    assert [d.box.upper.tolist() for d in query.disjuncts] == [[0.5, 1], [1, 1]]


def test_equal_boxes_of_different_disjuncts_are_one_object() -> None:
    branch = "(and (>= X_0 0) (<= X_0 0.50) (>= X_1 0) (<= X_1 1) {})"
    query = read(f"(assert (or {branch.format('(<= Y_0 1)')} {branch.format('(>= Y_0 2)')}))")
    assert query.disjuncts[0].box is query.disjuncts[1].box


def test_atoms_after_a_disjunction_hold_in_all_of_it() -> None:
    """Also where they go through the token parser, inside and outside a connective."""
    inside = "(assert (and (<= (+ Y_0) 1) (or (<= (+ Y_0) 2) (<= (+ Y_0) 3)) (<= (+ Y_0) 4)))"
    outside = "(assert (<= (+ Y_0) 1))(assert (or (<= (+ Y_0) 2) (<= (+ Y_0) 3)))(assert (<= (+ Y_0) 4))"
    for assertions in (inside, outside):
        query = read(UNIT_BOX + assertions)
        assert [{r.constant for r in d.rows} for d in query.disjuncts] == [{1, 4, 2}, {1, 4, 3}]


def test_product_of_disjunctions() -> None:
    query = read(UNIT_BOX + "(assert (or (<= Y_0 1) (<= Y_0 2)))(assert (or (>= Y_1 3) (>= Y_1 4)))")
    constants = [[r.constant for r in d.rows] for d in query.disjuncts]
    assert constants == [[1, -3], [1, -4], [2, -3], [2, -4]]


@pytest.mark.parametrize(
    ("atom", "lower", "upper"),
    [
        ("(<= (* 2 X_0) 1)", 0, 0.5),
        ("(>= (* X_0 -2) -1)", 0, 0.5),
        ("(<= 0.5 X_0)", 0.5, 1),
        ("(<= (+ X_0 X_0 1) 1.5)", 0, 0.25),
        ("(= X_0 0.5)", 0.5, 0.5),
        ("(<= (- X_0) -0.5)", 0.5, 1),
        ("(<= (- (+ X_0 X_1) X_1) (/ 1 4))", 0, 0.25),
        ("(<= 0.25 X_0 0.75)", 0.25, 0.75),
        ("(<= (* 2 (- X_0 0.25)) (- 1 0.5 0.25))", 0, 0.375),
        ("(and (and (and (>= X_0 0.25))))", 0.25, 1),
        ("(<= X_0 +.5)", 0, 0.5),
        ("(<= X_0 5E-1)", 0, 0.5),
    ],
)
def test_every_way_to_bound_an_input(atom: str, lower: float, upper: float) -> None:
    (disjunct,) = read(UNIT_BOX + f"(assert {atom})(assert (<= Y_0 0))").disjuncts
    assert (disjunct.box.lower[0], disjunct.box.upper[0]) == (lower, upper)
    assert len(disjunct.rows) == 1


@pytest.mark.parametrize(
    ("atom", "expected"),
    [
        ("(<= (+ Y_0 (* 2 Y_1)) X_0)", [row({0: -1}, {0: 1, 1: 2}, 0)]),
        ("(< X_0 X_1)", [row({0: 1, 1: -1}, {}, 0, strict=True)]),
        ("(>= X_0 Y_0)", [row({0: -1}, {0: 1}, 0)]),
        ("(= Y_0 0.5)", [row({}, {0: 1}, "1/2"), row({}, {0: -1}, "-1/2")]),
        ("(<= (/ Y_0 3) 1)", [row({}, {0: "1/3"}, 1)]),
        ("(<= (- 1 Y_0 Y_1) (* 2 3 X_1))", [row({1: -6}, {0: -1, 1: -1}, -1)]),
        ("(<= (- Y_0 Y_0) 0)", []),
        ("(<= Y_0 Y_0)", []),
        ("(<= 1 2)", []),
        ("true", []),
    ],
)
def test_rows(atom: str, expected: list[LinearConstraint]) -> None:
    (disjunct,) = read(UNIT_BOX + f"(assert {atom})").disjuncts
    assert list(disjunct.rows) == expected


@pytest.mark.parametrize("false", ["(< Y_0 Y_0)", "(<= 2 1)", "false", "(or (< 1 1) false)", "(< (- Y_0 Y_0) 0)"])
def test_a_false_assertion_leaves_no_disjuncts(false: str) -> None:
    query = read(UNIT_BOX + f"(assert {false})")
    assert query.disjuncts == ()
    assert "vacuously unsat" in query.note


def test_false_branches_vanish_and_true_ones_stand() -> None:
    query = read(UNIT_BOX + "(assert (or (and (<= Y_0 1) (< Y_1 Y_1)) (and (<= Y_0 2) (<= Y_1 Y_1)) (< Y_1 Y_1)))")
    assert [[r.constant for r in d.rows] for d in query.disjuncts] == [[2]]


@pytest.mark.parametrize(
    "bounds",
    [
        "(>= X_0 0.2) (<= X_0 0.1)",
        "(> X_0 0.5) (<= X_0 0.5)",
        "(> X_0 0.1) (<= X_0 0.10)",
        "(>= X_0 0.1000000000000000000001) (<= X_0 0.1)",  # the same float64
        "(>= X_0 (/ 1 3)) (< (* 3 X_0) 1)",
        "(>= X_0 0.10) (<= X_0 0.1) (< X_0 1e-1)",
    ],
)
def test_provably_empty_boxes_are_dropped(bounds: str) -> None:
    query = read(f"(assert (and {bounds} (>= X_1 0) (<= X_1 1) (<= Y_0 0)))")
    assert query.disjuncts == ()
    assert re.fullmatch(r"the input set is empty \(.+\): vacuously unsat", query.note)


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ("(>= X_0 0.2) (<= X_0 0.1)", "the lower bound of X_0, 0.2, is above its upper bound, 0.1"),
        ("(> X_0 0.5) (<= X_0 0.5)", ""),  # strict bounds that meet are the edge of a partition, not a mistake
    ],
)
def test_bounds_that_cross_have_to_be_allowed(bounds: str, told: str) -> None:
    query = read(f"(assert (and {bounds} (>= X_1 0) (<= X_1 1) (<= Y_0 0)))")
    assert query.empty == told
    assert query.not_empty(allow_empty=True) is query
    if told:
        with pytest.raises(PropertyError, match="allow_empty"):
            query.not_empty()
    other = read(f"(assert (or (and {bounds}) (and (>= X_0 0) (<= X_0 1))))(assert (and (>= X_1 0) (<= X_1 1)))")
    assert (len(other.disjuncts), other.empty) == (1, "")
    kept = read(f"(assert (and (>= X_1 0) (<= X_1 1)))(assert (or (and {bounds}) (and (>= X_0 0) (<= X_0 3))))")
    assert [d.box.upper.tolist() for d in kept.disjuncts] == [[3, 1]]


@pytest.mark.parametrize(
    "bounds",
    ["(>= X_0 0.1) (<= X_0 0.1)", "(>= X_0 0.1) (<= X_0 0.10)", "(>= X_0 0) (<= X_0 -0.0)", "(= (* 3 X_0) 1)"],
)
def test_boxes_of_one_point_are_kept(bounds: str) -> None:
    (disjunct,) = read(f"(assert (and {bounds} (>= X_1 0) (<= X_1 1)))").disjuncts
    assert disjunct.box.lower[0] <= disjunct.box.upper[0]
    assert disjunct.box.upper[0] - disjunct.box.lower[0] <= 1e-15


def test_no_constraint_on_outputs_is_noted() -> None:
    query = read(UNIT_BOX)
    assert query.disjuncts[0].rows == ()
    assert "every input there is a violation" in query.note


def test_layout_comments_and_order_do_not_matter() -> None:
    text = (
        "; a comment with ( parentheses ) and ümläuts\n(assert(<=X_0 1))".replace("<=X_0", "<= X_0")
        + "\n(declare-const Y_0 Real);;\r\n( declare-const\tX_0\nReal )\n"
        "(assert ( or ; first\n ( and ( >= Y_0\n0 ) ) ; second )\n (<= Y_0 (- 1)) ))\n(assert (>= X_0 0))"
    )
    query = read_version1(Source.of(text, "p"))
    assert len(query.disjuncts) == 2
    assert query.disjuncts[0].box.upper.tolist() == [1]


def test_nesting_of_any_depth() -> None:
    depth = 20_000
    nested = "(and (or " * depth + "(<= Y_0 1) " + "))" * depth
    assert len(read(UNIT_BOX + f"(assert {nested})").disjuncts) == 1
    deep_sum = "(+ 1 " * depth + "Y_0" + ")" * depth
    (disjunct,) = read(UNIT_BOX + f"(assert (<= {deep_sum} 0))").disjuncts
    assert disjunct.rows == (row({}, {0: 1}, -depth),)


def test_many_conjunctions_in_one_file() -> None:
    """More than one run, and more than one part of boxes."""
    boxes = 2_500
    branches = " ".join(f"(and (>= X_0 {k}) (<= X_0 {k}.5) (<= Y_0 {k}))" for k in range(boxes))
    query = read(f"(assert (or {branches}))", inputs=1, outputs=1)
    assert [d.box.lower[0] for d in query.disjuncts] == list(range(boxes))
    assert [d.box.upper[0] for d in query.disjuncts] == [k + 0.5 for k in range(boxes)]
    assert [d.rows[0].constant for d in query.disjuncts] == list(range(boxes))


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    text = "(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= 0 X_0 1))(assert (<= Y_0 0))"
    for name, content in (
        ("a.vnnlib", text.encode()),
        ("b.vnnlib.gz", gzip.compress(text.encode())),
        ("c.vnnlib", gzip.compress(text.encode())),
        ("d.vnnlib", b"\xef\xbb\xbf" + text.encode()),
    ):
        (tmp_path / name).write_bytes(content)
        assert len(load_property(tmp_path / name).disjuncts) == 1


def test_sizes_must_be_those_of_the_network(tmp_path: Path) -> None:
    path = tmp_path / "p.vnnlib"
    path.write_text("(declare-const X_0 Real)(declare-const Y_0 Real)(assert (<= 0 X_0 1))(assert (<= Y_0 0))")

    def network(inputs: int, outputs: int) -> Network:
        weights = np.ones((outputs, inputs))
        return Network((Input(inputs), Affine((0,), (Dense(weights),), np.zeros(outputs))))

    assert len(load_property(path, network(1, 1)).disjuncts) == 1
    with pytest.raises(PropertyError, match="declares 1 inputs, the network network has 3"):
        load_property(path, network(3, 1))
    with pytest.raises(PropertyError, match="declares 1 outputs, the network network has 2"):
        load_property(path, network(1, 2))


@pytest.mark.parametrize("number", ["1e300", "-1e300", "1.0e300"])
def test_the_largest_number_is_not_larger_than_itself(number: str) -> None:
    query = read(UNIT_BOX + f"(assert (<= Y_0 {number}))")
    assert query.disjuncts[0].rows == (row({}, {0: 1}, Fraction(number)),)
