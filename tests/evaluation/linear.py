"""Linear classifiers as ONNX files, whose robust accuracy is known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from verifier.network.graph import Network
from verifier.readers.onnx import load_network


def write_linear(path: Path, weight: np.ndarray) -> Path:
    """The network x -> W x, for W of shape (classes, inputs)."""
    matrix = onnx.numpy_helper.from_array(weight.T.astype(np.float32), "w")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    ports = [
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, size])]
        for name, size in (("x", weight.shape[1]), ("y", weight.shape[0]))
    ]
    graph = onnx.helper.make_graph([node], "g", *ports, [matrix])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


def linear_network(folder: Path, weight: np.ndarray) -> Network:
    return load_network(write_linear(folder / "linear.onnx", weight))


def distances(weight: np.ndarray, x: np.ndarray, norm: float) -> np.ndarray:
    """Of samples (N, inputs) to where their class changes, shape (N,); x may be anywhere."""
    scores = x @ weight.T
    labels = scores.argmax(axis=1)
    found = []
    for n, label in enumerate(labels):
        others = np.delete(np.arange(len(weight)), label)
        rows = weight[label] - weight[others]
        dual = {1.0: np.inf, 2.0: 2, np.inf: 1}[norm]
        found.append(((scores[n, label] - scores[n, others]) / np.linalg.norm(rows, ord=dual, axis=1)).min())
    return np.array(found)
