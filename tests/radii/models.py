"""Small relu classifiers as ONNX files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx

from verifier.network.graph import Network
from verifier.readers.onnx import load_network


def write_relu_network(path: Path, seed: int, sizes: tuple[int, ...] = (2, 5, 3, 3)) -> Path:
    """A random fully connected relu network with these sizes of input, hidden layers and output."""
    rng = np.random.default_rng(seed)
    nodes, weights, last = [], [], "x"
    for k, (before, after) in enumerate(pairwise(sizes)):
        matrix = (rng.normal(size=(before, after)) / np.sqrt(before)).astype(np.float32)
        bias = (0.3 * rng.normal(size=after)).astype(np.float32)
        weights += [onnx.numpy_helper.from_array(matrix, f"w{k}"), onnx.numpy_helper.from_array(bias, f"b{k}")]
        nodes.append(onnx.helper.make_node("Gemm", [last, f"w{k}", f"b{k}"], [f"y{k}"]))
        last = f"y{k}"
        if k + 2 < len(sizes):
            nodes.append(onnx.helper.make_node("Relu", [last], [f"z{k}"]))
            last = f"z{k}"
    ports = [
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])]
        for name, size in (("x", sizes[0]), (last, sizes[-1]))
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", *ports, weights), opset_imports=[onnx.helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.save(model, path)
    return path


def relu_network(folder: Path, seed: int, sizes: tuple[int, ...] = (2, 5, 3, 3)) -> Network:
    return load_network(write_relu_network(folder / f"net{seed}.onnx", seed, sizes))
