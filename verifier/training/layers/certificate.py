"""The Lipschitz constant of a module, certified from what it exports to: nothing is taken from the layers' theory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import nn

from verifier.lipschitz.constants import LipschitzConstants
from verifier.models.torch_module import serialised
from verifier.network.graph import Network
from verifier.readers.onnx import load_network
from verifier.training.layers.base import explicit


def exported_network(module: nn.Module, shape: tuple[int, ...]) -> Network:
    """The explicit module as the verifier reads it from its ONNX model.

    Args:
        module: any that exports.
        shape: of one sample, without the batch.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.onnx"
        path.write_bytes(serialised(explicit(module), torch.zeros(1, *shape)))
        return load_network(path)


def certified_constant(module: nn.Module, shape: tuple[int, ...]) -> float:
    """At least the 2-norm Lipschitz constant of the explicit module over the reals, rounding covered.

    Args:
        module: any that exports; its float32 weights are what is bounded.
        shape: of one sample, without the batch.
    """
    return LipschitzConstants(exported_network(module, shape), 2.0).of_outputs()
