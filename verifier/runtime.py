"""Sessions of ONNX Runtime: the one place that makes them, so that all of them compute what the model says.

Its optimisations are off. They fuse nodes into kernels that compute something else: with weights of int8, for one,
activations are rounded to eight bits as well, which is off by far more than float32's rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.errors import ModelError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session_of(model: bytes, place: str) -> InferenceSession:
    """A session on one thread of the CPU provider.

    Args:
        model: the serialised model, with all its tensors.
        place: what messages call it.

    Raises:
        ModelError: ONNX Runtime does not accept the model.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has no common base class for its errors
        raise ModelError(f"ONNX Runtime does not accept the model ({one_line(error)})", place) from error


def with_float32_ports(model: bytes) -> bytes:
    """A model whose inputs and outputs of type bfloat16 are float32 ones, by casts; their names are `widened`.

    A float32 input that is a bfloat16 number, and every bfloat16 output, is cast without rounding. The runtime's
    Python interface knows no arrays of that type.

    Args:
        model: a serialised model.
    """
    import onnx
    from onnx import TensorProto, helper

    read = onnx.load_model_from_string(model)
    graph, stored = read.graph, {tensor.name for tensor in read.graph.initializer}
    nodes = list(graph.node)
    for port in graph.input:
        kind = port.type.tensor_type
        if kind.elem_type == TensorProto.BFLOAT16 and port.name not in stored:
            nodes.insert(0, helper.make_node("Cast", [widened(port.name)], [port.name], to=TensorProto.BFLOAT16))
            port.name, kind.elem_type = widened(port.name), TensorProto.FLOAT
    for port in graph.output:
        kind = port.type.tensor_type
        if kind.elem_type == TensorProto.BFLOAT16:
            nodes.append(helper.make_node("Cast", [port.name], [widened(port.name)], to=TensorProto.FLOAT))
            port.name, kind.elem_type = widened(port.name), TensorProto.FLOAT
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(read.SerializeToString())


def widened(name: str) -> str:
    """What an input or output of type bfloat16 is called where it is made float32."""
    return f"{name} as float32"


def run(session: InferenceSession, wanted: Sequence[str], feed: dict[str, np.ndarray], place: str) -> list[Any]:
    """The outputs named `wanted`.

    Raises:
        ModelError: ONNX Runtime accepted the model and cannot run it.
    """
    try:
        return list(session.run(list(wanted), feed))
    except Exception as error:
        cause = f"ONNX Runtime loads the model and cannot run it ({one_line(error)})"
        raise ModelError(cause, place, "check the model's shapes and attributes, or export it again") from error


def one_line(error: Exception) -> str:
    """The message of an error with its lines joined."""
    return " ".join(str(error).split())


def tensor_of(values: np.ndarray, name: str, dtype: str) -> bytes:
    """A serialised TensorProto of that type, which holds the values as they are; they are numbers of it."""
    from onnx import TensorProto, helper, numpy_helper

    if dtype != "bfloat16":
        return bytes(numpy_helper.from_array(values.astype(dtype), name).SerializeToString())
    flat = [float(value) for value in values.reshape(-1)]
    return bytes(helper.make_tensor(name, TensorProto.BFLOAT16, values.shape, flat).SerializeToString())
