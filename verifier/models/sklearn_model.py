"""A scikit-learn estimator or pipeline as a network, by skl2onnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from verifier.errors import ModelError, missing_package
from verifier.models.agreement import agree, tried
from verifier.network.graph import Network
from verifier.readers.onnx import network_of


def from_sklearn(model: Any, example: Any = None) -> Network:
    """A fitted estimator or pipeline as a network; of a classifier its probabilities.

    Args:
        model: with `n_features_in_`.
        example: to compare at, flat; zeros if not given.

    Raises:
        UsageError: skl2onnx is not installed.
        ModelError: it is not fitted, cannot be converted, or the converted model computes something else.
    """
    name = type(model).__name__
    try:
        from skl2onnx import to_onnx
    except ImportError as error:
        raise missing_package(error) or error from error
    count = getattr(model, "n_features_in_", None)
    if count is None:
        raise ModelError("the model is not fitted", name, "fit it first")
    sample = np.zeros(count) if example is None else np.asarray(example, np.float64).reshape(-1)
    classifies = hasattr(model, "predict_proba")
    options = {id(model): {"zipmap": False}} if classifies else None
    try:
        converted = to_onnx(model, np.zeros((1, count), np.float32), options=options)
    except Exception as error:  # skl2onnx has no common base class for its errors
        cause = f"skl2onnx cannot convert it ({' '.join(str(error).split())[:200]})"
        raise ModelError(cause, name, "convert it yourself, and give the .onnx file") from error
    network = network_of(converted.SerializeToString(), Path(name))
    if len(sample) != count:
        return network  # what is wrong with the sample is told by those who ask about it
    inputs = tried(sample).astype(np.float32).astype(np.float64)
    found = model.predict_proba(inputs) if classifies else model.predict(inputs)
    return agree(network, inputs, np.asarray(found, np.float64).reshape(len(inputs), -1), "scikit-learn")
