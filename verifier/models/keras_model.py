"""A Keras model as a network, by tf2onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from verifier.errors import ModelError, missing_package
from verifier.models.agreement import agree, tried
from verifier.network.graph import Network
from verifier.readers.onnx import network_of


def from_keras(model: Any, example: Any = None) -> Network:
    """A built Keras model of one input as a network.

    Args:
        model: with `input_shape`.
        example: to compare at, without its batch dimension; zeros if not given.

    Raises:
        UsageError: tf2onnx is not installed.
        ModelError: it has several inputs or no known shape, cannot be converted, or the converted model computes
            something else.
    """
    name = getattr(model, "name", type(model).__name__)
    try:
        import tf2onnx.convert
    except ImportError as error:
        raise missing_package(error) or error from error
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(length, int) for length in shape[1:]):
        fix = "build it with a fixed shape of one input, or convert it yourself and give the .onnx file"
        raise ModelError(f"a Keras model with inputs of shape {shape}", name, fix)
    try:
        converted, _ = tf2onnx.convert.from_keras(model)
    except Exception as error:  # tf2onnx has no common base class for its errors
        cause = f"tf2onnx cannot convert it ({' '.join(str(error).split())[:200]})"
        raise ModelError(cause, name, "convert it yourself, and give the .onnx file") from error
    network = network_of(converted.SerializeToString(), Path(name))
    sample = np.zeros(shape[1:]) if example is None else np.asarray(example, np.float64)
    if sample.size != network.input_size:
        return network  # what is wrong with the sample is told by those who ask about it
    inputs = tried(sample.reshape(shape[1:])).astype(np.float32)
    expected = np.asarray(model(inputs, training=False), np.float64).reshape(len(inputs), -1)
    return agree(network, inputs.reshape(len(inputs), -1).astype(np.float64), expected, "Keras")
