"""Verdicts on networks of positions and labels, whose truth is known by running every position, or by the margins."""

from __future__ import annotations

from itertools import product

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.readers.onnx_models import draw, i64, model_of, run
from verifier.bounds.interval import interval_bounds
from verifier.deadline import Deadline
from verifier.evidence.replay import Replay
from verifier.methods.cells import spans_of, with_cells
from verifier.methods.options import Options
from verifier.methods.registry import METHODS, decide
from verifier.network.functions import Near, Round, Step
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Composition, Dense, Identity, Scaling, Selection
from verifier.network.two_valued import with_known_inputs, with_two_valued
from verifier.network.whole import with_room_for_rounding
from verifier.property.query import Box, Query
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property
from verifier.verdict import Status

NODE = helper.make_node
SIDE = 4


def patched(folder, integer: bool):
    """A patch of 2 x 2 is put on an image of 4 x 4 at a position that is an input; then a small network."""
    offsets = np.stack(np.meshgrid(range(2), range(2), indexing="ij"), -1).reshape(4, 2).astype(np.int64)
    cast = [] if integer else [NODE("Cast", ["p"], ["at"], to=TensorProto.INT64)]
    nodes = [
        *cast,
        NODE("Add", ["offsets", "p" if integer else "at"], ["places"]),
        NODE("ScatterND", ["image", "places", "patch"], ["seen"]),
        NODE("Reshape", ["seen", "flat"], ["row"]),
        NODE("Gemm", ["row", "w"], ["h"]),
        NODE("Relu", ["h"], ["r"]),
        NODE("Gemm", ["r", "v"], ["y"]),
    ]
    constants = {
        "offsets": offsets, "patch": draw(4, seed=1) + 1, "flat": i64(1, 16),
        "w": draw(16, 6, seed=2), "v": draw(6, 1, seed=3),
    }  # fmt: skip
    model = model_of(nodes, {"image": (SIDE, SIDE), "p": (1, 2)}, ["y"], constants, 16)
    if integer:
        model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, folder / "patch.onnx")
    return load_network(folder / "patch.onnx")


def asked(folder, network, lower, upper, row: str) -> Query:
    names = "".join(f"(declare-const X_{i} Real)\n" for i in range(len(lower)))
    names += "".join(f"(declare-const Y_{i} Real)\n" for i in range(network.output_size))
    ends = "".join(
        f"(assert (>= X_{i} {float(a)!r}))(assert (<= X_{i} {float(b)!r}))\n"
        for i, (a, b) in enumerate(zip(lower, upper, strict=True))
    )
    (folder / "p.vnnlib").write_text(names + ends + f"(assert {row})")
    return load_property(folder / "p.vnnlib", network)


@pytest.mark.parametrize("integer", [False, True])
def test_positions_are_enumerated(tmp_path, integer):
    network = patched(tmp_path, integer)
    image = draw(16, seed=4)
    places = [np.concatenate([image, at]).astype(np.float32) for at in product(range(3), repeat=2)]
    greatest = max(float(run(network, x)[0]) for x in places)
    lower = np.concatenate([image, [0.0, 0.0]])
    upper = np.concatenate([image, [2.0, 2.0]])
    for shift, status in ((-1e-4, "sat"), (1e-3, "unsat")):
        query = asked(tmp_path, network, lower, upper, f"(>= Y_0 {greatest + shift})")
        verdict = decide(network, query, METHODS["auto"], Options(timeout=20))
        assert verdict.status.value == status
        if verdict.witness is not None:
            assert float(Replay(network).run(verdict.witness.x)[0]) >= greatest + shift
            assert not integer or (verdict.witness.x[-2:] % 1 == 0).all()
    split, margins = with_cells(query, network, Deadline())
    assert len(split.disjuncts) == 9 == len(margins)
    assert (np.diff(margins) >= 0).all()
    whole, none = with_cells(query, network, Deadline(0.0))
    assert whole is query
    assert none is None


def test_spans_hold_every_float_on_one_side_of_each_jump():
    nodes = (
        Input(1),
        Affine((0,), (Dense(np.array([[1.0], [1.0], [-2.0]])),), np.array([0.0, -0.7, 1.0])),
        Elementwise((1,), Step(at_zero=True), 3),
        Affine((2,), (Dense(np.array([[1.0, 2.0, 4.0]])),), np.zeros(1)),
    )
    network = Network(nodes)
    spans = spans_of(network, Box.exact(np.array([-1.0]), np.array([1.0])), 0, 100)
    assert spans is not None
    points = [low for low, high in spans if low == high]
    values = {float(network.forward(np.array([[x]]))[0, 0]) for x in points}
    assert values == {float(network.forward(np.array([[x]]))[0, 0]) for x in np.linspace(-1, 1, 999)}
    assert len(points) <= 5  # of 0.5 the rounding of -2 x + 1 leaves open which side it is on
    assert all(high - low < 1e-6 for low, high in spans)


