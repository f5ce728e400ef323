"""Files that are no ONNX models, known by how they begin, and what to do with each."""

from __future__ import annotations

import re

EXPORT = "export it with torch.onnx.export(model, example, 'model.onnx')"
CONVERT = "convert it with tf2onnx: python -m tf2onnx.convert --help"

_PROPERTY = re.compile(rb"\s*(?:;[^\n]*\n\s*)*\((?:declare-|assert|vnnlib-version|set-)")


def foreign(data: bytes) -> tuple[str, str] | None:
    """What a file is instead, and how to get an ONNX model; None where nothing else is recognised.

    Args:
        data: the whole content.
    """
    if data.startswith(b"PK\x03\x04"):
        if b"data.pkl" in data[:4096]:
            return "is a model or weights saved by torch, not an ONNX model", EXPORT
        if b"config.json" in data or b"model.weights.h5" in data:
            return "is a Keras model, not an ONNX model", CONVERT
        return "is a zip archive, not an ONNX model", "unpack it and give the .onnx file in it"
    if data.startswith(b"\x80") and data[1:2] in b"\x02\x03\x04\x05" and data.rstrip().endswith(b"."):
        return (
            "is a pickle, perhaps a model saved by torch or scikit-learn, not an ONNX model",
            f"{EXPORT}, or skl2onnx",
        )
    if data.startswith(b"\x89HDF\r\n\x1a\n"):
        return "is an HDF5 file, perhaps a Keras model, not an ONNX model", CONVERT
    if data[4:8] == b"TFL3":
        return "is a TensorFlow Lite model, not an ONNX model", CONVERT
    if _PROPERTY.match(data):
        return "is a VNN-LIB property, not an ONNX model", "give the network first, then the property"
    return None
