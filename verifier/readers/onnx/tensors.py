"""What an ONNX tensor is while its graph is lowered: known now, or a node of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True)
class Variable:
    """A tensor that depends on the input: the value of graph node `node`, in ONNX shape `shape`, row-major.

    Attributes:
        dtype: the type of the entries in the model; None while a lowering has not said it (`types`).
        masked: entries that are minus infinity, whatever the node's value, booleans of shape `shape`; None without any.
            Attention is masked so; Softmax, whose exponentials are 0 there, is the one operator that takes them.
        positive: whether every entry is known to be above 0.
        shares: whether, besides, every row (along the last axis) is known to add up to 1.
    """

    node: int
    shape: tuple[int, ...]
    dtype: np.dtype | None = None
    masked: np.ndarray | None = field(default=None, compare=False, repr=False)
    positive: bool = field(default=False, compare=False)
    shares: bool = field(default=False, compare=False)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def integral(self) -> bool:
        """Whether the entries are of an integer type, or booleans."""
        return self.dtype is not None and self.dtype.kind in "iub"

    @property
    def ndim(self) -> int:
        return len(self.shape)


def is_float(dtype: np.dtype) -> bool:
    """Whether a type is one of the floats that networks compute in; bfloat16 is one that NumPy itself does not know."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def unmasked(tensor: Tensor) -> tuple[Tensor, np.ndarray]:
    """The tensor with 0 in the place of a constant's entries of minus infinity, and where those are."""
    if isinstance(tensor, Variable):
        return tensor, np.zeros(tensor.shape, bool) if tensor.masked is None else tensor.masked
    mask = np.isneginf(tensor) if is_float(tensor.dtype) else np.zeros(tensor.shape, bool)
    return np.where(mask, np.zeros((), tensor.dtype), tensor) if mask.any() else tensor, mask


def with_mask(tensor: Tensor, mask: np.ndarray) -> Tensor:
    """The tensor with the entries of `mask`, which broadcasts to its shape, minus infinity."""
    if not mask.any():
        return tensor
    mask = np.broadcast_to(mask, tensor.shape)
    return replace(tensor, masked=mask) if isinstance(tensor, Variable) else np.where(mask, -np.inf, tensor)


Tensor: TypeAlias = np.ndarray | Variable
"""A constant is a NumPy array in the model's own dtype."""
