"""Verdicts on small quantised and recurrent models, on both sides of what their outputs reach."""

import numpy as np
import pytest
from onnx import helper

import verifier
from tests.readers.onnx_models import draw, load, model_of
from verifier.readers.vnnlib import load_property


def quantised_cnn():
    """A convolution and a dense layer between QuantizeLinear and DequantizeLinear, weights in int8."""
    rng = np.random.default_rng(4)
    constants = {
        "s": np.float32(1 / 255), "z": np.uint8(0), "s1": np.float32(0.02), "z1": np.uint8(0),
        "W": rng.integers(-60, 61, (3, 1, 3, 3)).astype(np.int8), "sw": np.float32(0.01), "zw": np.int8(0),
        "V": rng.integers(-60, 61, (12, 2)).astype(np.int8), "sv": np.float32(0.01), "shape": np.array([1, 12]),
    }  # fmt: skip
    made = [
        ("QuantizeLinear", ["x", "s", "z"], "q"), ("DequantizeLinear", ["q", "s", "z"], "d"),
        ("DequantizeLinear", ["W", "sw", "zw"], "w"), ("Conv", ["d", "w"], "c"), ("Relu", ["c"], "r"),
        ("QuantizeLinear", ["r", "s1", "z1"], "q1"), ("DequantizeLinear", ["q1", "s1", "z1"], "d1"),
        ("Reshape", ["d1", "shape"], "f"), ("DequantizeLinear", ["V", "sv", "zw"], "v"), ("MatMul", ["f", "v"], "y"),
    ]  # fmt: skip
    return model_of([helper.make_node(op, a, [b]) for op, a, b in made], {"x": (1, 1, 4, 4)}, ["y"], constants)


def lstm():
    """20 steps of two numbers, and a dense layer on the last state."""
    constants = {"W": draw(1, 16, 2), "R": draw(1, 16, 4, seed=1), "B": draw(1, 32, seed=2), "V": draw(4, 2, seed=3)}
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B"], ["a", "h", "c"], hidden_size=4),
        helper.make_node("Squeeze", ["h", "axis"], ["last"]),
        helper.make_node("MatMul", ["last", "V"], ["y"]),
    ]
    return model_of(nodes, {"x": (20, 1, 2)}, ["y"], {**constants, "axis": np.array([0])})


def question(network, middle, radius, threshold, folder):
    """Whether output 0 reaches the threshold within the radius."""
    size = network.input_size
    lines = [f"(declare-const X_{k} Real)" for k in range(size)] + [f"(declare-const Y_{k} Real)" for k in range(2)]
    for k, x in enumerate(middle):
        lines += [f"(assert (>= X_{k} {x - radius:.9f}))", f"(assert (<= X_{k} {x + radius:.9f}))"]
    path = folder / "prop.vnnlib"
    path.write_text("\n".join([*lines, f"(assert (>= Y_0 {threshold:.9f}))"]))
    return load_property(path, network)


@pytest.mark.parametrize(("build", "radius"), [(quantised_cnn, 0.01), (lstm, 0.02)])
def test_both_verdicts(build, radius, tmp_path):
    network = load(build(), tmp_path)
    rng = np.random.default_rng(0)
    middle = rng.uniform(0.3, 0.7, network.input_size)
    x = middle + rng.uniform(-radius, radius, (500, network.input_size))
    values = network.forward(x)[:, 0]
    spread = values.max() - values.min()
    options = verifier.Options(timeout=20)
    reached = question(network, middle, radius, np.quantile(values, 0.5), tmp_path)
    assert verifier.verify(network, reached, options=options).status == "sat"
    beyond = question(network, middle, radius, values.max() + 3 * spread, tmp_path)
    assert verifier.verify(network, beyond, options=options).status == "unsat"
