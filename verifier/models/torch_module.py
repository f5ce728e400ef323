"""A torch module as a network: exported in evaluation mode, and compared with what the module itself computes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from verifier.errors import Argument, ModelError, UsageError
from verifier.models.agreement import agree, tried
from verifier.network.graph import Network
from verifier.readers.onnx import network_of

OPSET = 17
GIVE = "give verifier.from_torch(module, example), the example an input with its batch dimension"


def from_torch(model: nn.Module, example: Any) -> Network:
    """A torch module as a network, exported in evaluation mode.

    ONNX Runtime has to compute what the module does, at the example and at inputs near it. The module's own mode stays.

    >>> import torch, verifier
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> network = verifier.from_torch(module, torch.zeros(1, 2))
    >>> network.input_size, network.output_size
    (2, 2)

    Args:
        model: any that torch's exporter takes.
        example: an input with its batch dimension, which is 1, shape (1, ...): a tensor, an array, nested lists. It
            gives the input's shape; for modules of several inputs a tuple of these.

    Raises:
        UsageError: it is no module, or no such example.
        ModelError: the module does not take the example, cannot be exported, or the export computes something else.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"{type(model).__name__} is no torch.nn.Module", Argument("model"), "give a module")
    examples = tuple(_tensor(model, part) for part in (example if isinstance(example, tuple) else (example,)))
    if any(part.ndim < 1 or part.shape[0] != 1 for part in examples):
        shapes = ", ".join(str(tuple(part.shape)) for part in examples)
        raise UsageError(f"an example of shape {shapes}", Argument("example"), "give one input: shape (1, ...)")
    name = type(model).__name__
    with _evaluating(model):
        _outputs(model, examples)  # what is wrong with the example is told as that, not as the exporter's error
        try:
            network = network_of(serialised(model, examples), Path(name))
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:  # as torch's exporter raises
            cause = f"torch cannot export the module ({_first_line(error)})"
            raise ModelError(cause, name, "export it yourself, and give the .onnx file") from error
        inputs = [tried(part.cpu().double().numpy()) for part in examples]
        given = [tuple(_tensor(model, part[n], like=x) for part, x in zip(inputs, examples, strict=True))
                 for n in range(len(inputs[0]))]  # fmt: skip
        expected = np.stack([_outputs(model, parts) for parts in given])
    flat = [np.concatenate([p.cpu().double().numpy().reshape(-1) for p in parts]) for parts in given]
    return agree(network, np.stack(flat), expected, "torch")


def from_sample(model: nn.Module, sample: Any) -> Network:
    """A module as a network, by a sample with or without a batch dimension.

    Raises:
        UsageError: there is none, so that the input's shape is not known.
        ModelError: as for `from_torch`.
    """
    if sample is None:
        raise UsageError("the input's shape of a torch module is not known", Argument("network"), GIVE)
    example = _tensor(model, sample)
    try:
        return from_torch(model, example[None])
    except ModelError:
        if example.ndim < 2 or example.shape[0] != 1:
            raise
        return from_torch(model, example)


def serialised(network: nn.Module, example: torch.Tensor | tuple[torch.Tensor, ...]) -> bytes:
    """A module as an ONNX model.

    Args:
        network: any that the exporter takes.
        example: an input, or several, with a batch of 1.
    """
    content, several = io.BytesIO(), example if isinstance(example, tuple) else (example,)
    names = ["x"] if len(several) == 1 else [f"x{k}" for k in range(len(several))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is told to be replaced by one that needs another package
        torch.onnx.export(
            network,
            several,
            content,  # type: ignore[arg-type]  # a file object does as well
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=["logits"],
        )
    return content.getvalue()


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, without gradients; every part's own mode afterwards."""
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _outputs(model: nn.Module, parts: tuple[torch.Tensor, ...]) -> np.ndarray:
    """All outputs in a row, float64, shape (output_size,)."""
    try:
        found = model(*parts)
    except Exception as error:  # a module may raise anything
        shapes = ", ".join(str(tuple(part.shape)) for part in parts)
        cause = f"the module does not take an input of shape {shapes} ({_first_line(error)})"
        raise ModelError(cause, type(model).__name__, GIVE) from error
    several = found if isinstance(found, tuple | list) else (found,)
    if not all(isinstance(part, torch.Tensor) for part in several):
        fix = "wrap it in a module that returns a tensor, or a tuple of them"
        raise ModelError("the module's output is no tensor", type(model).__name__, fix)
    return np.concatenate([part.detach().cpu().double().numpy().reshape(-1) for part in several])


def _tensor(model: nn.Module, value: Any, like: torch.Tensor | None = None) -> torch.Tensor:
    """A tensor of the type and on the device of the module's parameters; whole numbers stay such where `like` is."""
    try:
        tensor = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise UsageError(f"an example that is no array ({error})", Argument("example"), "give an array") from error
    own = next((p for p in model.parameters() if p.is_floating_point()), None)
    if like is not None and not like.is_floating_point():
        return tensor.round().to(like.dtype).to(like.device)
    if tensor.is_floating_point():
        tensor = tensor.to(torch.float32 if own is None else own.dtype)
    return tensor if own is None else tensor.to(own.device)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