def segmenter(folder, classes: int):
    """Logits of 3 x 3 pixels, their classes by ArgMax, and how many equal the classes that the input gives."""
    nodes = [
        NODE("Conv", ["image", "w"], ["logits"], pads=[1, 1, 1, 1]),
        NODE("ArgMax", ["logits"], ["class"], axis=1),
        NODE("Cast", ["class"], ["number"], to=TensorProto.FLOAT),
        NODE("Equal", ["number", "mask"], ["same"]),
        NODE("Cast", ["same"], ["one"], to=TensorProto.FLOAT),
        NODE("ReduceSum", ["one", "axes"], ["y"], keepdims=0),
    ]
    constants = {"w": draw(classes, 1, 3, 3, seed=5), "axes": i64(1, 2, 3)}
    model = model_of(nodes, {"image": (1, 1, 3, 3), "mask": (1, 1, 3, 3)}, ["y"], constants)
    onnx.save(model, folder / "pixels.onnx")
    return load_network(folder / "pixels.onnx")


@pytest.mark.parametrize("classes", [2, 3])
def test_pixels_that_keep_their_class_are_counted(tmp_path, classes):
    network = segmenter(tmp_path, classes)
    image = draw(9, seed=6)
    mask = np.array([
        next(c for c in range(classes) if run(network, np.concatenate([image, np.full(9, c)]).astype(np.float32))[0]
             > run(network, np.concatenate([image, np.where(np.arange(9) == k, -1, c)]).astype(np.float32))[0])
        for k in range(9)
    ], np.float64)  # fmt: skip
    assert run(network, np.concatenate([image, mask]).astype(np.float32))[0] == 9
    radius = 0.08
    ends = [np.concatenate([image + side * radius, mask]) for side in (-1, 1)]
    corners = [np.concatenate([image + radius * np.array(s), mask]) for s in product((-1, 1), repeat=9)]
    seen = int(min(network.forward(np.array(corners)))[0])  # logits are linear: fewest in a corner, or fewer still
    verdicts = [
        decide(
            network, asked(tmp_path, network, *ends, f"(<= Y_0 {count})"), METHODS["auto"], Options(timeout=20)
        ).status.value
        for count in (seen, -1)
    ]
    assert verdicts == ["sat", "unsat"]
    loose = [
        decide(network, asked(tmp_path, network, *ends, f"(<= Y_0 {k})"), METHODS["crown"], Options(timeout=20))
        for k in (0, 1)
    ]
    assert all(verdict.status.value != "sat" for verdict in loose)


LESS_CLASSES = Composition(Scaling(-np.ones(2), exact=True), Selection(np.array([2, 3]), 4))


