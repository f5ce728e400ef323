"""What an ONNX tensor is while its graph is lowered: known now, or a node of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True)
class Variable:
    """A tensor that depends on the input: the value of graph node `node`, in ONNX shape `shape`, row-major."""

    node: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)


Tensor: TypeAlias = np.ndarray | Variable
"""A constant is a NumPy array in the model's own dtype."""
