"""Reads an ONNX model as a graph, from the standard's definitions of its operators.

What only moves entries (reshaping, slicing, transposing ...) makes no node: a tensor is a node and, for each of its
entries, the number of the node's entry that it is, -1 for a zero. What has no meaning here is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from verifier.checker.graph import Function, Graph, Input, Linear, Product, Unreadable
from verifier.checker.linear import Adjoint, Array, Convolution, Dense, Map, Move
from verifier.checker.tidy import tidied

OLDEST, NEWEST = 7, 25
"""Versions of the standard's operators."""
HALF_UNIT = 2.0**-52
"""More than one rounding of a weight."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """Entries of a node, in the tensor's shape; -1 is a zero."""

    node: int
    index: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape


Value = Tensor | Array
Attributes = dict[str, Any]


def read_model(path: Path) -> Graph:
    """The graph of a model.

    Raises:
        Unreadable: it is no model, or has something that is not known here.
    """
    try:
        model = onnx.load_model_from_string(path.read_bytes()) if path.suffix != ".gz" else _zipped(path)
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise Unreadable(f"{path}: no ONNX model ({type(error).__name__}: {error})") from error
    return tidied(Reader(model).graph)


def _zipped(path: Path) -> onnx.ModelProto:
    import gzip

    return onnx.load_model_from_string(gzip.decompress(path.read_bytes()))


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
        inputs = [i for i in model.graph.input if i.name not in self.values]
        shapes = [_shape(i) for i in inputs]
        sizes = [int(np.prod(shape)) for shape in shapes]
        self.graph.add(Input(sum(sizes)))
        for info, shape, end in zip(inputs, shapes, np.cumsum(sizes), strict=True):
            size = int(np.prod(shape))
            self.values[info.name] = Tensor(0, np.arange(end - size, end).reshape(shape))
        for node in model.graph.node:
            self._read(node)
        self._finish([self.values[o.name] for o in model.graph.output])

    def _read(self, node: onnx.NodeProto) -> None:
        where = f"node '{node.output[0]}' ({node.op_type})"
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise Unreadable(f"{where}: this operator is not known to the checker")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            operands = [self.values[name] if name else None for name in node.input]
            results = OPERATORS[node.op_type](Call(self, node.output[0], operands, attributes))
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise Unreadable(f"{where}: {error}") from error
        results = results if isinstance(results, list) else [results]
        self.values.update(zip(node.output, results, strict=False))

    def _finish(self, outputs: list[Value]) -> None:
        """One last node that has all outputs, one after another."""
        parts = [self.tensor(v) for v in outputs]
        self.graph.output = self.joined([Tensor(p.node, p.index.ravel()) for p in parts], 0).node

    # What operators are made of.

    def tensor(self, value: Value | None) -> Tensor:
        """A value as a tensor; a constant becomes a node."""
        if isinstance(value, Tensor):
            return value
        if value is None:
            raise ValueError("an operand is missing")
        flat = _real(value)
        return Tensor(self.graph.add(Linear((), (), flat)), np.arange(flat.size).reshape(value.shape))

    def whole(self, tensor: Tensor) -> int:
        """A node whose entries are the tensor's, in order."""
        index = tensor.index.ravel()
        size = self.graph.nodes[tensor.node].size
        if index.size == size and (index == np.arange(size)).all():
            return tensor.node
        return self.graph.add(Linear((tensor.node,), (Move(index, size),), np.zeros(index.size)))

    def linear(self, parts: list[tuple[int, Map]], bias: Array, shape: tuple[int, ...], slack: float = 0.0) -> Tensor:
        """The value of a new linear node."""
        nodes, maps = tuple(k for k, _ in parts), tuple(m for _, m in parts)
        number = self.graph.add(Linear(nodes, maps, np.asarray(bias, float).ravel(), slack))
        return Tensor(number, np.arange(int(np.prod(shape))).reshape(shape))

    def moved(self, tensor: Tensor, factor: Array | None, bias: Array | None, slack: float = 0.0) -> Tensor:
        """Factor * tensor + bias, entry by entry."""
        size = self.graph.nodes[tensor.node].size
        index = tensor.index.ravel()
        by = None if factor is None else np.broadcast_to(_shaped(factor), tensor.shape).ravel()
        add = np.zeros(index.size) if bias is None else np.broadcast_to(_shaped(bias), tensor.shape).ravel()
        return self.linear([(tensor.node, Move(index, size, by, slack))], add, tensor.shape)

    def function(self, kind: str, tensor: Tensor, name: str) -> Tensor:
        """A function of every entry; `name` is how proofs call what it is taken of."""
        operand = self.whole(tensor)
        self.graph.quantities[name] = operand
        number = self.graph.add(Function((operand,), kind, tensor.index.size, name))
        return Tensor(number, np.arange(tensor.index.size).reshape(tensor.shape))

    def product(self, a: Tensor, b: Tensor, name: str) -> Tensor:
        """Both, broadcast, entry by entry."""
        if a.node == b.node and np.array_equal(a.index, b.index):
            return self.function("square", a, f"{name}.square")
        a, b = self.broadcast(a, b)
        x, y = self.whole(a), self.whole(b)
        names = f"{name}.left", f"{name}.right"
        self.graph.quantities.update(zip(names, (x, y), strict=True))
        number = self.graph.add(Product((x, y), a.index.size, names))
        return Tensor(number, np.arange(a.index.size).reshape(a.shape))

    def sum(self, a: Tensor, b: Tensor, sign: float = 1.0) -> Tensor:
        """A + sign b, broadcast."""
        a, b = self.broadcast(a, b)
        nodes = self.graph.nodes
        minus = None if sign == 1.0 else np.full(b.index.size, sign)
        left = Move(a.index.ravel(), nodes[a.node].size)
        right = Move(b.index.ravel(), nodes[b.node].size, minus)
        return self.linear([(a.node, left), (b.node, right)], np.zeros(a.index.size), a.shape)

    @staticmethod
    def broadcast(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        shape = np.broadcast_shapes(a.shape, b.shape)
        return Tensor(a.node, np.broadcast_to(a.index, shape)), Tensor(b.node, np.broadcast_to(b.index, shape))

    def joined(self, parts: list[Tensor], axis: int) -> Tensor:
        """One after another along an axis."""
        if len({p.node for p in parts}) == 1:
            whole = Tensor(parts[0].node, np.concatenate([p.index for p in parts], axis))
            return Tensor(self.whole(whole), np.arange(whole.index.size).reshape(whole.shape))
        number = np.concatenate([np.full(p.shape, k) for k, p in enumerate(parts)], axis)
        index = np.concatenate([p.index for p in parts], axis)
        maps: list[tuple[int, Map]] = []
        for k, part in enumerate(parts):
            own = np.where(number == k, index, -1).ravel()
            maps.append((part.node, Move(own, self.graph.nodes[part.node].size)))
        return self.linear(maps, np.zeros(index.size), index.shape)


@dataclass(frozen=True, eq=False)
class Call:
    """One node of the model: its output's name, operands and attributes."""

    reader: Reader
    name: str
    operands: list[Value | None]
    attributes: Attributes

    def __getitem__(self, k: int) -> Value:
        value = self.operands[k] if k < len(self.operands) else None
        if value is None:
            raise ValueError(f"operand {k} is missing")
        return value

    def tensor(self, k: int) -> Tensor:
        return self.reader.tensor(self[k])

    def constant(self, k: int, attribute: str = "") -> Array:
        """An operand, or in older versions an attribute, that must be constant."""
        if k < len(self.operands) and self.operands[k] is not None:
            value = self.operands[k]
            if isinstance(value, Tensor):
                raise ValueError(f"operand {k} depends on the input")
            return np.asarray(value)
        if attribute in self.attributes:
            return np.asarray(self.attributes[attribute])
        raise ValueError(f"operand {k} is missing")

    def has(self, k: int) -> bool:
        return k < len(self.operands) and self.operands[k] is not None

    @property
    def all_constant(self) -> bool:
        return not any(isinstance(v, Tensor) for v in self.operands)


def _shape(info: onnx.ValueInfoProto) -> tuple[int, ...]:
    """An input's shape; dimensions without a number, the batch as a rule, are 1."""
    kind = info.type.tensor_type
    if kind.elem_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        raise Unreadable(f"input '{info.name}': it is no tensor of floating-point numbers")
    return tuple(d.dim_value if d.dim_value > 0 else 1 for d in kind.shape.dim)


def _real(value: Array) -> Array:
    """A constant's entries as doubles, which they must be exactly."""
    flat = np.asarray(value).ravel()
    real = flat.astype(np.float64)
    if not np.isfinite(real).all() or (flat.dtype.kind in "iu" and (np.abs(flat.astype(object)) > 2**53).any()):
        raise ValueError("a constant is not finite")
    return real


def _shaped(value: Array) -> Array:
    return _real(value).reshape(np.shape(value))


def _moving(act: Callable[[Call, Array], Array]) -> Callable[[Call], Value]:
    """An operator that moves entries: what it does to an array, done to indices or to a constant."""

    def read(call: Call) -> Value:
        value = call[0]
        if isinstance(value, Tensor):
            return Tensor(value.node, act(call, value.index))
        return act(call, np.asarray(value))

    return read


def _reshape(call: Call, x: Array) -> Array:
    shape = [int(n) for n in call.constant(1, "shape")]
    if not call.attributes.get("allowzero", 0):
        shape = [x.shape[k] if n == 0 else n for k, n in enumerate(shape)]
    return x.reshape(shape)


def _flatten(call: Call, x: Array) -> Array:
    axis = int(call.attributes.get("axis", 1))
    axis += x.ndim if axis < 0 else 0
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _transpose(call: Call, x: Array) -> Array:
    return x.transpose(call.attributes.get("perm"))


def _axes(call: Call, k: int) -> tuple[int, ...] | None:
    if call.has(k) or "axes" in call.attributes:
        return tuple(int(a) for a in call.constant(k, "axes"))
    return None


def _squeeze(call: Call, x: Array) -> Array:
    return np.squeeze(x, _axes(call, 1))


def _unsqueeze(call: Call, x: Array) -> Array:
    axes = _axes(call, 1)
    if axes is None:
        raise ValueError("without axes")
    return np.expand_dims(x, axes)


def _gather(call: Call, x: Array) -> Array:
    return np.take(x, call.constant(1).astype(np.int64), int(call.attributes.get("axis", 0)))


def _expand(call: Call, x: Array) -> Array:
    shape = np.broadcast_shapes(x.shape, tuple(int(n) for n in call.constant(1)))
    return np.broadcast_to(x, shape)


def _slice(call: Call, x: Array) -> Array:
    starts, ends = (call.constant(k, name) for k, name in ((1, "starts"), (2, "ends")))
    has_axes = call.has(3) or "axes" in call.attributes
    axes = call.constant(3, "axes") if has_axes else np.arange(len(starts))
    steps = call.constant(4) if call.has(4) else np.ones(len(starts), int)
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        if step < 1:
            raise ValueError("a step below 1")
        x = np.moveaxis(np.moveaxis(x, axis, 0)[slice(start, end, step)], 0, axis)
    return x


def _pad(call: Call) -> Value:
    x = call.tensor(0)
    if call.attributes.get("mode", b"constant") != b"constant" or call.has(3):
        raise ValueError("another mode than constant, or axes")
    if (call.has(2) and np.any(call.constant(2))) or call.attributes.get("value", 0.0):
        raise ValueError("another padding than zeros")
    pads = call.constant(1, "pads").astype(int)
    if (pads < 0).any():
        raise ValueError("negative padding")
    widths = list(zip(pads[: len(pads) // 2].tolist(), pads[len(pads) // 2 :].tolist(), strict=True))
    return Tensor(x.node, np.pad(x.index, widths, constant_values=-1))


def _concat(call: Call) -> Value:
    axis = int(call.attributes["axis"])
    if call.all_constant:
        return np.concatenate([np.asarray(v) for v in call.operands], axis)
    return call.reader.joined([call.reader.tensor(v) for v in call.operands], axis)


def _split(call: Call) -> list[Value]:
    x, axis = call.tensor(0), int(call.attributes.get("axis", 0))
    if call.has(1) or "split" in call.attributes:
        ends = np.cumsum(call.constant(1, "split"))[:-1]
    else:
        raise ValueError("without the sizes of its parts")
    return [Tensor(x.node, part) for part in np.split(x.index, ends, axis)]


def _constant(call: Call) -> Value:
    (name, value), *others = call.attributes.items()
    if others or name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        raise ValueError(f"attribute {name}")
    return np.asarray(numpy_helper.to_array(value) if name == "value" else value)


def _constant_of_shape(call: Call) -> Value:
    value = numpy_helper.to_array(call.attributes["value"]) if "value" in call.attributes else np.zeros(1, np.float32)
    return np.full(tuple(call.constant(0).tolist()), value.ravel()[0], value.dtype)


def _shape_of(call: Call) -> Value:
    value = call[0]
    return np.array(value.shape, np.int64)


def _add(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.reader.sum(a, b)
    if isinstance(a, Tensor):
        return call.reader.moved(_spread(a, np.asarray(b)), None, np.asarray(b))
    if isinstance(b, Tensor):
        return call.reader.moved(_spread(b, np.asarray(a)), None, np.asarray(a))
    return _whole_numbers(a + b)


def _sub(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.reader.sum(a, b, -1.0)
    if isinstance(a, Tensor):
        return call.reader.moved(_spread(a, np.asarray(b)), None, -_shaped(np.asarray(b)))
    if isinstance(b, Tensor):
        return call.reader.moved(_spread(b, np.asarray(a)), np.array(-1.0), np.asarray(a))
    return _whole_numbers(a - b)


def _mul(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.reader.product(a, b, call.name)
    if isinstance(a, Tensor):
        return call.reader.moved(_spread(a, np.asarray(b)), np.asarray(b), None)
    if isinstance(b, Tensor):
        return call.reader.moved(_spread(b, np.asarray(a)), np.asarray(a), None)
    return _whole_numbers(a * b)


def _div(call: Call) -> Value:
    a, b = call[0], call[1]
    if not isinstance(b, Tensor):
        if not isinstance(a, Tensor) or np.asarray(b).dtype.kind != "f":
            raise ValueError("a division of constants")
        return call.reader.moved(_spread(a, np.asarray(b)), 1.0 / _shaped(np.asarray(b)), None, HALF_UNIT)
    inverse = call.reader.function("reciprocal", b, f"{call.name}.divisor")
    if isinstance(a, Tensor):
        return call.reader.product(a, inverse, call.name)
    return call.reader.moved(_spread(inverse, np.asarray(a)), np.asarray(a), None)


def _spread(tensor: Tensor, constant: Array) -> Tensor:
    """A tensor in the shape that it has beside a constant."""
    shape = np.broadcast_shapes(tensor.shape, np.shape(constant))
    return Tensor(tensor.node, np.broadcast_to(tensor.index, shape))


def _whole_numbers(value: Array) -> Array:
    if np.asarray(value).dtype.kind not in "iu":
        raise ValueError("arithmetic of constants that are no whole numbers")
    return np.asarray(value)


def _mod(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) or isinstance(b, Tensor) or call.attributes.get("fmod", 0):
        raise ValueError("of what depends on the input, or fmod")
    return _whole_numbers(np.mod(a, b))


def _cast(call: Call) -> Value:
    """Of a constant whole number to another such type, of a tensor to a type that holds all of its numbers."""
    value, to = call[0], int(call.attributes["to"])
    if isinstance(value, Tensor):
        if to != onnx.TensorProto.DOUBLE:
            raise ValueError("rounding")
        return value
    cast = np.asarray(value).astype(onnx.helper.tensor_dtype_to_np_dtype(to))
    if not np.array_equal(cast.astype(object), np.asarray(value).astype(object)):
        raise ValueError("a constant that does not fit")
    return cast


def _dropout(call: Call, x: Array) -> Array:
    if call.has(2) and np.any(call.constant(2)):
        raise ValueError("in training")
    return x


def _neg(call: Call) -> Value:
    return call.reader.moved(call.tensor(0), np.array(-1.0), None)


def _pow(call: Call) -> Value:
    if not np.all(call.constant(1) == 2):
        raise ValueError("another exponent than 2")
    return call.reader.function("square", call.tensor(0), f"{call.name}.square")


def _matmul(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and not isinstance(b, Tensor) and np.ndim(b) == 2:
        return _times(call, a, _shaped(np.asarray(b)))
    if isinstance(b, Tensor) and not isinstance(a, Tensor) and np.ndim(a) == 2 and len(b.shape) in (1, 2):
        after = b.shape[1] if len(b.shape) == 2 else 1
        dense = Dense(_shaped(np.asarray(a)), 1, after)
        shape = (len(dense.weight), *b.shape[1:])
        return call.reader.linear([(call.reader.whole(b), dense)], np.zeros(int(np.prod(shape))), shape)
    raise ValueError("a product that is no matrix times a tensor")


def _times(call: Call, x: Tensor, weight: Array, bias: Array | None = None) -> Tensor:
    """X of shape (..., k) times a matrix (k, n)."""
    if x.shape[-1] != weight.shape[0]:
        raise ValueError(f"{x.shape} times {weight.shape}")
    shape = (*x.shape[:-1], weight.shape[1])
    dense = Dense(np.ascontiguousarray(weight.T), int(np.prod(x.shape[:-1])))
    add = np.zeros(shape) if bias is None else np.broadcast_to(bias, shape)
    return call.reader.linear([(call.reader.whole(x), dense)], add, shape)


def _gemm(call: Call) -> Value:
    alpha, beta = (float(call.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    if alpha != 1.0 or beta not in (0.0, 1.0) or call.attributes.get("transA", 0):
        raise ValueError("alpha, beta or transA")
    weight = _shaped(call.constant(1))
    bias = _shaped(call.constant(2)) if call.has(2) and beta else None
    return _times(call, call.tensor(0), weight.T if call.attributes.get("transB", 0) else weight, bias)


def _window(call: Call, size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Strides, dilations, and padding before and behind."""
    axes = len(size)
    given = call.attributes.get("auto_pad", b"NOTSET")
    if given not in (b"NOTSET", b"VALID") or call.attributes.get("ceil_mode", 0):
        raise ValueError("auto_pad or ceil_mode")
    strides = tuple(call.attributes.get("strides", (1,) * axes))
    dilations = tuple(call.attributes.get("dilations", (1,) * axes))
    pads = tuple(call.attributes.get("pads", (0,) * 2 * axes)) if given == b"NOTSET" else (0,) * 2 * axes
    if min(pads) < 0:
        raise ValueError("negative padding")
    return strides, dilations, pads[:axes], pads[axes:]


def _conv(call: Call) -> Value:
    x, kernel = call.tensor(0), _shaped(call.constant(1))
    image = _image(x)
    groups = int(call.attributes.get("group", 1))
    strides, dilations, begin, end = _window(call, kernel.shape[2:])
    convolution = Convolution(kernel, image, strides, dilations, begin, end, groups)
    return _convolved(call, x, convolution, convolution.out, _shaped(call.constant(2)) if call.has(2) else None)


def _conv_transpose(call: Call) -> Value:
    x, kernel = call.tensor(0), _shaped(call.constant(1))
    image = _image(x)
    groups = int(call.attributes.get("group", 1))
    if "output_shape" in call.attributes:
        raise ValueError("output_shape")
    strides, dilations, begin, end = _window(call, kernel.shape[2:])
    extra = tuple(call.attributes.get("output_padding", (0,) * len(strides)))
    parts = zip(image[1:], strides, kernel.shape[2:], dilations, begin, end, extra, strict=True)
    sizes = [(n - 1) * s + (k - 1) * d + 1 - a - b + e for n, s, k, d, a, b, e in parts]
    of = Convolution(kernel, (kernel.shape[1] * groups, *sizes), strides, dilations, begin, end, groups)
    if of.out != image:
        raise ValueError(f"an image of {image} where {of.out} is taken")
    return _convolved(call, x, Adjoint(of), of.image, _shaped(call.constant(2)) if call.has(2) else None)


def _image(x: Tensor) -> tuple[int, ...]:
    if x.shape[0] != 1:
        raise ValueError("a batch of more than one image")
    return x.shape[1:]


def _convolved(call: Call, x: Tensor, by: Convolution | Adjoint, out: tuple[int, ...], bias: Array | None) -> Tensor:
    add = np.zeros(out) if bias is None else np.broadcast_to(bias.reshape(-1, *(1,) * (len(out) - 1)), out)
    return call.reader.linear([(call.reader.whole(x), by)], add, (1, *out))


def _average_pool(call: Call) -> Value:
    x = call.tensor(0)
    image, size = _image(x), tuple(call.attributes["kernel_shape"])
    strides, dilations, begin, end = _window(call, size)
    if any(begin + end) and not call.attributes.get("count_include_pad", 0):
        raise ValueError("padding that does not count")
    kernel = np.full((image[0], 1, *size), 1.0 / np.prod(size))
    pool = Convolution(kernel, image, strides, dilations, begin, end, image[0], HALF_UNIT)
    return _convolved(call, x, pool, pool.out, None)


def _global_average_pool(call: Call) -> Value:
    x = call.tensor(0)
    image = _image(x)
    ones = (1,) * (len(image) - 1)
    zeros = (0,) * (len(image) - 1)
    kernel = np.full((image[0], 1, *image[1:]), 1.0 / np.prod(image[1:]))
    pool = Convolution(kernel, image, ones, ones, zeros, zeros, image[0], HALF_UNIT)
    return _convolved(call, x, pool, pool.out, None)


def _max_pool(call: Call) -> Value:
    x = call.tensor(0)
    image, size = _image(x), tuple(call.attributes["kernel_shape"])
    strides, dilations, begin, end = _window(call, size)
    if any(begin + end):
        raise ValueError("padding of a maximum")
    one = Convolution(np.zeros((1, 1, *size)), (1, *image[1:]), strides, dilations, begin, end)
    parts = []
    for place in np.ndindex(*size):
        steps = zip(place, dilations, one.out[1:], strides, strict=True)
        at = tuple(slice(p * d, p * d + (n - 1) * s + 1, s) for p, d, n, s in steps)
        parts.append(Tensor(x.node, x.index[(slice(None), slice(None), *at)]))
    return _maximum(call, parts)


def _maximum(call: Call, parts: list[Tensor]) -> Tensor:
    """max(a, b) = b + relu(a - b), in pairs, then pairs of those."""
    number = 0
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        left = [parts[-1]] if len(parts) % 2 else []
        parts = []
        for a, b in pairs:
            rest = call.reader.function("relu", call.reader.sum(a, b, -1.0), f"{call.name}.max{number}")
            parts.append(call.reader.sum(rest, b))
            number += 1
        parts += left
    return parts[0]


def _largest(call: Call) -> Value:
    return _maximum(call, _broadcast([call.reader.tensor(v) for v in call.operands]))


def _smallest(call: Call) -> Value:
    """-max(-x, -y, ...)."""
    minus = np.array(-1.0)
    parts = _broadcast([call.reader.tensor(v) for v in call.operands])
    return call.reader.moved(_maximum(call, [call.reader.moved(x, minus, None) for x in parts]), minus, None)


def _broadcast(parts: list[Tensor]) -> list[Tensor]:
    shape = np.broadcast_shapes(*(x.shape for x in parts))
    return [Tensor(x.node, np.broadcast_to(x.index, shape)) for x in parts]


def _abs(call: Call) -> Value:
    """relu(x) + relu(-x)."""
    x = call.tensor(0)
    opposite = call.reader.moved(x, np.array(-1.0), None)
    return call.reader.sum(_relu_of(call, x, "operand"), _relu_of(call, opposite, "opposite"))


def _batch_normalization(call: Call) -> Value:
    x = call.tensor(0)
    if call.attributes.get("training_mode", 0) or not call.attributes.get("spatial", 1):
        raise ValueError("in training, or for each entry")
    scale, shift, mean, variance = (_shaped(call.constant(k)) for k in range(1, 5))
    epsilon = float(np.float32(call.attributes.get("epsilon", 1e-5)))
    along = (-1, *(1,) * (len(x.shape) - 2))
    factor = (scale / np.sqrt(variance + epsilon)).reshape(along)
    centred = call.reader.moved(x, None, -mean.reshape(along))
    return call.reader.moved(centred, factor, shift.reshape(along), 4 * HALF_UNIT)


def _reduced(mean: bool) -> Callable[[Call], Value]:
    def read(call: Call) -> Value:
        x = call.tensor(0)
        axes = _axes(call, 1)
        if axes == () and call.attributes.get("noop_with_empty_axes", 0):
            raise ValueError("without axes, and with noop_with_empty_axes")
        along = tuple(range(len(x.shape))) if not axes else tuple(a % len(x.shape) for a in axes)
        kept = [k for k in range(len(x.shape)) if k not in along]
        index = x.index.transpose(*kept, *along).reshape(int(np.prod([x.shape[k] for k in kept])), -1)
        count = index.shape[1]
        weight = np.full((1, count), 1.0 / count if mean else 1.0)
        keep = call.attributes.get("keepdims", 1)
        shape = tuple(1 if k in along else n for k, n in enumerate(x.shape) if keep or k not in along)
        dense = Dense(weight, len(index), 1, HALF_UNIT if mean else 0.0)
        return call.reader.linear([(call.reader.whole(Tensor(x.node, index)), dense)], np.zeros(len(index)), shape)

    return read


def _relu(call: Call) -> Value:
    return call.reader.function("relu", call.tensor(0), f"{call.name}.operand")


def _leaky_relu(call: Call) -> Value:
    """A x + (1 - a) relu(x), for a in [0, 1]."""
    x, alpha = call.tensor(0), float(np.float32(call.attributes.get("alpha", 0.01)))
    if not 0 <= alpha <= 1:
        raise ValueError(f"a slope of {alpha}")
    positive = call.reader.moved(_relu_of(call, x, "operand"), np.array(1.0 - alpha), None, HALF_UNIT)
    return call.reader.sum(call.reader.moved(x, np.array(alpha), None), positive)


def _relu_of(call: Call, x: Tensor, name: str) -> Tensor:
    return call.reader.function("relu", x, f"{call.name}.{name}")


def _clip(call: Call) -> Value:
    """Low + relu(x - low) - relu(x - high)."""
    x = call.tensor(0)
    low = float(call.constant(1, "min")) if call.has(1) or "min" in call.attributes else -np.inf
    high = float(call.constant(2, "max")) if call.has(2) or "max" in call.attributes else np.inf
    if not low <= high:
        raise ValueError("min above max")
    if np.isfinite(low):
        x = call.reader.moved(_relu_of(call, call.reader.moved(x, None, np.array(-low)), "low"), None, np.array(low))
    if np.isfinite(high):
        over = call.reader.moved(x, np.array(-1.0), np.array(high))
        x = call.reader.moved(_relu_of(call, over, "high"), np.array(-1.0), np.array(high))
    return x


def _smooth(kind: str) -> Callable[[Call], Value]:
    return lambda call: call.reader.function(kind, call.tensor(0), f"{call.name}.operand")


def _softmax(call: Call) -> Value:
    """exp(x - c) over its sum, by any constant c; here 0."""
    x = call.tensor(0)
    axis = int(call.attributes.get("axis", -1 if call.reader.version >= 13 else 1)) % len(x.shape)
    if call.reader.version < 13 and int(np.prod(x.shape[axis + 1 :])) > 1:
        raise ValueError("several axes at once")
    powers = call.reader.function("exp", x, f"{call.name}.operand")
    index = np.moveaxis(powers.index, axis, -1)
    rows = index.reshape(-1, index.shape[-1])
    node = call.reader.whole(Tensor(powers.node, rows))
    total = call.reader.linear(
        [(node, Dense(np.ones((1, rows.shape[1])), len(rows)))], np.zeros(len(rows)), (*index.shape[:-1], 1)
    )
    inverse = call.reader.function("reciprocal", total, f"{call.name}.divisor")
    spread = Tensor(inverse.node, np.moveaxis(np.broadcast_to(inverse.index, index.shape), -1, axis))
    return call.reader.product(powers, spread, call.name)


OPERATORS: dict[str, Callable[[Call], Any]] = {
    "Abs": _abs,
    "Add": _add,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Cos": _smooth("cos"),
    "Div": _div,
    "Dropout": _moving(_dropout),
    "Exp": _smooth("exp"),
    "Expand": _moving(_expand),
    "Flatten": _moving(_flatten),
    "Gather": _moving(_gather),
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "Identity": _moving(lambda call, x: x),
    "LeakyRelu": _leaky_relu,
    "MatMul": _matmul,
    "Max": _largest,
    "MaxPool": _max_pool,
    "Min": _smallest,
    "Mod": _mod,
    "Mul": _mul,
    "Neg": _neg,
    "Pad": _pad,
    "Pow": _pow,
    "ReduceMean": _reduced(mean=True),
    "ReduceSum": _reduced(mean=False),
    "Relu": _relu,
    "Reshape": _moving(_reshape),
    "Shape": _shape_of,
    "Sigmoid": _smooth("sigmoid"),
    "Sin": _smooth("sin"),
    "Slice": _moving(_slice),
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _smooth("sqrt"),
    "Squeeze": _moving(_squeeze),
    "Sub": _sub,
    "Tanh": _smooth("tanh"),
    "Transpose": _moving(_transpose),
    "Unsqueeze": _moving(_unsqueeze),
}
"""What is known, by the names of the standard."""
