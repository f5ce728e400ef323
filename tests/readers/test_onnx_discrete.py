"""Comparisons, logic, casts, labels and computed indices against ONNX Runtime, at ties and at jumps as well."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tests.readers.onnx_models import f32, i64, load, model_of, run
from verifier import Options, Status, load_property, verify
from verifier.bounds.interval import interval_bounds
from verifier.errors import ModelError, PropertyError
from verifier.network.graph import Elementwise
from verifier.network.whole import with_types_kept

NODE = helper.make_node


def agrees(tmp_path, nodes, shapes, constants=None, opset=18, low=-2.5, high=2.5, outputs=("y",)):
    """The network computes what ONNX Runtime does, on numbers of which many are equal, whole or halves."""
    model = model_of(nodes, shapes, list(outputs), constants or {}, opset)
    networks = [load(model, tmp_path, simplify) for simplify in (False, True)]
    rng = np.random.default_rng(3)
    for k in range(8):
        x = rng.uniform(low, high, networks[0].input_size)
        x = (np.round(2 * x) / 2 if k % 4 else x).astype(np.float32)
        wanted = run(networks[0], x).astype(np.float64)
        for network in networks:
            np.testing.assert_allclose(network.forward(x.astype(np.float64)[None, :])[0], wanted, rtol=0, atol=1e-5)


def as_float(name, to="y"):
    return NODE("Cast", [name], [to], to=TensorProto.FLOAT)


def cast(name, to, kind):
    return NODE("Cast", [name], [to], to=kind)


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
@pytest.mark.parametrize("opset", [13, 18])
def test_comparisons(tmp_path, op, opset):
    agrees(tmp_path, [NODE(op, ["a", "b"], ["c"]), as_float("c")], {"a": (2, 3), "b": (3,)}, opset=opset)
    agrees(tmp_path, [NODE(op, ["t", "a"], ["c"]), as_float("c")], {"a": (2, 3)}, {"t": f32(0.5, 0.0, -1.0)}, opset)


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"])
def test_comparisons_of_whole_numbers(tmp_path, op):
    nodes = [cast("a", "i", TensorProto.INT64), cast("b", "j", TensorProto.INT64), NODE(op, ["i", "j"], ["c"])]
    agrees(tmp_path, [*nodes, as_float("c")], {"a": (8,), "b": (8,)})


@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Equal"])
def test_logic(tmp_path, op):
    compared = [NODE("Greater", ["a", "z"], ["p"]), NODE("Less", ["b", "z"], ["q"])]
    constants = {"z": f32(0.0), "m": np.array([True, False, True, False])}
    agrees(tmp_path, [*compared, NODE(op, ["p", "q"], ["c"]), as_float("c")], {"a": (4,), "b": (4,)}, constants)
    agrees(tmp_path, [compared[0], NODE(op, ["p", "m"], ["c"]), as_float("c")], {"a": (4,)}, constants)
    agrees(tmp_path, [compared[0], NODE("Not", ["p"], ["c"]), as_float("c")], {"a": (4,)}, constants)


@pytest.mark.parametrize("sides", [("a", "b"), ("a", "k"), ("k", "a"), ("k", "l"), ("a", "o"), ("o", "a")])
def test_where_with_a_computed_condition(tmp_path, sides):
    nodes = [NODE("Greater", ["a", "t"], ["c"]), NODE("Where", ["c", *sides], ["y"])]
    constants = {"t": f32(0.5), "k": f32(1.0, -2.0, 3.0), "l": f32(0.25, 1.0, 0.0), "o": f32(0.0, 0.0, 0.0)}
    agrees(tmp_path, nodes, {"a": (2, 3), "b": (2, 3)}, constants)


def test_a_choice_of_infinities_is_told(tmp_path):
    nodes = [NODE("Greater", ["a", "t"], ["c"]), NODE("Where", ["c", "a", "k"], ["y"])]
    with pytest.raises(ModelError, match="infinite entries, chosen by a computed condition"):
        load(model_of(nodes, {"a": (2,)}, ["y"], {"t": f32(0.5), "k": f32(-np.inf)}), tmp_path)


def test_what_is_gated_by_its_own_sign_is_a_relu(tmp_path):
    nodes = [NODE("Greater", ["a", "z"], ["c"]), as_float("c", "f"), NODE("Mul", ["f", "a"], ["y"])]
    agrees(tmp_path, nodes, {"a": (5,)}, {"z": f32(0.0)})
    network = load(model_of(nodes, {"a": (5,)}, ["y"], {"z": f32(0.0)}), tmp_path)
    assert [node.function.name for node in network.nodes if hasattr(node, "function")] == ["relu"]


@pytest.mark.parametrize("kind", ["INT8", "INT16", "INT32", "INT64", "BOOL"])
def test_casts(tmp_path, kind):
    agrees(tmp_path, [cast("a", "c", getattr(TensorProto, kind)), as_float("c")], {"a": (3, 4)}, low=-4, high=4)


def test_unsigned_casts(tmp_path):
    agrees(tmp_path, [cast("a", "c", TensorProto.UINT8), as_float("c")], {"a": (3, 4)}, low=0, high=9)


def test_cast_like(tmp_path):
    nodes = [NODE("CastLike", ["a", "like"], ["c"]), as_float("c")]
    agrees(tmp_path, nodes, {"a": (3, 4)}, {"like": i64(1)})


def test_rounding_goes_to_the_even_number(tmp_path):
    agrees(tmp_path, [NODE("Round", ["a"], ["y"])], {"a": (3, 4)}, low=-4, high=4)


@pytest.mark.parametrize("divisor", [3, -3, 2])
def test_division_and_remainder_of_integers(tmp_path, divisor):
    before = [cast("a", "i", TensorProto.INT64)]
    for op, more in (("Div", {}), ("Mod", {}), ("Mod", {"fmod": 1})):
        nodes = [*before, NODE(op, ["i", "d"], ["c"], **more), as_float("c")]
        agrees(tmp_path, nodes, {"a": (16,)}, {"d": i64(divisor)}, low=-9, high=9)


def test_remainder_of_floats(tmp_path):
    agrees(tmp_path, [NODE("Mod", ["a", "d"], ["y"], fmod=1)], {"a": (16,)}, {"d": f32(0.75)}, low=-3, high=3)


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize(("axis", "keep"), [(0, 1), (1, 0), (-1, 1)])
def test_places_of_extrema(tmp_path, op, last, axis, keep):
    node = NODE(op, ["a"], ["c"], axis=axis, keepdims=keep, select_last_index=last)
    agrees(tmp_path, [node, as_float("c")], {"a": (2, 5, 2)}, low=-1.0, high=1.0)


@pytest.mark.parametrize(("opset", "axis"), [(12, 1), (18, 1), (18, -1)])
def test_hardmax(tmp_path, opset, axis):
    agrees(tmp_path, [NODE("Hardmax", ["a"], ["y"], axis=axis)], {"a": (2, 3, 2)}, opset=opset, low=-1.0, high=1.0)


def test_nothing_computed_from_finite_numbers_is_nan(tmp_path):
    for op in ("IsNaN", "IsInf"):
        agrees(tmp_path, [NODE(op, ["a"], ["c"]), as_float("c")], {"a": (4,)})
        nodes = [NODE("Log", ["a"], ["b"]), NODE(op, ["b"], ["c"]), as_float("c")]
        with pytest.raises(ModelError, match="comes from log"):
            load(model_of(nodes, {"a": (2,)}, ["y"]), tmp_path)


def index(name="a", to="i"):
    """Whole numbers from an input, as indices."""
    return cast(name, to, TensorProto.INT64)


TABLE = np.arange(24, dtype=np.float32).reshape(4, 6) / 3


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("known", [True, False])
def test_gather_at_computed_places(tmp_path, axis, known):
    nodes = [index(), NODE("Gather", ["t", "i"], ["y"], axis=axis)]
    shapes = {"a": (2, 3)} if known else {"a": (2, 3), "t": (4, 6)}
    agrees(tmp_path, nodes, shapes, {"t": TABLE} if known else {}, low=-3.5, high=3.5)


@pytest.mark.parametrize("known", [True, False])
def test_gather_elements_at_computed_places(tmp_path, known):
    shapes = {"a": (4, 2)} if known else {"a": (4, 2), "t": (4, 6)}
    for axis in (0, 1):
        nodes = [index(), NODE("GatherElements", ["t", "i"], ["y"], axis=axis)]
        agrees(tmp_path, nodes, shapes, {"t": TABLE} if known else {}, low=-3.5, high=3.5)


@pytest.mark.parametrize("depth", [1, 2])
def test_gather_nd_at_computed_places(tmp_path, depth):
    nodes = [index(), NODE("GatherND", ["t", "i"], ["y"])]
    agrees(tmp_path, nodes, {"a": (3, depth)}, {"t": TABLE}, low=-3.5, high=3.5)
    agrees(tmp_path, nodes, {"a": (3, depth), "t": (4, 6)}, low=-3.5, high=3.5)


PLACES = [NODE("Add", ["i", "steps"], ["j"]), NODE("Reshape", ["j", "column"], ["k"])]


@pytest.mark.parametrize("shapes", [{"a": (1,)}, {"a": (1,), "t": (6, 2)}, {"a": (1,), "u": (3, 2)},
                                    {"a": (1,), "t": (6, 2), "u": (3, 2)}])  # fmt: skip
@pytest.mark.parametrize("reduction", ["none", "add"])
def test_scatter_nd_at_neighbouring_places(tmp_path, shapes, reduction):
    constants = {"t": TABLE.reshape(12, 2)[:6], "u": TABLE[:3, :2] - 1, "steps": i64(0, 1, 2), "column": i64(3, 1)}
    nodes = [index(), *PLACES, NODE("ScatterND", ["t", "k", "u"], ["y"], reduction=reduction)]
    constants = {name: value for name, value in constants.items() if name not in shapes}
    agrees(tmp_path, nodes, shapes, constants, low=0, high=3.4)


def test_scatter_where_places_may_meet_keeps_the_last(tmp_path):
    constants = {"t": TABLE[:, :2], "u": TABLE[:2, :2] - 1, "column": i64(2, 1)}
    nodes = [index(), PLACES[1], NODE("ScatterND", ["t", "k", "u"], ["y"])]
    nodes[1] = NODE("Reshape", ["i", "column"], ["k"])
    agrees(tmp_path, nodes, {"a": (2,)}, constants, low=0, high=3.4)


@pytest.mark.parametrize("reduction", ["none", "add"])
def test_scatter_elements_at_computed_places(tmp_path, reduction):
    for axis, shape in ((0, (1, 3)), (1, (2, 1))):
        nodes = [index(), NODE("ScatterElements", ["t", "i", "u"], ["y"], axis=axis, reduction=reduction)]
        agrees(tmp_path, nodes, {"a": shape, "t": (3, 4), "u": shape}, low=-2.4, high=2.4)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(tmp_path, axis):
    nodes = [index(), NODE("OneHot", ["i", "n", "v"], ["y"], axis=axis)]
    agrees(tmp_path, nodes, {"a": (2, 3)}, {"n": i64(4), "v": f32(-0.5, 2.0)}, low=-5, high=5)


def test_a_window_at_a_computed_place(tmp_path):
    nodes = [index(), NODE("Add", ["i", "w"], ["e"]), NODE("Slice", ["t", "i", "e", "ax"], ["y"])]
    agrees(tmp_path, nodes, {"a": (1,), "t": (2, 6)}, {"w": i64(3), "ax": i64(1)}, low=0, high=3.4)
    model = model_of(nodes, {"a": (1,), "t": (2, 6)}, ["y"], {"w": i64(3), "ax": i64(1)}, 18)
    leaves = np.concatenate([[5.0], np.ones(12)])
    assert np.isnan(load(model, tmp_path).forward(leaves[None])).all()


def test_a_range_from_a_computed_start(tmp_path):
    nodes = [
        index(),
        NODE("Squeeze", ["i"], ["s"]),
        NODE("Add", ["s", "n"], ["e"]),
        NODE("Range", ["s", "e", "d"], ["r"]),
    ]
    agrees(tmp_path, [*nodes, as_float("r")], {"a": (1,)}, {"n": i64(5).reshape(()), "d": i64(2).reshape(())})


def test_a_length_that_the_input_decides_is_told(tmp_path):
    nodes = [index(), NODE("Slice", ["t", "z", "i"], ["y"])]
    with pytest.raises(ModelError, match="the input decides how long"):
        load(model_of(nodes, {"a": (1,)}, ["y"], {"t": TABLE, "z": i64(0)}), tmp_path)


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize(("shape", "axis", "count"), [((2, 5), -1, 3), ((4, 3), 0, 4), ((2, 1), 1, 1)])
def test_top_k(tmp_path, largest, shape, axis, count):
    nodes = [NODE("TopK", ["a", "k"], ["v", "p"], axis=axis, largest=largest), as_float("p", "q")]
    agrees(tmp_path, nodes, {"a": shape}, {"k": i64(count)}, low=-1.0, high=1.0, outputs=("v", "q"))


@pytest.mark.parametrize("op", ["Acos", "Acosh", "Atanh", "Tan", "Cosh", "Log"])
@pytest.mark.parametrize("asked", ["IsNaN", "IsInf"])
def test_what_may_not_be_finite_is_not_asked_about(tmp_path, op, asked):
    nodes = [NODE(op, ["a"], ["b"]), NODE(asked, ["b"], ["c"]), as_float("c")]
    with pytest.raises(ModelError, match="may leave the finite numbers"):
        load(model_of(nodes, {"a": (2,)}, ["y"], {}, 20), tmp_path)


@pytest.mark.parametrize("op", ["Equal", "GreaterOrEqual", "LessOrEqual"])
def test_what_may_be_nan_is_not_compared_with_itself(tmp_path, op):
    nodes = [NODE("Acos", ["a"], ["b"]), NODE(op, ["b", "b"], ["c"]), as_float("c")]
    with pytest.raises(ModelError, match="may leave the finite numbers"):
        load(model_of(nodes, {"a": (2,)}, ["y"], {}, 20), tmp_path)
    agrees(tmp_path, [NODE(op, ["a", "a"], ["c"]), as_float("c")], {"a": (2,)})


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("kind", ["INT8", "UINT8", "INT32"])
def test_integers_wrap_around(tmp_path, op, kind):
    """What the runtime computes lies in the bounds, also where it leaves the type."""
    number = getattr(TensorProto, kind)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    top = int(np.iinfo(dtype).max)
    nodes = [NODE(op, ["a", "k"], ["c"]), as_float("c")]
    model = model_of(nodes, {"a": (3,)}, ["y"], {"k": np.array([2, top // 2, 0], dtype)}, 16)
    model.graph.input[0].type.tensor_type.elem_type = number
    network = load(model, tmp_path)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for x in (np.zeros(3, dtype), np.full(3, 1, dtype), np.full(3, top, dtype), np.full(3, np.iinfo(dtype).min, dtype)):
        wanted = session.run(None, {"a": x})[0].astype(np.float64)
        found = interval_bounds(network, x[None].astype(np.float64), x[None].astype(np.float64))[-1]
        room = 1e-7 * np.abs(wanted)  # of the cast to float32
        assert ((found.lower[0] <= wanted + room) & (wanted - room <= found.upper[0])).all()


def test_ends_of_types_go_where_nothing_leaves_them(tmp_path):
    nodes = [NODE("Mul", ["a", "k"], ["c"]), NODE("Add", ["c", "k"], ["d"]), as_float("d")]
    model = model_of(nodes, {"a": (1,)}, ["y"], {"k": np.array([3], np.int32)}, 16)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    network = load(model, tmp_path)
    for end, kept in ((1000.0, 0), (2.0**30, 2)):
        bounds = [(b.lower[0], b.upper[0]) for b in interval_bounds(network, np.array([[0.0]]), np.array([[end]]))]
        made = with_types_kept(network, bounds)
        assert (
            sum(isinstance(n, Elementwise) and np.isfinite(getattr(n.function, "greatest", np.inf)) for n in made.nodes)
            == kept
        )


@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_nothing_is_known_of_long_integers_beyond_float64(tmp_path, op):
    """A cast to int64 of what may be 1e17, and then 100 times as much or more, wraps around in the runtime."""
    nodes = [NODE("Cast", ["a"], ["i"], to=TensorProto.INT64), NODE(op, ["i", "k"], ["c"]), as_float("c")]
    network = load(model_of(nodes, {"a": (1,)}, ["y"], {"k": np.array([100], np.int64)}, 16), tmp_path)
    lower, upper = np.array([[0.0]]), np.array([[1e17]])
    assert interval_bounds(network, lower, upper)[-1].upper[0, 0] == np.inf
    assert interval_bounds(network, lower, np.array([[1e6]]))[-1].upper[0, 0] < 2e8
    bounds = [(b.lower[0], b.upper[0]) for b in interval_bounds(network, lower, upper)]
    assert interval_bounds(with_types_kept(network, bounds), lower, upper)[-1].upper[0, 0] == np.inf


def test_long_integer_inputs_have_bounds_that_float64_holds(tmp_path):
    model = model_of([NODE("Mul", ["a", "k"], ["c"]), as_float("c")], {"a": (1,)}, ["y"], {"k": np.array([4])}, 16)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    network, path = load(model, tmp_path), tmp_path / "p.vnnlib"
    within = "(assert (>= X_0 0))(assert (<= X_0 1e17))"
    path.write_text(f"(declare-const X_0 Real)(declare-const Y_0 Real){within}(assert (<= Y_0 -1))")
    with pytest.raises(PropertyError, match="beyond 2\\^53"):
        verify(network, load_property(path, network))


@pytest.mark.parametrize("method", ["milp", "lp", "neurons", "auto"])
def test_what_wraps_around_is_found(tmp_path, method):
    """43 times 3 is -127 in int8."""
    model = model_of(
        [NODE("Mul", ["a", "k"], ["c"]), as_float("c")], {"a": (1,)}, ["y"], {"k": np.array([3], np.int8)}, 18
    )
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8
    network, path = load(model, tmp_path), tmp_path / "p.vnnlib"
    declared = "(declare-const X_0 Real)(declare-const Y_0 Real)"
    for least, status in ((40, Status.SAT), (10, Status.UNSAT)):
        box = f"(assert (>= X_0 {least}))(assert (<= X_0 {least + 20}))"
        path.write_text(f"{declared}{box}(assert (<= Y_0 -80))")
        assert verify(network, load_property(path, network), method, Options(timeout=20)).status is status
