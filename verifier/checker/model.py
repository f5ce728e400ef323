"""Reads an ONNX model as a graph, from the standard's definitions of its operators.

What only moves entries (reshaping, slicing, transposing ...) makes no node: a tensor is a node and, for each of its
entries, the number of the node's entry that it is, -1 for a zero. What has no meaning here is refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from verifier.checker.files import MODEL, contents, decoded
from verifier.checker.graph import Graph, Input, Unreadable
from verifier.checker.operators import OPERATORS
from verifier.checker.operators.call import Builder, Call, Tensor, Value
from verifier.checker.operators.logic import TYPED
from verifier.checker.quotients import centred
from verifier.checker.tidy import tidied

FLOATS = tuple(getattr(onnx.TensorProto, name) for name in ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"))
OLDEST, NEWEST = 7, 25
"""Versions of the standard's operators."""
COMMON = {
    "Add": 2, "AveragePool": 1, "BatchNormalization": 5, "Constant": 0, "Conv": 3, "Div": 2, "Exp": 1, "Flatten": 1,
    "Gather": 2, "Gemm": 3, "Identity": 1, "LeakyRelu": 1, "MatMul": 2, "MaxPool": 1, "Mul": 2, "Relu": 1, "Reshape": 2,
    "Sigmoid": 1, "Softmax": 1, "Sub": 2, "Tanh": 1, "Transpose": 1,
}  # fmt: skip
"""Operators of all versions, with their operands at most: onnx takes as long to look one up as all of a small proof."""
MEANINGLESS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError)
"""What reading raises where something has no meaning here."""


def read_model(path: Path) -> Graph:
    """The graph of a model.

    Raises:
        Unreadable: it is no model, or has something that is not known here.
    """
    model = decoded(path, contents(path, MODEL))
    if any(a.t.data_location == onnx.TensorProto.EXTERNAL for n in model.graph.node for a in n.attribute):
        raise Unreadable(f"{path}: an attribute's tensor is in another file")
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise Unreadable(f"{path}: tensors in other files ({type(error).__name__}: {error})") from error
    try:
        with np.errstate(all="ignore"):  # constants that are no numbers are refused where they are used
            return tidied(centred(tidied(Reader(model).graph)))
    except MEANINGLESS as error:
        raise Unreadable(f"{path}: {error}") from error


class Reader:
    """Reads one model; `graph` is the result."""

    def __init__(self, model: onnx.ModelProto) -> None:
        versions = sorted({o.version for o in model.opset_import if o.domain in ("", "ai.onnx")})
        if len(versions) != 1 or not OLDEST <= versions[0] <= NEWEST:
            raise Unreadable(f"operator sets {versions}: one from {OLDEST} to {NEWEST} is known to the checker")
        if model.functions or model.graph.sparse_initializer:
            raise Unreadable("local functions and sparse tensors are not known to the checker")
        self.version = versions[0]
        self.values: dict[str, Value] = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.graph = Graph([])
        self.build = Builder(self.graph)
        inputs = [i for i in model.graph.input if i.name not in self.values]
        shapes = [_shape(i) for i in inputs]
        sizes = [int(np.prod(shape)) for shape in shapes]
        self.graph.add(Input(sum(sizes)))
        for info, shape, end in zip(inputs, shapes, np.cumsum(sizes), strict=True):
            size = int(np.prod(shape))
            self.values[info.name] = Tensor(0, np.arange(end - size, end).reshape(shape))
        self.build.double = any(i.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for i in inputs)
        for node in model.graph.node:
            self._read(node)
        outputs = [self.build.tensor(self.values[o.name]) for o in model.graph.output]
        flat = [Tensor(x.node, x.index.ravel()) for x in outputs]
        self.graph.output = self.build.whole(self.build.joined(flat, 0))

    def _read(self, node: onnx.NodeProto) -> None:
        name = next(filter(None, node.output), "")
        where = f"node '{name}' ({node.op_type})"
        most = _operands(node.op_type, self.version) if node.domain in ("", "ai.onnx") else None
        if most is None or node.op_type not in OPERATORS:
            raise Unreadable(f"{where}: this operator is not known to the checker, or not in version {self.version}")
        if len(node.input) > most:
            raise Unreadable(f"{where}: more operands than there are in version {self.version}")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            operands = [self.values[name] if name else None for name in node.input]
            if node.op_type not in TYPED and any(isinstance(v, Tensor) and v.kind != "float" for v in operands):
                raise ValueError("of truth values or whole numbers that depend on the input")
            call = Call(self.build, self.version, name, len(node.output), operands, attributes)
            results = OPERATORS[node.op_type](call)
            if attributes:
                raise ValueError(f"attributes {sorted(attributes)}")
        except MEANINGLESS as error:
            raise Unreadable(f"{where}: {error}") from error
        results = results if isinstance(results, list) else [results]
        self.values.update(zip(node.output, results, strict=False))


def _operands(operator: str, version: int) -> int | None:
    """How many operands an operator has at most in a version of the standard; None where there is no such operator."""
    if operator in COMMON:
        return COMMON[operator]
    return onnx.defs.get_schema(operator, version, "").max_input if onnx.defs.has(operator, version, "") else None


def _shape(info: onnx.ValueInfoProto) -> tuple[int, ...]:
    """An input's shape; dimensions without a number, the batch as a rule, are 1."""
    kind = info.type.tensor_type
    if kind.elem_type not in FLOATS:
        raise Unreadable(f"input '{info.name}': it is no tensor of floating-point numbers")
    if any(d.HasField("dim_value") and d.dim_value == 0 for d in kind.shape.dim):
        raise Unreadable(f"input '{info.name}': it has no entries")
    return tuple(d.dim_value if d.dim_value > 0 else 1 for d in kind.shape.dim)
