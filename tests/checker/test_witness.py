"""Witnesses: accepted where they show a violation, and rejected when anything in them or around them is changed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.checker.claims import model_file, property_file
from verifier import load_network, load_property, verify
from verifier.checker.main import check, claimed
from verifier.checker.witness import Assertions, is_witness
from verifier.proving.witness import contents_of
from verifier.verdict import Status, Verdict, Witness

FAILS = [("moons", "everywhere"), ("digits_dense", "wide"), ("digits_conv", "wide")]


@cache
def witness(network: str, prop: str) -> bytes:
    """The contents of a witness's file."""
    files = model_file(network), property_file(network, prop)
    read = load_network(files[0])
    verdict = verify(read, load_property(files[1], read))
    return contents_of(*files, verdict)


def said(contents: bytes, folder: Path, network: Path, prop: Path, exact: bool = False) -> tuple[str, str]:
    (folder / "witness.npz").write_bytes(contents)
    return check(network, prop, folder / "witness.npz", exact)


def changed(contents: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The file with its header (a dict under "header") and arrays changed."""
    with np.load(io.BytesIO(contents)) as archive:
        parts: dict[str, Any] = {name: archive[name] for name in archive.files}
    parts["header"] = json.loads(parts["header"].tobytes())
    change(parts)
    parts["header"] = np.frombuffer(json.dumps(parts["header"]).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **parts)
    return buffer.getvalue()


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(("network", "prop"), FAILS)
def test_a_witness_is_accepted(network: str, prop: str, exact: bool, tmp_path: Path) -> None:
    files = model_file(network), property_file(network, prop)
    assert said(witness(network, prop), tmp_path, *files, exact) == ("accepted", "")
    assert claimed(tmp_path / "witness.npz") == "sat"


def test_the_same_witness_gives_the_same_bytes() -> None:
    files = model_file("moons"), property_file("moons", "everywhere")
    verdict = Verdict(Status.SAT, "auto", witness=Witness(np.zeros(2, np.float32), np.zeros(2)))
    assert contents_of(*files, verdict) == contents_of(*files, verdict)


def move(parts: dict[str, Any]) -> None:
    parts["input"] = parts["input"] + np.float32(100)


def shorten(parts: dict[str, Any]) -> None:
    parts["output"] = parts["output"][:-1]


def turn(parts: dict[str, Any]) -> None:
    parts["output"] = -parts["output"]


def unknow(parts: dict[str, Any]) -> None:
    parts["output"] = np.full_like(parts["output"], np.nan)


def of_another(parts: dict[str, Any]) -> None:
    parts["header"]["model"] = "0" * 64


def later(parts: dict[str, Any]) -> None:
    parts["header"]["version"] = 1000


def whole_numbers(parts: dict[str, Any]) -> None:
    parts["input"] = parts["input"].astype(int)


def not_a_number(parts: dict[str, Any]) -> None:
    parts["input"] = parts["input"] * np.float32(np.nan)


@pytest.mark.parametrize(
    ("change", "expected", "why"),
    [
        (move, "rejected", "the input is not in the input set: (>= X_0"),
        (shorten, "rejected", "it has 1 outputs, the model 2, the property 2"),
        (turn, "rejected", "the outputs that it records do not violate"),
        (unknow, "rejected", "the outputs that it records do not violate"),
        (of_another, "rejected", "about another model"),
        (later, "error", "version 1000"),
        (whole_numbers, "error", "of type int64"),
        (not_a_number, "error", "not finite"),
        (lambda parts: parts.pop("output"), "rejected", "it has 0 outputs"),
    ],
)
def test_what_is_changed_is_not_accepted(
    change: Callable[[dict[str, Any]], None], expected: str, why: str, tmp_path: Path
) -> None:
    files = model_file("moons"), property_file("moons", "everywhere")
    verdict, reason = said(changed(witness("moons", "everywhere"), change), tmp_path, *files)
    assert verdict == expected
    assert why.replace("(>= X_0", "X_0") in reason.replace("(>= X_0", "X_0").replace("(<= X_0", "X_0")


def test_recorded_outputs_alone_convince_nobody(tmp_path: Path) -> None:
    """Outputs that violate a property which the model keeps."""
    files = model_file("moons"), property_file("moons", "upper")
    query = load_property(files[1])
    x = query.disjuncts[0].box.middle.astype(np.float32)
    for y in ([1e6, -1e6], [-1e6, 1e6]):
        verdict = Verdict(Status.SAT, "auto", witness=Witness(x, np.array(y)))
        for exact in (False, True):
            assert said(contents_of(*files, verdict), tmp_path, *files, exact)[0] == "rejected"


def summing(folder: Path) -> Path:
    """A model of y = (x + 1) - 1, which float32 rounds to 0 for small x."""
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    nodes = [helper.make_node("Add", ["x", "one"], ["z"]), helper.make_node("Sub", ["z", "one"], ["y"])]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [one])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), folder / "m.onnx")
    return folder / "m.onnx"


@pytest.mark.parametrize("exact", [False, True])
def test_where_float32_decides_it_is_rejected_and_told(exact: bool, tmp_path: Path) -> None:
    """The output is x, at least 1e-10, in real numbers; the runtime says 0."""
    model, prop = summing(tmp_path), tmp_path / "p.vnnlib"
    bounds = "(assert (>= X_0 1e-10)) (assert (<= X_0 1e-9))"
    prop.write_text(f"(declare-const X_0 Real) (declare-const Y_0 Real) {bounds} (assert (<= Y_0 0))")
    network = load_network(model)
    point = np.array([5e-10], np.float32)
    verdict = Verdict(Status.SAT, "attack", witness=Witness(point, np.zeros(1)))
    told = said(contents_of(model, prop, verdict), tmp_path, model, prop, exact)
    assert network.input_size == 1
    assert told == (
        "rejected",
        "in real numbers the model's outputs do not violate the property there: float32's rounding does",
    )


def test_strict_bounds_of_inputs_are_strict(tmp_path: Path) -> None:
    model, prop = summing(tmp_path), tmp_path / "p.vnnlib"
    bounds = "(assert (< X_0 1)) (assert (>= X_0 0))"
    prop.write_text(f"(declare-const X_0 Real) (declare-const Y_0 Real) {bounds} (assert (>= Y_0 0.5))")
    for x, expected in ((1.0, "rejected"), (0.75, "accepted")):
        point = np.array([x], np.float32)
        verdict = Verdict(Status.SAT, "attack", witness=Witness(point, np.array([x])))
        assert said(contents_of(model, prop, verdict), tmp_path, model, prop)[0] == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("(<= Y_0 3)", True),
        ("(< Y_0 1)", False),
        ("(< Y_0 2)", None),
        ("(or (< Y_0 2) (> Y_1 3))", True),
        ("(and (< Y_0 2) (> Y_1 3))", None),
        ("(>= (+ Y_1 (* -1 Y_0)) 1)", True),
        ("(<= (- Y_1 Y_0 X_0) 2.5)", True),
        ("(<= (- X_0) -0.5)", True),
        ("(< Y_2 0)", None),
    ],
)
def test_formulas_of_intervals(formula: str, expected: bool | None, tmp_path: Path) -> None:
    """X_0 is 1/2, Y_0 in [1, 2], Y_1 is 4, Y_2 no number."""
    half, one, two, four = Fraction(1, 2), Fraction(1), Fraction(2), Fraction(4)
    values = {"X_0": (half, half), "Y_0": (one, two), "Y_1": (four, four), "Y_2": None}
    (tmp_path / "p.vnnlib").write_text(f"(declare-const X_0 Real) (assert {formula}) ; no more")
    assert Assertions.read(tmp_path / "p.vnnlib").hold(values) is expected


def test_a_proof_is_no_witness(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"no archive"):
        (tmp_path / "f.npz").write_bytes(content)
        assert not is_witness(tmp_path / "f.npz")
    assert not is_witness(tmp_path / "nothing.npz")
