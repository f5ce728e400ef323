"""RNN, GRU, LSTM, Scan and Loop against ONNX Runtime."""

import numpy as np
import pytest
from onnx import helper

from tests.readers.onnx_models import assert_agrees, draw, f32, load, model_of
from verifier.errors import ModelError

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}
STEPS, BATCH, WIDTH, HIDDEN = 4, 3, 2, 3


def recurrent(op, directions=1, opset=14, names=("X", "W", "R"), **attributes):
    gates = GATES[op]
    drawn = {
        "W": draw(directions, gates * HIDDEN, WIDTH, seed=1),
        "R": draw(directions, gates * HIDDEN, HIDDEN, seed=2),
        "B": draw(directions, 2 * gates * HIDDEN, seed=3),
        "L": np.array([4, 2, 3], np.int32),
        "H": draw(directions, BATCH, HIDDEN, seed=4),
        "C": draw(directions, BATCH, HIDDEN, seed=5),
        "P": draw(directions, 3 * HIDDEN, seed=6),
    }
    inputs = {"X": (STEPS, BATCH, WIDTH)}
    if "h" in names:
        inputs["h"] = (directions, BATCH, HIDDEN)
    outputs = ["Y", "Yh", "Yc"][: 3 if op == "LSTM" else 2]
    node = helper.make_node(op, list(names), outputs, hidden_size=HIDDEN, **attributes)
    constants = {name: value for name, value in drawn.items() if name in names}
    return model_of([node], inputs, outputs, constants, opset)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("opset", [7, 14, 22])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_directions(tmp_path, op, opset, direction):
    both = 2 if direction == "bidirectional" else 1
    assert_agrees(recurrent(op, both, opset, ("X", "W", "R", "B"), direction=direction), tmp_path)


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_lengths_and_initial_states(tmp_path, op, direction):
    both = 2 if direction == "bidirectional" else 1
    states = ("H", "C") if op == "LSTM" else ("H",)
    assert_agrees(recurrent(op, both, 14, ("X", "W", "R", "B", "L", *states), direction=direction), tmp_path)
    states = ("h", "C") if op == "LSTM" else ("h",)
    assert_agrees(recurrent(op, both, 14, ("X", "W", "R", "", "", *states), direction=direction), tmp_path)


def test_peepholes_clip_and_coupled_gates(tmp_path):
    every = ("X", "W", "R", "B", "L", "H", "C", "P")
    for attributes in ({}, {"clip": 0.3}, {"input_forget": 1}, {"clip": 0.5, "input_forget": 1}):
        assert_agrees(recurrent("LSTM", 2, 14, every, direction="bidirectional", **attributes), tmp_path)


@pytest.mark.parametrize("before", [0, 1])
def test_reset_gate(tmp_path, before):
    for attributes in ({}, {"clip": 0.3}):
        model = recurrent("GRU", 1, 14, ("X", "W", "R", "B", "", "H"), linear_before_reset=before, **attributes)
        assert_agrees(model, tmp_path)


FUNCTIONS = [
    ("Relu", None, None), ("Tanh", None, None), ("Sigmoid", None, None), ("Softsign", None, None),
    ("Softplus", None, None), ("LeakyRelu", 0.2, None), ("ScaledTanh", 0.7, 1.3), ("HardSigmoid", 0.3, 0.4),
    ("Elu", 0.6, None), ("Affine", 0.5, 0.1), ("ThresholdedRelu", 0.4, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "alpha", "beta"), FUNCTIONS)
@pytest.mark.parametrize("op", GATES)
def test_activations(tmp_path, op, name, alpha, beta):
    """One that has parameters of its own stands before and behind it."""
    names = {"RNN": [name], "GRU": ["HardSigmoid", name], "LSTM": ["HardSigmoid", name, "ScaledTanh"]}[op]
    first = [(0.25, 0.45)] * (op != "RNN") + [(alpha, beta)] + [(0.9, 0.8)] * (op == "LSTM")
    alphas, betas = ([pair[k] for pair in first if pair[k] is not None] for k in (0, 1))
    given = {"activations": names, **({"activation_alpha": alphas} if alphas else {})}
    assert_agrees(
        recurrent(op, 1, 14, ("X", "W", "R", "B"), **given, **({"activation_beta": betas} if betas else {})), tmp_path
    )


def test_default_parameters_of_activations(tmp_path):
    for name in ("LeakyRelu", "HardSigmoid", "Elu"):
        assert_agrees(recurrent("RNN", 1, 14, ("X", "W", "R", "B"), activations=[name]), tmp_path)


@pytest.mark.parametrize("op", GATES)
def test_batch_first_is_the_same_transposed(tmp_path, op):
    """ONNX Runtime has no kernel for it."""
    usual = load(recurrent(op, 2, 14, ("X", "W", "R", "B"), direction="bidirectional"), tmp_path)
    model = recurrent(op, 2, 14, ("X", "W", "R", "B"), direction="bidirectional", layout=1)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = BATCH
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = STEPS
    x = draw(STEPS, BATCH, WIDTH, seed=9).astype(np.float64)
    batch_first = load(model, tmp_path)
    (y, *last), (z, *final) = (
        [part.reshape(port.shape) for part, port in zip(np.split(out, splits), network.outputs, strict=True)]
        for network, given in ((usual, x), (batch_first, x.swapaxes(0, 1)))
        for out in [network.forward(given.reshape(1, -1))[0]]
        for splits in [np.cumsum([port.size for port in network.outputs])[:-1]]
    )
    np.testing.assert_allclose(y.transpose(2, 0, 1, 3), z, atol=1e-12)
    for one, other in zip(last, final, strict=True):
        np.testing.assert_allclose(one.swapaxes(0, 1), other, atol=1e-12)


