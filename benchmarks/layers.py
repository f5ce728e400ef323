"""Convolutions and dense layers that are to be 1-Lipschitz: ours beside deel-torchlip's, orthogonium's and PyTorch's.

Each layer is trained for some steps on a random target, so that its weights are no longer those it began with, and its
map, as it is used in evaluation (ours: as it is exported), written out as a matrix: the largest singular value says
whether a radius of margin over 1 would be right, the smallest what is left of a gradient. "certified" is the constant
that is proved of the explicit export of our layers. Seconds are of one training step of 64 images, one thread, the
median of 20.

    pip install deel-torchlip orthogonium einops       # optional: those rows are left out otherwise
    python benchmarks/layers.py [--channels 16] [--side 8]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrizations

from verifier.errors import UsageError
from verifier.training.layers.base import LipschitzLayer, explicit
from verifier.training.layers.certificate import certified_constant
from verifier.training.layers.convolution import PADDINGS, ConvolutionSpec
from verifier.training.layers.registry import CONVOLUTIONS, DENSE

STEPS, BATCH = 20, 64


def our_convolutions(channels: int, side: int) -> Iterator[tuple[str, nn.Module]]:
    for name, kind in CONVOLUTIONS.items():
        for padding in PADDINGS:
            try:
                yield f"{name}, {padding}", kind(ConvolutionSpec(channels, channels, 3, (side, side), padding))
            except UsageError:  # not with this padding
                continue


def other_convolutions(channels: int) -> Iterator[tuple[str, nn.Module]]:
    plain = nn.Conv2d(channels, channels, 3, padding=1)
    yield "torch spectral_norm, zeros", parametrizations.spectral_norm(plain)
    if importlib.util.find_spec("deel"):
        from deel import torchlip

        for padding in PADDINGS:
            layer = torchlip.SpectralConv2d(channels, channels, 3, padding=1, padding_mode=padding)
            yield f"deel-torchlip SpectralConv2d, {padding}", layer
    if importlib.util.find_spec("orthogonium"):
        from orthogonium.layers.conv.adaptiveSOC.ortho_conv import AdaptiveSOCConv2d
        from orthogonium.layers.conv.AOC.ortho_conv import AdaptiveOrthoConv2d

        for name, make in (("AdaptiveOrthoConv2d", AdaptiveOrthoConv2d), ("AdaptiveSOCConv2d", AdaptiveSOCConv2d)):
            reach = make(channels, channels, 3).weight.shape[-1] // 2  # the kernel may be larger than was asked for
            yield f"orthogonium {name}, circular", make(channels, channels, 3, padding=reach, padding_mode="circular")


def our_dense(size: int) -> Iterator[tuple[str, nn.Module]]:
    for name, kind in DENSE.items():
        yield name, kind(size, size)


def other_dense(size: int) -> Iterator[tuple[str, nn.Module]]:
    yield "torch spectral_norm", parametrizations.spectral_norm(nn.Linear(size, size))
    yield "torch orthogonal", parametrizations.orthogonal(nn.Linear(size, size))
    if importlib.util.find_spec("deel"):
        from deel import torchlip

        yield "deel-torchlip SpectralLinear", torchlip.SpectralLinear(size, size)
    if importlib.util.find_spec("orthogonium"):
        from orthogonium.layers.linear.ortho_linear import OrthoLinear

        yield "orthogonium OrthoLinear", OrthoLinear(size, size)


def trained(layer: nn.Module, shape: tuple[int, ...]) -> float:
    """Trains for some steps; the median seconds of one."""
    optimiser, seconds = torch.optim.Adam(layer.parameters(), 0.05), []
    for _ in range(STEPS):
        x, target = torch.randn(BATCH, *shape), torch.randn(BATCH, *shape)
        clock = time.perf_counter()
        optimiser.zero_grad()
        (layer(x) - target).square().mean().backward()
        optimiser.step()
        seconds.append(time.perf_counter() - clock)
    return statistics.median(seconds)


def singular_values(layer: nn.Module, shape: tuple[int, ...]) -> np.ndarray:
    """Of the layer's map in evaluation; of one that is not linear, of its derivative at a random input."""
    layer.eval()
    size, at = int(np.prod(shape)), torch.randn(1, *shape)
    with torch.no_grad():
        layer(at)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x), at).reshape(-1, size)
    return np.linalg.svd(jacobian.double().numpy(), compute_uv=False)


def measure(name: str, layer: nn.Module, shape: tuple[int, ...]) -> None:
    seconds = trained(layer, shape)
    values = singular_values(explicit(layer) if isinstance(layer, LipschitzLayer) else layer, shape)
    exported = f"{certified_constant(layer, shape):.7f}" if isinstance(layer, LipschitzLayer) else ""
    print(f"| {name} | {values[0]:.6f} | {values[-1]:.6f} | {exported} | {1e3 * seconds:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--side", type=int, default=8)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    image, size = (asked.channels, asked.side, asked.side), asked.channels * asked.side
    print("| layer | largest singular value | smallest | certified | ms a step |\n|---|---|---|---|---|")
    for found in (our_convolutions(asked.channels, asked.side), other_convolutions(asked.channels)):
        for name, layer in found:
            measure(name, layer, image)
    for found in (our_dense(size), other_dense(size)):
        for name, layer in found:
            measure(name, layer, (size,))


if __name__ == "__main__":
    main()
