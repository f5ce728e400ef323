"""Small ONNX models for the tests of the reader, and their comparison with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from verifier.network.graph import Network
from verifier.readers.onnx import load_network

Shape = tuple[int | str, ...]
FLOAT = TensorProto.FLOAT


def f32(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def draw(*shape: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Shape],
    outputs: Sequence[str],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 13,
) -> onnx.ModelProto:
    """A model with float32 inputs."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def operator(
    op: str, *operands: Shape | np.ndarray | None, opset: int = 13, outputs: int = 1, **attributes: Any
) -> onnx.ModelProto:
    """A model of one operator: a shape makes an input, an array a constant, None leaves an operand out."""
    inputs: dict[str, Shape] = {}
    constants: dict[str, np.ndarray] = {}
    names = []
    for k, operand in enumerate(operands):
        name = "" if operand is None else f"in{k}"
        names.append(name)
        if isinstance(operand, np.ndarray | np.generic):
            constants[name] = np.asarray(operand)
        elif operand is not None:
            inputs[name] = operand
    made = [f"out{k}" for k in range(outputs)]
    node = helper.make_node(op, names, made, name="it", **attributes)
    return model_of([node], inputs, made, constants, opset)


def load(model: onnx.ModelProto, folder: Path, simplify: bool = True) -> Network:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return load_network(path, simplify)


def run(network: Network, x: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes from the stored model at the flat input `x`."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network.model, options, providers=["CPUExecutionProvider"])
    feed, start = {}, 0
    for port in network.inputs:
        feed[port.name] = x[start : start + port.size].reshape(port.shape).astype(port.dtype)
        start += port.size
    results = session.run([p.name for p in network.outputs], feed)
    assert [tuple(r.shape) for r in results] == [p.shape for p in network.outputs]
    return np.concatenate([np.ravel(r) for r in results])


def assert_agrees(
    model: onnx.ModelProto, folder: Path, low: float = -2.0, high: float = 2.0, tolerance: float = 2e-6, points: int = 3
) -> None:
    """The network and ONNX Runtime compute the same, simplified or not, on random inputs from [low, high]."""
    networks = [load(model, folder, simplify) for simplify in (False, True)]
    rng = np.random.default_rng(7)
    for _ in range(points):
        x = rng.uniform(low, high, networks[0].input_size).astype(np.float32)
        wanted = run(networks[0], x).astype(np.float64)
        assert np.isfinite(wanted).all()
        scale = tolerance * max(1.0, np.abs(wanted).max(initial=0.0))
        for network in networks:
            got = network.forward(x.astype(np.float64)[None, :])[0]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=scale)
