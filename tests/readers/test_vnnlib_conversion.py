"""Properties said in the other version are the same queries."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.errors import PropertyError
from verifier.property.query import Query
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property
from verifier.readers.vnnlib.conversion import converted
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.written import decimal

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs" / "vnnlib"


def same(first: Query, second: Query) -> bool:
    if (first.input_size, first.output_size) != (second.input_size, second.output_size):
        return False
    sides = ("lower", "upper", "inner_lower", "inner_upper")
    return len(first.disjuncts) == len(second.disjuncts) and all(
        d.rows == e.rows and all(np.array_equal(getattr(d.box, s), getattr(e.box, s)) for s in sides)
        for d, e in zip(first.disjuncts, second.disjuncts, strict=True)
    )


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.vnnlib")), ids=lambda path: path.stem)
def test_properties_are_the_same_in_both_versions(path: Path, tmp_path: Path) -> None:
    source = Source.read(path)
    query = load_property(path)
    second, first = tmp_path / "two.vnnlib", tmp_path / "one.vnnlib"
    second.write_text(converted(source, "2.0"))
    assert same(query, load_property(second))
    first.write_text(converted(Source.read(second), "1.0"))
    assert same(query, load_property(first))
    assert converted(source, "1.0") == source.raw


TEXT = """(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)
(assert (and (<= 0 X_0 1e-3) (>= X_1 -2.5E1) (< X_1 (/ 7 4)) true))
(assert (or (and (<= Y_0 Y_1) (>= (* 3 (- Y_0 X_1)) (/ X_0 3))) (= Y_0 0.1) (and false (<= Y_1 0)) (<= X_0 X_0)))
(assert (or (and (>= X_0 0.0001) (<= Y_0 1.0)) (and (<= X_0 0.0002) (<= Y_1 1))))
"""


def test_all_of_version_1_can_be_said_in_version_2(tmp_path: Path) -> None:
    first, second, back = (tmp_path / name for name in ("one", "two", "back"))
    first.write_text(TEXT)
    second.write_text(converted(Source.read(first), "2.0"))
    query = load_property(first)
    assert len(load_property(second).disjuncts) == len(query.disjuncts)
    back.write_text(converted(Source.read(second), "1.0"))
    assert same(load_property(second), load_property(back))
    for one, two in zip(query.disjuncts, load_property(second).disjuncts, strict=True):
        np.testing.assert_array_equal(one.box.inner_upper, two.box.inner_upper)
        for row, other in zip(one.rows, two.rows, strict=True):  # the same up to a factor
            pairs = [*zip(row.inputs, other.inputs, strict=True), *zip(row.outputs, other.outputs, strict=True)]
            (factor,) = {b / a for (_, a), (_, b) in pairs}
            assert factor > 0
            assert other.constant == factor * row.constant


def test_tensors_have_the_models_shapes(tmp_path: Path) -> None:
    network = load_network(SPECS.parent / "onnx" / "digits_conv.onnx")
    path = tmp_path / "two.vnnlib"
    path.write_text(converted(Source.read(SPECS / "digits_conv_robust.vnnlib"), "2.0", network))
    assert f"declare-input X real [{','.join(map(str, network.inputs[0].shape))}]" in path.read_text()
    assert same(load_property(SPECS / "digits_conv_robust.vnnlib", network), load_property(path, network))
    with pytest.raises(PropertyError, match="the network"):
        converted(Source.read(SPECS / "moons_upper.vnnlib"), "2.0", network)


@pytest.mark.parametrize(
    ("networks", "assertion", "says"),
    [
        ("", "(<= (* Y[0] Y[0]) 1.0)", "products of variables"),
        (
            "(declare-network g (declare-input U real [1]) (declare-output V real [1]))",
            "(<= Y[0] V[0])",
            "several networks",
        ),
        ("", "(>= X[0] 2.0)", "inputs without bounds"),
    ],
)
def test_what_version_1_cannot_say(networks: str, assertion: str, says: str) -> None:
    head = "(vnnlib-version <2.0>)(declare-network f (declare-input X real [1]) (declare-output Y real [1]))"
    box = "" if "X[0]" in assertion else "(assert (and (>= X[0] 0.0) (<= X[0] 1.0)))"
    with pytest.raises(PropertyError, match=says):
        converted(Source.of(f"{head}{networks}{box}(assert {assertion})", "p"), "1.0")


@given(st.fractions().map(lambda f: f.limit_denominator(64)).filter(lambda f: f.denominator & (f.denominator - 1) == 0))
def test_decimals_are_exact(number: Fraction) -> None:
    assert Fraction(decimal(number)) == number
