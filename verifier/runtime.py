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
