"""Constant, ConstantOfShape, Shape, Size: tensors that are known while the model is read."""

from __future__ import annotations

import numpy as np

from verifier.readers.onnx.call import Call
from verifier.readers.onnx.model import tensor_array
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor

NUMBERS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
OTHERS = ("sparse_value", "value_string", "value_strings")


@lowers("Constant", 1, 9, 11, 12, 13, 19, 21, 23, 24, 25, takes_constants=True)
def constant(call: Call) -> Tensor:
    given = [name for name in ("value", *NUMBERS, *OTHERS) if call.attribute(name) is not None]
    if len(given) != 1 or given[0] in OTHERS:
        raise call.error("a Constant needs exactly one numeric value")
    value = call.attribute(given[0])
    return tensor_array(value, call.place) if given[0] == "value" else np.asarray(value, NUMBERS[given[0]])


@lowers("ConstantOfShape", 9, 20, 21, 23, 24, 25, takes_constants=True)
def constant_of_shape(call: Call) -> Tensor:
    value = call.attribute("value")
    fill = np.zeros(1, np.float32) if value is None else tensor_array(value, call.place)
    return np.full(call.required_integers(0), fill.reshape(-1)[0])


@lowers("Shape", 1, 13, 15, 19, 21, 23, 24, 25, takes_constants=True)
def shape(call: Call) -> Tensor:
    dims = call.tensor(0).shape
    return np.asarray(dims[call.attribute("start", 0) : call.attribute("end", len(dims))], np.int64)


@lowers("Size", 1, 13, 19, 21, 23, 24, 25, takes_constants=True)
def size(call: Call) -> Tensor:
    return np.asarray(np.prod(call.tensor(0).shape, dtype=np.int64))


@lowers("EyeLike", 9, 22)
def eye_like(call: Call) -> Tensor:
    shape, number = tuple(call.tensor(0).shape), call.attribute("dtype")
    if len(shape) != 2:
        raise call.error(f"EyeLike of a tensor of shape {tuple(shape)}, not of a matrix")
    own = call.tensor(0).dtype
    kind = np.dtype(np.float32 if own is None else own) if number is None else call.dtype(number)
    return np.eye(shape[0], shape[1], k=call.attribute("k", 0)).astype(kind)