def test_what_compares_comparisons_is_affine():
    nodes = (
        Input(4),
        Affine((0,), (Dense(np.array([[1.0, -1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])),), np.zeros(2)),
        Elementwise((1,), Step(at_zero=False), 2),
        Affine((2, 0), (Identity(2), LESS_CLASSES), np.zeros(2)),
        Elementwise((3,), Near(0.0), 2),
        Affine((4,), (Scaling(np.array([1.0, 3.0])),), np.zeros(2)),
    )
    network = Network(nodes)
    known = np.array([np.nan, np.nan, 1.0, 0.0])
    fixed = with_room_for_rounding(with_known_inputs(network, known))
    simple = with_two_valued(fixed)
    functions = [node.function for node in simple.nodes if isinstance(node, Elementwise)]
    assert functions == [Step(at_zero=False)]
    x = np.random.default_rng(0).normal(size=(50, 4))
    x[:, 2:] = known[2:]
    for other in (fixed, simple):
        np.testing.assert_allclose(other.forward(x), network.forward(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["auto", "inputs", "interval"])
def test_no_whole_number_outside_of_the_box_is_a_witness(tmp_path, method):
    nodes = [NODE("Greater", ["p", "two"], ["c"]), NODE("Cast", ["c"], ["y"], to=TensorProto.FLOAT)]
    model = model_of(nodes, {"p": (1,)}, ["y"], {"two": i64(2)}, 16)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, tmp_path / "m.onnx")
    network = load_network(tmp_path / "m.onnx")
    verdict = decide(
        network, asked(tmp_path, network, [3.2], [3.4], "(>= Y_0 0.5)"), METHODS[method], Options(timeout=5)
    )
    assert verdict.witness is None


def test_rounding_does_not_decide_a_step_of_known_inputs():
    """Half-way between two steps, in real numbers, is 25.5 * scale; 1 / scale as computed makes less of it."""
    scale = float(np.float32(0.11597204))
    at = 25.5 * scale
    assert at / 25.5 == scale
    assert np.rint(at * (1.0 / scale)) == 25.0
    quotient = Affine((0,), (Scaling(np.array([1.0 / scale, 1.0])),), np.zeros(2))
    network = Network((Input(2), quotient, Elementwise((1,), Round(), 2), Affine((2,), (Identity(2),), np.zeros(2))))
    found = interval_bounds(
        with_known_inputs(network, np.array([at, np.nan])), np.array([[at, 0.0]]), np.array([[at, 1.0]])
    )
    assert found[-1].lower[0, 0] <= 26.0 <= found[-1].upper[0, 0]
    exact = with_known_inputs(network, np.array([0.0, np.nan]))
    bounds = interval_bounds(exact, np.array([[0.0, 0.0]]), np.array([[0.0, 1.0]]))[-1]
    assert bounds.lower[0, 0] == bounds.upper[0, 0] == 0.0


def test_what_rounding_carries_across_a_jump_is_told(tmp_path):
    """Of real numbers, 3 * 0.1 in float32's decimals is not 0.3 in them; as the runtime rounds the product, it is."""
    nodes = [
        NODE("Mul", ["x", "w"], ["a"]),
        NODE("Equal", ["a", "t"], ["c"]),
        NODE("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
    ]
    tenth, three = np.array([0.1], np.float32), np.array([0.3], np.float32)
    onnx.save(model_of(nodes, {"x": (1,)}, ["y"], {"w": tenth, "t": three}, 16), tmp_path / "m.onnx")
    network = load_network(tmp_path / "m.onnx")
    query = asked(tmp_path, network, [3.0], [3.0], "(>= Y_0 0.5)")
    assert "across a jump" in decide(network, query, METHODS["interval"], Options(timeout=20)).detail


@pytest.mark.parametrize(
    ("kind", "bounds", "row", "status"),
    [
        ("INT64", "(>= X[0] -3.5) (< X[0] -3.0)", "(<= Y[0] 9.0)", None),
        ("INT64", "(>= X[0] -4.0) (< X[0] -3.0)", "(>= Y[0] -3.0)", Status.UNSAT),
        ("INT64", "(>= X[0] -4.0) (< X[0] -3.0)", "(>= Y[0] -4.0)", Status.SAT),
        ("BOOL", "(> X[0] 0.0)", "(<= Y[0] 0.5)", Status.UNSAT),
        ("BOOL", "(> X[0] 1.0)", "(<= Y[0] 9.0)", Status.UNSAT),
        ("BOOL", "(>= X[0] 2.0)", "(<= Y[0] 9.0)", Status.UNSAT),
        ("BOOL", "(>= X[0] 1.0)", "(<= Y[0] 9.0)", Status.SAT),
        ("INT8", "(> X[0] 126.0)", "(<= (+ Y[0] X[0]) 253.0)", Status.UNSAT),
        ("INT8", "(>= X[0] 126.0)", "(<= (+ Y[0] X[0]) 252.0)", Status.SAT),
    ],
)
def test_a_whole_number_that_a_strict_bound_leaves_out_is_no_witness(tmp_path, kind, bounds, row, status):
    nodes = [NODE("Cast", ["p"], ["y"], to=TensorProto.FLOAT)]
    model = model_of(nodes, {"p": (1,)}, ["y"], {}, 16)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DataType.Value(kind)
    onnx.save(model, tmp_path / "m.onnx")
    network = load_network(tmp_path / "m.onnx")
    text = "(declare-network f (declare-input X real [1]) (declare-output Y real [1]))\n(assert (and {} {}))\n"
    (tmp_path / "p.vnnlib").write_text(f"(vnnlib-version <2.0>)\n{text.format(bounds, row)}")
    verdict = decide(network, load_property(tmp_path / "p.vnnlib", network), METHODS["auto"], Options(timeout=3))
    assert verdict.status is status or (status is None and verdict.witness is None)
