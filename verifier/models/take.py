"""Whatever a user has for a model, as a network.

A library is asked for only where the model is of that library, so that nothing is imported that is not there already.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from verifier.errors import Argument, UsageError
from verifier.network.graph import Network

WHAT = "give a file's path, an onnx.ModelProto, its bytes, a torch.nn.Module, or what load_network returns"
LIBRARIES = ("torch", "sklearn", "keras", "tf_keras", "tensorflow")
"""Whose models are known, by the module that some class of theirs lies in."""


def as_network(model: Any, example: Any = None) -> Network:
    """The network that a model is.

    Args:
        model: a `Network`, which is returned as it is; a path; an `onnx.ModelProto`; its bytes; a `torch.nn.Module`; a
            scikit-learn estimator or pipeline; a Keras model.
        example: an input without its batch dimension, for a torch module, whose shape it gives; otherwise not needed.

    Raises:
        UsageError: it is none of these, a converter is not installed, or a module comes without an example.
        ModelError: it cannot be read, or converted, or the converted model computes something else.
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, str | Path):
        from verifier.readers.onnx import load_network

        return load_network(model).read_from(Path(model))
    if isinstance(model, bytes | bytearray):
        from verifier.readers.onnx import network_of

        return network_of(bytes(model), Path("model"))
    name = library_of(model)
    if name == "torch":
        from verifier.models.torch_module import from_sample

        return from_sample(model, example)
    if name == "sklearn":
        from verifier.models.sklearn_model import from_sklearn

        return from_sklearn(model, example)
    if name is not None:
        from verifier.models.keras_model import from_keras

        return from_keras(model, example)
    if hasattr(model, "SerializeToString") and hasattr(model, "graph"):
        from verifier.readers.onnx import network_of

        return network_of(_serialised(model), Path(model.graph.name or "model"))
    raise UsageError(f"{_kind(model)} is no model", Argument("network"), WHAT)


def is_model(value: Any) -> bool:
    """Whether something is a model of a library rather than a file or a network: its input's shape may be unknown."""
    return library_of(value) is not None


def library_of(model: Any) -> str | None:
    """The library that a model's class comes from, or derives from; None for what is no model of any."""
    if isinstance(model, type):
        return None
    roots = [kind.__module__.partition(".")[0] for kind in type(model).__mro__]
    found = next((name for name in LIBRARIES if name in roots), None)
    wanted = {"torch": "forward", "sklearn": "predict"}.get(found or "", "predict")
    return found if found and callable(getattr(model, wanted, None)) else None


def _serialised(model: Any) -> bytes:
    try:
        return bytes(model.SerializeToString())
    except ValueError as error:  # more than 2 GB
        fix = "save it with its tensors in files of their own, and give the path"
        raise UsageError(f"the model cannot be serialised ({error})", Argument("network"), fix) from error


def _kind(value: Any) -> str:
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 40 else text[:37] + '...'} ({type(value).__name__})"
