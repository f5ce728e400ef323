"""Trains a module deterministically on one thread, exports it, attacks it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime
import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

DIFFERENCE = 1e-3
"""How far ONNX Runtime's outputs may be from torch's, relative to the largest."""


def begin(seed: int) -> None:
    """One thread and deterministic kernels, and a seed for weights made from here on."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)


def fit(
    module: Module,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    epochs: int,
    loss: Loss | None = None,
    epsilon: float = 0.0,
) -> Module:
    """Adam in batches of 50, its rate rising and falling; the module in evaluation mode.

    Args:
        loss: of (outputs, targets), cross entropy unless given.
        epsilon: above 0, each batch is moved one step of this size against the network first.
    """
    loss, batch = loss or nn.functional.cross_entropy, 50
    optimiser = torch.optim.Adam(module.parameters(), weight_decay=1e-5)
    steps = epochs * (len(inputs) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    module.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs), generator=generator).split(batch)[: len(inputs) // batch]:
            x, y = inputs[chosen], targets[chosen]
            if epsilon:
                x = x.clone().requires_grad_()
                (slope,) = torch.autograd.grad(loss(module(x), y), x)
                x = (x + epsilon * slope.sign()).detach().clamp(0, 1)
            optimiser.zero_grad()
            loss(module(x), y).backward()
            optimiser.step()
            schedule.step()
    return module.eval()


def accuracy(module: nn.Module, inputs: torch.Tensor, classes: torch.Tensor) -> float:
    """The part of samples whose class has the greatest output."""
    with torch.no_grad():
        return float((module(inputs).argmax(1) == classes).float().mean())


def export(module: nn.Module, example: torch.Tensor, path: Path, opset: int = 13) -> None:
    """Writes the module as an ONNX model with inputs `x` and outputs `y`, compared with ONNX Runtime at the example."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is told to be replaced by one that needs another package
        torch.onnx.export(
            module, (example,), path, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"]
        )
    with torch.no_grad():
        expected = module(example).numpy()
    found = outputs(session(path), example.numpy())
    error = np.abs(found - expected).max() / max(1.0, np.abs(expected).max())
    if not error <= DIFFERENCE:
        raise ArithmeticError(f"{path}: ONNX Runtime is off by {error:.2g}")


def session(path: Path) -> onnxruntime.InferenceSession:
    """ONNX Runtime on one thread, with all optimisations off."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def outputs(runtime: onnxruntime.InferenceSession, x: np.ndarray) -> np.ndarray:
    """The model's only output at one input, whatever the shape it comes in."""
    port = runtime.get_inputs()[0]
    return runtime.run(None, {port.name: x.reshape([n if isinstance(n, int) else 1 for n in port.shape])})[0]


def attack(
    module: nn.Module,
    low: torch.Tensor,
    high: torch.Tensor,
    excess: Callable[[torch.Tensor], torch.Tensor],
    steps: int = 30,
) -> tuple[torch.Tensor, float]:
    """The point in a box, shape (1, ...), where projected steps by signs make an excess least, and that value.

    Args:
        excess: from outputs (3, ...) to (3,): how far each is from a violation.
    """
    generator = torch.Generator().manual_seed(0)
    starts = torch.rand((3, *low.shape[1:]), generator=generator)
    starts[0] = 0.5
    x = low + starts * (high - low)
    best, least = x[:1], float("inf")
    for step in range(steps + 1):
        x = x.detach().requires_grad_()
        value = excess(module(x))
        if float(value.detach().min()) < least:
            least, best = float(value.detach().min()), x[int(value.argmin())][None].detach()
        (slope,) = torch.autograd.grad(value.sum(), x)
        with torch.no_grad():
            x = torch.minimum(
                torch.maximum(x - slope.sign() * (high - low) * 0.25 * (1 - step / (steps + 1)), low), high
            )
    return best, least