def test_what_is_not_unrolled(tmp_path):
    with pytest.raises(ModelError, match="activation 'Nope' is not supported"):
        load(recurrent("RNN", activations=["Nope"]), tmp_path)
    with pytest.raises(ModelError, match="needs a value in activation_alpha"):
        load(recurrent("RNN", activations=["Affine"]), tmp_path)
    model = recurrent("RNN", names=("X", "W", "R", "", "L"))
    model.graph.initializer[2].int32_data[:] = []
    model.graph.initializer[2].raw_data = np.array([5, 1, 1], np.int32).tobytes()
    with pytest.raises(ModelError, match=r"lengths \[5, 1, 1\] for 3 sequences of at most 4 steps"):
        load(model, tmp_path)


def body_of(nodes, inputs, outputs, constants=None):
    """A graph that a node holds; types are left to be inferred."""
    graph = model_of(nodes, dict.fromkeys(inputs, ()), outputs, constants).graph
    for port in (*graph.input, *graph.output):
        port.type.tensor_type.ClearField("shape")
    return graph


def scan_model(opset=13, **attributes):
    """A state h = tanh(h + x W + z) over two scanned operands, with two collected outputs."""
    body = body_of(
        [
            helper.make_node("MatMul", ["bx", "W"], ["bm"]),
            helper.make_node("Sum", ["bh", "bm", "bz", "outer"], ["bs"]),
            helper.make_node("Tanh", ["bs"], ["bh2"]),
            helper.make_node("Mul", ["bh2", "bz"], ["bo"]),
            helper.make_node("Identity", ["bh2"], ["bh3"]),
        ],
        ["bh", "bx", "bz"],
        ["bh2", "bo", "bh3"],
        {"W": draw(2, 3, seed=1)},
    )
    node = helper.make_node("Scan", ["H", "x", "z"], ["h", "o", "a"], body=body, num_scan_inputs=2, **attributes)
    constants = {"H": draw(3, seed=2), "outer": f32(0.1, 0.2, 0.3)}
    axes = attributes.get("scan_input_axes", [0, 0])
    shapes = {name: list(shape) for name, shape in (("x", (2,)), ("z", (3,)))}
    for shape, axis in zip(shapes.values(), axes, strict=True):
        shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 4)
    return model_of([node], {k: tuple(v) for k, v in shapes.items()}, ["h", "o", "a"], constants, opset)


@pytest.mark.parametrize("opset", [9, 11, 16, 21])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"scan_input_directions": [1, 0], "scan_output_directions": [0, 1]},
        {"scan_input_axes": [1, 0], "scan_output_axes": [1, 0]},
        {"scan_input_axes": [-1, -1], "scan_output_axes": [-1, 0]},
    ],
)
def test_scan(tmp_path, opset, attributes):
    if opset == 9 and min(attributes.get("scan_input_axes", [0])) < 0:
        pytest.skip("negative axes came later")
    assert_agrees(scan_model(opset, **attributes), tmp_path)


def loop_model(trips, going, last=None, opset=13):
    """The body v = v W + i, collected on the way; it stops where i + 1 reaches `last`."""
    nodes = [
        helper.make_node("Cast", ["i"], ["fi"], to=1),
        helper.make_node("MatMul", ["v", "W"], ["m"]),
        helper.make_node("Add", ["m", "fi"], ["v2"]),
        helper.make_node("Relu", ["v2"], ["o"]),
    ]
    constants = {"W": draw(3, 3, seed=1)}
    if last is None:
        nodes.append(helper.make_node("Identity", ["c"], ["c2"]))
    else:
        constants.update(one=np.int64(1), last=np.int64(last))
        nodes += [helper.make_node("Add", ["i", "one"], ["i1"]), helper.make_node("Less", ["i1", "last"], ["c2"])]
    body = body_of(nodes, ["i", "c", "v"], ["c2", "v2", "o"], constants)
    for port, kind in zip(body.input[:2], (7, 9), strict=True):
        port.type.tensor_type.elem_type = kind
        port.type.tensor_type.shape.SetInParent()
    body.output[0].type.tensor_type.elem_type = 9
    names = ["" if trips is None else "M", "" if going is None else "G", "x"]
    known = {"M": trips, "G": going}
    given = {k: np.array(v, np.int64 if k == "M" else bool) for k, v in known.items() if v is not None}
    node = helper.make_node("Loop", names, ["v_last", "every"], body=body)
    return model_of([node], {"x": (2, 3)}, ["v_last", "every"], given, opset)


@pytest.mark.parametrize("opset", [11, 13, 16, 21])
def test_loop(tmp_path, opset):
    for trips, going, last in [(3, True, None), (3, None, None), (5, True, 2), (None, True, 4), (2, True, 4)]:
        assert_agrees(loop_model(trips, going, last, opset), tmp_path)


def test_loop_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr("verifier.readers.onnx.control.MOST_TRIPS", 20)
    with pytest.raises(ModelError, match="it runs more than 20 times"):
        load(loop_model(None, True, None), tmp_path)


def test_loop_that_never_runs(tmp_path):
    with pytest.raises(ModelError, match="never runs, so that the shape of an output is not known"):
        load(loop_model(0, True, None), tmp_path)


def test_loop_whose_trips_are_computed(tmp_path):
    model = loop_model(3, True, None)
    model.graph.node[0].input[0] = "trips"
    model.graph.node.insert(0, helper.make_node("ReduceSum", ["x"], ["trips"]))
    with pytest.raises(ModelError, match="number of trips depends on the network's inputs"):
        load(model, tmp_path)
