"""A trained network as an ONNX model with plain weights, checked to say the same in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from verifier.errors import ModelError
from verifier.evidence.replay import Replay
from verifier.evidence.result_files import write_whole
from verifier.models.torch_module import serialised
from verifier.network.graph import Network
from verifier.readers.onnx import load_network
from verifier.training.layers.base import explicit

TOLERANCE = 1e-4
"""How far the runtime's outputs may be from torch's, relative to the largest of them: float32 in another order."""


def export(network: nn.Module, samples: np.ndarray, path: Path) -> Network:
    """Writes the model, whole, and reads it back.

    Args:
        network: a trained one; its 1-Lipschitz layers are made explicit.
        samples: to compare outputs on, float32, shape (N, features), N at least 1.
        path: of the model.

    Returns:
        The network as the verifier reads it.

    Raises:
        ModelError: weights are no numbers, or ONNX Runtime computes something else.
        UsageError: the file cannot be written.
    """
    network = explicit(network)
    for name, value in network.state_dict().items():
        if not bool(torch.isfinite(value).all()):
            fix = "train with a smaller rate or another kind of layer: zero weights cannot be divided by their norm"
            raise ModelError("weights that are no numbers", f"{path}, layer {name}", fix)
    write_whole(path, serialised(network, torch.from_numpy(samples[:1])))
    read = load_network(path)
    replay = Replay(read)
    with torch.no_grad():
        expected = network(torch.from_numpy(samples)).numpy().astype(np.float64)
    found = np.stack([replay.run(sample) for sample in samples])
    error = float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
    if not error <= TOLERANCE:
        cause = f"the exported network's outputs are off by {error:.2g} in ONNX Runtime"
        raise ModelError(cause, str(path), "please report it with the recipe")
    return read
