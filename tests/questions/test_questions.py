"""Questions in Python make the queries that VNN-LIB files make, and queries are written as VNN-LIB that reads back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import verifier
from verifier.network.graph import Input, Network
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.property.robustness import Neighbourhood, robustness_query
from verifier.questions import Form, X, Y, ball, box, class_among, class_may_be, class_stays, stays_within
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.version1 import read_version1

ROOT = Path(__file__).resolve().parents[2]
NETWORK = Network((Input(3),))


def _read(text: str) -> Query:
    return read_version1(Source.of(text, "text"))


def _same(first: Query, second: Query) -> bool:
    if len(first.disjuncts) != len(second.disjuncts):
        return False
    pairs = zip(first.disjuncts, second.disjuncts, strict=True)
    return all(a.rows == b.rows and _same_box(a.box, b.box) for a, b in pairs)


def _same_box(a: Box, b: Box) -> bool:
    names = "lower", "upper", "inner_lower", "inner_upper"
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_products_are_written_so_that_nothing_else_is_read() -> None:
    row = LinearConstraint(((0, Fraction(1)),), (), Fraction(1), products=(((0, -1), Fraction(2)),))
    text = str(Query((Disjunct(Box.exact(np.zeros(3), np.ones(3)), (row,)),), 3, 3))
    with pytest.raises(verifier.VerifierError):
        _read(text)


def test_a_question_is_the_query_of_its_file(tmp_path: Path) -> None:
    asked = verifier.never(
        NETWORK, box([-1, 0, 0.5], 2) & (X[0] + X[1] <= "0.1"), (2 * Y[0] - Y[1] / 3 >= 1) | ((Y[2] < 0) & (Y[0] == 1))
    )
    (tmp_path / "p.vnnlib").write_text(
        "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const X_2 Real)"
        "(declare-const Y_0 Real)(declare-const Y_1 Real)(declare-const Y_2 Real)"
        "(assert (>= X_0 -1))(assert (<= X_0 2))(assert (>= X_1 0))(assert (<= X_1 2))(assert (>= X_2 0.5))"
        "(assert (<= X_2 2))(assert (<= (+ X_0 X_1) 0.1))"
        "(assert (or (>= (- (* 2 Y_0) (/ Y_1 3)) 1) (and (< Y_2 0) (<= Y_0 1) (>= Y_0 1))))"
    )
    assert _same(asked, verifier.load_property(tmp_path / "p.vnnlib", NETWORK))
    assert _same(asked, _read(str(asked)))
    assert repr(asked) == "<Query question: 2 disjuncts over 1 box, 3 inputs, 3 outputs>"


def test_robustness_is_the_class_that_stays() -> None:
    sample = np.array([0.1, 0.2, 0.3])
    for label in range(3):
        expected = robustness_query((3, 3), Neighbourhood(sample, 0.1, np.inf, (0, 1)), label)
        assert _same(verifier.always(NETWORK, ball(sample, 0.1, clip=(0, 1)), class_stays(label)), expected)
        assert _same(_read(str(expected)), expected)
    round_ = verifier.always(NETWORK, ball(sample, 0.1, norm=2) & (X[0] <= 0.1), class_stays(0))
    assert round_.disjuncts[0].box.ball is not None
    with pytest.raises(verifier.VerifierError):  # VNN-LIB has no balls: the text is no other property
        _read(str(round_))


POINTS = st.lists(st.integers(-3, 3), min_size=3, max_size=3)


def _row(a: int, b: int, c: int, d: int, strict: bool):
    form = a * X[0] + b * Y[1] - c * Y[2]
    return form < d if strict else form <= d


NUMBERS = st.integers(-2, 2)
ROWS = st.builds(_row, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans())
OTHERS = st.sampled_from(
    [class_stays(0), class_among([0, 2]), class_may_be(1), stays_within(Y[0], -1, 1), Y[0] != 1, box([-1, -1, -1], 1)]
)
CONDITIONS = st.recursive(
    ROWS | OTHERS,
    lambda c: st.builds(lambda a, b: a & b, c, c) | st.builds(lambda a, b: a | b, c, c) | st.builds(lambda a: ~a, c),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(CONDITIONS, st.lists(st.tuples(POINTS, POINTS), min_size=1, max_size=8))
def test_conditions_hold_where_their_queries_do(condition, points) -> None:
    asked = verifier.never(NETWORK, box(-3, 3), condition)
    opposite = verifier.always(NETWORK, box(-3, 3), condition)
    again = _read(str(asked))
    for x, y in points:
        at = np.array(x, np.float32), np.array(y, np.float64)
        assert asked.violated(*at) != opposite.violated(*at)
        assert again.violated(*at) == asked.violated(*at)


@pytest.mark.parametrize(
    ("condition", "points"),
    [
        (class_stays(1), {(0, 1, 0): True, (1, 1, 0): False, (2, 1, 0): False}),
        (class_among([0, 2]), {(1, 0, 1): True, (1, 1, 0): False, (0, 0, 1): True}),
        (class_may_be(2), {(1, 0, 1): True, (0, 1, 0): False}),
        (stays_within(Y[0] - Y[1], low=0), {(1, 1, 0): True, (0, 1, 0): False}),
    ],
)
def test_classes(condition, points) -> None:
    query = verifier.never(NETWORK, box(0, 1), condition)
    for y, holds in points.items():
        assert query.violated(np.zeros(3, np.float32), np.array(y, np.float64)) is holds


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e30, 1e30), min_size=3, max_size=3), st.floats(0, 1e10), st.booleans(), st.booleans())
def test_boxes_of_any_floats_read_back(values, width, short, strict) -> None:
    kind = np.float32 if short else np.float64
    lower = np.array(values, kind).astype(np.float64)
    more = X[0] < lower[0] + 2 * width + 1 if strict else X[1] > lower[1] - 1
    asked = verifier.never(NETWORK, box(lower, lower + width) & more, Y[0] > 1)
    assert _same(_read(str(asked)), asked)


def test_strict_ends_and_written_decimals_read_back() -> None:
    text = "".join(f"(declare-const {n} Real)" for n in ("X_0", "X_1", "X_2", "Y_0", "Y_1", "Y_2"))
    text += "(assert (> X_0 0.0))(assert (< X_0 0.1))(assert (>= X_1 0.1))(assert (<= X_1 0.3))(assert (>= X_2 1e-3))"
    query = _read(text + "(assert (<= X_2 0.7))(assert (<= Y_0 0.1))")
    assert _same(_read(str(query)), query)


def test_forms_are_read_and_shown() -> None:
    form = Form.parse("Y_0 - 2*Y_3 + 0.5 Y_1 - 1/3 - X_2")
    assert str(form) == "-X_2 + Y_0 + 0.5*Y_1 - 2*Y_3 - 1/3"
    assert str(Form.parse(str(form)) - form) == "0"
    for wrong in ("", "Y", "Y_0 Y_1", "2 *", "Y_0 * Y_1", "Y_0 -", "Z_1", "Y_0 + + Y_1"):
        with pytest.raises(verifier.VerifierError, match=r"form|number"):
            Form.parse(wrong)


def test_what_is_no_question_is_told() -> None:
    wrong = [
        (lambda: verifier.never(NETWORK, box(0, 1), Y[3] > 0), "no output Y_3.*Y_0 to Y_2"),
        (lambda: verifier.never(NETWORK, X[0] > 0, Y[0] > 0), "no .* bound"),
        (lambda: verifier.never(NETWORK, box([0, 0], 1), Y[0] > 0), "2 entries"),
        (lambda: verifier.never(NETWORK, box(0, [1, 1, -1]), Y[0] > 0), "empty"),
        (lambda: verifier.always(NETWORK, box(0, 1), class_stays(3)), "no class 3"),
        (lambda: verifier.always(NETWORK, box(0, 1), 3), "3 .int. is no Condition"),
        (lambda: verifier.always(NETWORK, "box", Y[0] > 0), "is no Condition"),
        (lambda: verifier.never(NETWORK, box(0, 1), ball([0, 0, 0], 1, norm=2) & (Y[0] > 0)), "ball of norm"),
        (lambda: verifier.never(NETWORK, ball([0, 0, 0], 1, 2) | box(0, 1), Y[0] > 0), "ball of norm"),
        (lambda: Y[0] * Y[1], "linear"),
        (lambda: Y[-1], "from 0 on"),
        (lambda: Y[0] > "a", "is no number"),
    ]
    for call, told in wrong:
        with pytest.raises(verifier.VerifierError, match=told):
            call()
    for untrue in (lambda: 0 < Y[0] < 1, lambda: bool(Y[0])):
        with pytest.raises(TypeError, match="no truth value"):
            untrue()


def test_a_batch_is_verified_sample_by_sample() -> None:
    x = np.array([[0.0, 1.0], [0.2, 0.7]])
    verdicts = verifier.robust(ROOT / "vnnlib_specs/onnx/moons.onnx", x, 0.1)
    assert [v.proved for v in verdicts] == [True, False]
    verdicts = verifier.robust(ROOT / "vnnlib_specs/onnx/moons.onnx", x, 1e-4, labels=[1, 0], norm=2)
    assert [v.refuted for v in verdicts] == [True, False]
    with pytest.raises(verifier.VerifierError, match="labels"):
        verifier.robust(ROOT / "vnnlib_specs/onnx/moons.onnx", x, 0.1, labels=[0])
