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
    ("Elu", 0.6, None), ("Affine", 0.5, 0.1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "alpha", "beta"), FUNCTIONS)
@pytest.mark.parametrize("op", GATES)
def test_activations(tmp_path, op, name, alpha, beta):
    """One that has parameters of its own stands before and behind it."""
    names = {"RNN": [name], "GRU": ["HardSigmoid", name], "LSTM": ["HardSigmoid", name, "ScaledTanh"]}[op]
    first = [(0.25, 0.45)] * (op != "RNN") + [(alpha, beta)] + [(0.9, 0.8)] * (op == "LSTM")
    alphas, betas = ([pair[k] for pair in first if pair[k] is not None] for k in (0, 1))
    given = {"activations": names, **({"activation_alpha": alphas} if alphas else {})}
    assert_agrees(recurrent(op, 1, 14, ("X", "W", "R", "B"), **given, **({"activation_beta": betas} if betas else {})),
                  tmp_path)


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
    with pytest.raises(ModelError, match="'ThresholdedRelu' with alpha 1, at which it jumps"):
        load(recurrent("RNN", activations=["ThresholdedRelu"]), tmp_path)
    model = recurrent("RNN", names=("X", "W", "R", "", "L"))
    model.graph.initializer[2].int32_data[:] = []
    model.graph.initializer[2].raw_data = np.array([5, 1, 1], np.int32).tobytes()
    with pytest.raises(ModelError, match=r"lengths \[5, 1, 1\] for 3 sequences of at most 4 steps"):
        load(model, tmp_path)
