"""ONNX model files as networks."""

from verifier.readers.onnx.load import load_network, network_of

__all__ = ["load_network", "network_of"]
