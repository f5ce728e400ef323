"""ONNX model files as networks."""

from verifier.readers.onnx.load import load_network

__all__ = ["load_network"]
