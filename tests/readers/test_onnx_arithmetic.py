"""Arithmetic, matrices, powers, extrema and activations against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from tests.readers.onnx_models import assert_agrees, draw, f32, load, model_of, operator
from verifier.network.functions import Clip
from verifier.network.graph import Elementwise

OPSETS = [7, 9, 11, 13, 17]


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 1, 3), (4, 1)), ((3,), (2, 3)), ((1,), (2, 2))])
def test_binary_of_variables(tmp_path, op, shapes, opset):
    assert_agrees(operator(op, *shapes, opset=opset), tmp_path, low=0.5)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("constant", [(), (3,), (2, 1), (4, 2, 3), (1, 1)])
def test_binary_with_constant(tmp_path, op, swap, constant):
    operands = [(2, 3), draw(*constant, low=0.3, high=2.0)]
    assert_agrees(operator(op, *operands[:: -1 if swap else 1]), tmp_path, low=0.5)


@pytest.mark.parametrize("opset", [8, 13])
@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize(
    "operands",
    [
        ((2, 3),),
        ((2, 3), (2, 3)),
        ((3,), (2, 1), (2, 3), draw(2, 3)),
        (draw(1, 3), (2, 3), draw(2, 1, seed=1)),
        ((3,), (3,), (3,), (3,), (3,)),
    ],
)
def test_variadic(tmp_path, op, operands, opset):
    assert_agrees(operator(op, *operands, opset=opset), tmp_path)


def test_same_operand_twice(tmp_path):
    for op in ("Add", "Sub", "Mul"):
        assert_agrees(model_of([helper.make_node(op, ["x", "x"], ["y"])], {"x": (2, 3)}, ["y"]), tmp_path)


@pytest.mark.parametrize("opset", [7, 13])
def test_neg(tmp_path, opset):
    assert_agrees(operator("Neg", (2, 3), opset=opset), tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 11, 13])
@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize("known", ["b", "a", "none", "b, c"])
def test_gemm(tmp_path, opset, trans_a, trans_b, known):
    a, b = ((3, 2) if trans_a else (2, 3)), ((4, 3) if trans_b else (3, 4))
    operands = [
        draw(*a) if known == "a" else a,
        draw(*b) if "b" in known else b,
        draw(1, 4) if "c" in known else (2, 1),
    ]
    model = operator("Gemm", *operands, opset=opset, alpha=0.7, beta=-1.3, transA=trans_a, transB=trans_b)
    assert_agrees(model, tmp_path)


def test_gemm_without_bias(tmp_path):
    assert_agrees(operator("Gemm", (2, 3), draw(3, 4), alpha=1.5), tmp_path)
    assert_agrees(operator("Gemm", (2, 3), (3, 4), alpha=1.5), tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 13])
@pytest.mark.parametrize("known", [0, 1, None])
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (3, 4)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((1, 5, 2, 3), (2, 1, 3, 4)),
        ((1, 1, 2, 3), (3, 4)),
        ((3,), (2, 3, 4)),
    ],
)
def test_matmul(tmp_path, shapes, known, opset):
    operands = [draw(*s) if k == known else s for k, s in enumerate(shapes)]
    assert_agrees(operator("MatMul", *operands, opset=opset), tmp_path)


@pytest.mark.parametrize("opset", [7, 12, 13, 15])
@pytest.mark.parametrize("exponent", [f32(2), f32(3), f32(0.5), f32(-1), f32(1), f32(0), f32(2, 3, 1), np.float32(2.5)])
def test_pow(tmp_path, exponent, opset):
    assert_agrees(operator("Pow", (2, 3), exponent, opset=opset), tmp_path, low=0.4)


def test_pow_of_constant_base_and_integer_exponent(tmp_path):
    assert_agrees(operator("Pow", f32(0.5, 2, 3), (2, 3)), tmp_path)
    assert_agrees(operator("Pow", (2, 3), np.array([2, 3, 2], np.int64)), tmp_path)


UNARY = [
    ("Relu", {}), ("Sigmoid", {}), ("Tanh", {}), ("Exp", {}), ("Softplus", {}), ("Sin", {}), ("Cos", {}), ("Abs", {}),
    ("Floor", {}), ("Ceil", {}), ("Softsign", {}),
    ("Elu", {"alpha": 0.6}), ("Elu", {}), ("Selu", {}), ("Selu", {"alpha": 1.3, "gamma": 0.7}),
    ("LeakyRelu", {}), ("LeakyRelu", {"alpha": 0.3}), ("LeakyRelu", {"alpha": 1.7}),
    ("HardSigmoid", {}), ("HardSigmoid", {"alpha": 0.5, "beta": 0.4}),
]  # fmt: skip


@pytest.mark.parametrize("opset", [7, 13, 17, 22])
@pytest.mark.parametrize(("op", "attributes"), UNARY)
def test_unary(tmp_path, op, attributes, opset):
    assert_agrees(operator(op, (2, 3), opset=opset, **attributes), tmp_path, low=-4, high=4)


@pytest.mark.parametrize(
    ("op", "opset", "attributes"),
    [
        ("Erf", 9, {}), ("Erf", 13, {}), ("Sign", 9, {}), ("Sign", 13, {}), ("Celu", 12, {"alpha": 0.4}),
        ("HardSwish", 14, {}), ("Mish", 18, {}), ("Gelu", 20, {}), ("Gelu", 20, {"approximate": "tanh"}),
    ],
)  # fmt: skip
def test_later_unary(tmp_path, op, opset, attributes):
    assert_agrees(operator(op, (2, 3), opset=opset, **attributes), tmp_path, low=-4, high=4)


@pytest.mark.parametrize("op", ["Log", "Sqrt", "Reciprocal"])
@pytest.mark.parametrize("opset", [7, 13])
def test_unary_of_positive(tmp_path, op, opset):
    assert_agrees(operator(op, (2, 3), opset=opset), tmp_path, low=0.2, high=5)


def test_erf_form_of_gelu(tmp_path):
    nodes = [
        helper.make_node("Div", ["x", "root"], ["a"]),
        helper.make_node("Erf", ["a"], ["b"]),
        helper.make_node("Add", ["b", "one"], ["c"]),
        helper.make_node("Mul", ["x", "c"], ["d"]),
        helper.make_node("Mul", ["d", "half"], ["y"]),
    ]
    constants = {"root": np.sqrt(f32(2)), "one": f32(1), "half": f32(0.5)}
    assert_agrees(model_of(nodes, {"x": (2, 3)}, ["y"], constants), tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 16])
@pytest.mark.parametrize("slope", [(), (1,), (3, 1, 1), (2, 3, 2, 2), (2,)])
def test_prelu(tmp_path, slope, opset):
    assert_agrees(operator("PRelu", (2, 3, 2, 2), draw(*slope, low=-0.5, high=1.5), opset=opset), tmp_path)


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.7), (None, 0.7), (-0.5, None), (None, None), (0.0, 6.0)])
def test_clip(tmp_path, low, high):
    attributes = {k: v for k, v in (("min", low), ("max", high)) if v is not None}
    assert_agrees(operator("Clip", (2, 3), opset=7, **attributes), tmp_path)
    bounds = [None if b is None else np.float32(b) for b in (low, high)]
    while bounds and bounds[-1] is None:
        bounds.pop()
    for opset in (11, 12, 13):
        assert_agrees(operator("Clip", (2, 3), *bounds, opset=opset), tmp_path)


def test_clip_with_crossed_and_infinite_bounds(tmp_path):
    for low, high in [(1.0, -1.0), (0.5, 0.5), (-np.inf, 0.5), (-3.4028234663852886e38, 1.0), (0.1, np.inf)]:
        assert_agrees(operator("Clip", (2, 3), np.float32(low), np.float32(high)), tmp_path)


def test_huge_constants_swallow_no_digits(tmp_path):
    for low, high in [(-1e30, 1e30), (None, 1e30), (-1e30, None), (-1e30, 0.5), (0.5, 1e30)]:
        bounds = [None if b is None else np.float32(b) for b in (low, high)]
        assert_agrees(operator("Clip", (2, 3), *bounds), tmp_path)
    assert_agrees(operator("Max", (2, 3), f32(-1e30)), tmp_path)
    assert_agrees(operator("Min", f32(1e30), (2, 3)), tmp_path)
    assert_agrees(operator("PRelu", (2, 3), f32(0.5, 1e30, 2)), tmp_path, low=0.1)


def test_clip_between_computed_bounds(tmp_path):
    assert_agrees(operator("Clip", (2, 3), (), ()), tmp_path)


def test_double_model(tmp_path):
    from onnx import TensorProto

    model = operator("Mul", (2, 3), draw(3).astype(np.float64))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    assert_agrees(model, tmp_path, tolerance=1e-15)


def test_clip_goes_by_the_range_of_its_own_type(tmp_path):
    """In float64, 1e39 is a number; exporters write the type's own largest number for "none"."""
    from onnx import TensorProto

    largest = np.finfo(np.float64).max
    for high in (1e39, largest):
        model = operator("Clip", (2, 3), np.float64(-1e39), np.float64(high))
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
        network = load(model, tmp_path)
        assert network.forward(np.full((1, 6), 1e40))[0, 0] == pytest.approx(min(1e40, high))
        assert network.forward(np.full((1, 6), -1e40))[0, 0] == pytest.approx(-1e39)


def test_clip_is_one_function_that_keeps_its_range(tmp_path):
    network = load(operator("Clip", (2, 3), np.float32(0.0), np.float32(6.0)), tmp_path)
    assert [node.function for node in network.nodes if isinstance(node, Elementwise)] == [Clip(0.0, 6.0)]
