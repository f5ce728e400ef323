"""Whether a converted model computes what its library does."""

from __future__ import annotations

import numpy as np

from verifier.errors import ModelError
from verifier.evidence.replay import Replay
from verifier.network.graph import Network

TOLERANCE = 1e-4
"""How far outputs may be apart, relative to the largest of them and absolutely below 1: float32 in another order."""


def agree(network: Network, inputs: np.ndarray, expected: np.ndarray, library: str) -> Network:
    """The network itself, where ONNX Runtime computes what the library does.

    Args:
        inputs: float64, shape (N, input_size).
        expected: the library's outputs, shape (N, output_size).
        library: for messages.

    Raises:
        ModelError: it does not.
    """
    if expected.shape != (len(inputs), network.output_size):
        cause = f"{library} gives {expected[0].size} outputs, the converted model has {network.output_size}"
        raise ModelError(cause, network.name, "convert it yourself and give the .onnx file")
    replay = Replay(network)
    for x, y in zip(inputs, expected, strict=True):
        found = replay.run(x)
        error = np.abs(found - y).max(initial=0.0) / max(1.0, float(np.abs(y).max(initial=0.0)))
        if not error <= TOLERANCE:
            cause = f"the converted model's outputs are off by {error:.2g} from {library}'s at some input"
            fix = (
                "does it choose by its input's values, or draw random numbers? Convert it yourself, give the .onnx file"
            )
            raise ModelError(cause, network.name, fix)
    return network


def tried(sample: np.ndarray, count: int = 8) -> np.ndarray:
    """Inputs to compare at: the sample, and others near it and farther away; float64, shape (count, *sample.shape)."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(0.1, 3.0, count - 1) * (1.0 + np.abs(sample).max(initial=0.0))
    return np.stack([sample, *(sample + scale * rng.standard_normal(sample.shape) for scale in scales)])
