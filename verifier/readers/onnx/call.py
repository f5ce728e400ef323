"""One ONNX node on its way through a lowering: its operands, its attributes, and how to complain about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.errors import ModelError
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.tensors import Tensor, Variable


@dataclass(frozen=True, eq=False)
class Call:
    """An operator applied to tensors.

    Attributes:
        graph: takes the nodes that the lowering makes.
        op: the operator's name.
        since: the version of the operator.
        inputs: its operands in order; None stands for an optional one left out.
        attributes: those given and the defaults of the others.
        outputs: how many outputs the node names.
        place: for messages.
    """

    graph: GraphBuilder
    op: str
    since: int
    inputs: tuple[Tensor | None, ...]
    attributes: dict[str, Any]
    outputs: int
    place: str

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute's value, or `default` where neither the node nor the standard gives one."""
        value = self.attributes.get(name)
        return default if value is None else value

    def flag(self, name: str) -> bool:
        """An attribute that is 0 or 1; 0 where nothing gives it a value. Runtimes disagree on other numbers."""
        value = self.attribute(name, 0)
        if value not in (0, 1):
            raise self.error(f"attribute '{name}' is {value}, neither 0 nor 1")
        return bool(value)

    def optional(self, index: int) -> Tensor | None:
        """Operand `index`, or None where it was left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def tensor(self, index: int) -> Tensor:
        """Operand `index`."""
        value = self.optional(index)
        if value is None:
            raise self.error(f"operand {index} is missing")
        return value

    def tensors(self) -> list[Tensor]:
        """All operands of an operator that takes any number."""
        return [self.tensor(i) for i in range(len(self.inputs))]

    def variable(self, index: int) -> Variable:
        """Operand `index` as a node of the graph; one is made for a constant."""
        value = self.tensor(index)
        return value if isinstance(value, Variable) else self.graph.constant(self.weights(value))

    def constant(self, index: int) -> np.ndarray:
        """Operand `index`, which this lowering needs to know now."""
        value = self.tensor(index)
        if isinstance(value, Variable):
            raise self.error(f"{self.op} is supported only where operand {index} is a constant")
        return value

    def optional_constant(self, index: int) -> np.ndarray | None:
        """Operand `index` if given."""
        return None if self.optional(index) is None else self.constant(index)

    def integers(self, index: int) -> list[int] | None:
        """Operand `index`, a constant vector (or scalar) of integers, if given."""
        value = self.optional_constant(index)
        if value is None:
            return None
        if not np.issubdtype(value.dtype, np.integer):
            raise self.error(f"operand {index} has type {value.dtype}, not an integer type")
        return [int(v) for v in value.reshape(-1)]

    def required_integers(self, index: int) -> list[int]:
        """Operand `index`, a constant vector (or scalar) of integers."""
        values = self.integers(index)
        if values is None:
            raise self.error(f"operand {index} is missing")
        return values

    def weights(self, value: np.ndarray) -> np.ndarray:
        """The constant as float64."""
        if value.dtype.kind in "OSU":
            raise self.error(f"a constant operand has type {value.dtype}")
        return value.astype(np.float64)

    def dtype(self, number: int) -> np.dtype:
        """The type of this number in TensorProto."""
        from onnx import helper

        try:
            return np.dtype(helper.tensor_dtype_to_np_dtype(number))
        except KeyError:
            raise self.error(f"{number} is no type of tensors") from None

    def axis(self, value: int, rank: int) -> int:
        """The axis counted from the front; negative ones count from the back."""
        if not -rank <= value < rank:
            raise self.error(f"axis {value} is outside a tensor of {rank} dimensions")
        return value % rank

    def error(self, cause: str, fix: str = "") -> ModelError:
        """An error that names this node."""
        return ModelError(cause, self.place, fix)
