"""Convolutions and their adjoints by NumPy alone and with torch's kernels, beside matrix products: GFLOP/s of one core.

    python -m benchmarks.convolutions [--repeat 3]

Layers as bounds meet them: a batch of rows, kernels of 3 x 3 and 4 x 4, 3 to 64 channels, 8 to 32 pixels. A figure
is the multiplications and additions of the convolution over the least CPU time of the repeats; the last columns are the
better one's as a part of the matrix product's.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from verifier.network.linear_maps import Convolution
from verifier.network.linear_maps.convolution import Window


@dataclass(frozen=True)
class Layer:
    """A convolution of a batch of images."""

    channels: int
    filters: int
    pixels: int
    kernel: int
    stride: int
    batch: int

    def __str__(self) -> str:
        kernel = f"{self.kernel} x {self.kernel} / {self.stride}"
        return f"{self.channels:3d} -> {self.filters:3d}, {self.pixels:2d} px, {kernel}"

    def map(self, rng: np.random.Generator, dtype: type) -> Convolution:
        kernel = rng.normal(size=(self.filters, self.channels, self.kernel, self.kernel)).astype(dtype)
        pad = (self.kernel - 1) // 2
        window = Window((self.stride,) * 2, (pad,) * 2, (pad,) * 2, (1, 1))
        return Convolution(kernel, (1, self.channels, self.pixels, self.pixels), window)


LAYERS = (
    Layer(3, 16, 32, 3, 1, 64),
    Layer(3, 64, 32, 3, 1, 64),
    Layer(16, 16, 32, 3, 1, 64),
    Layer(16, 32, 32, 4, 2, 64),
    Layer(32, 32, 16, 3, 1, 128),
    Layer(32, 64, 16, 4, 2, 128),
    Layer(64, 64, 16, 3, 1, 128),
    Layer(64, 64, 8, 3, 1, 256),
)


def rate(run: Callable[[], object], operations: float, repeat: int) -> float:
    """GFLOP/s."""
    best = math.inf
    for _ in range(repeat + 1):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return operations / best / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        square = rng.normal(size=(1024, 1024)).astype(dtype)
        product = rate(partial(np.matmul, square, square), 2 * 1024**3, repeat)
        print(f"{np.dtype(dtype).name}, GFLOP/s; a matrix product of 1,024 has {product:.0f}")
        print(f"{'layer':28} {'apply':^17} {'adjoint':^17} {'best, part':>14}")
        print(f"{'':28} {'NumPy':>8} {'torch':>8} {'NumPy':>8} {'torch':>8} {'apply':>7} {'adj.':>6}")
        for layer in LAYERS:
            m = layer.map(rng, dtype)
            found = [rate(run, 2.0 * layer.batch * m.out_size * m.terms, repeat) for run in runs(m, layer, rng)]
            parts = (max(found[:2]) / product, max(found[2:]) / product)
            print(f"{layer!s:28} " + " ".join(f"{f:8.1f}" for f in found) + f" {parts[0]:7.0%} {parts[1]:6.0%}")


def runs(m: Convolution, layer: Layer, rng: np.random.Generator) -> list[Callable[[], object]]:
    """The map by NumPy alone and with torch's kernels, then its adjoint."""
    dtype = np.asarray(m.kernel).dtype
    x = rng.normal(size=(layer.batch, m.in_size)).astype(dtype)
    y = rng.normal(size=(layer.batch, m.out_size)).astype(dtype)
    by_torch = m.with_torch()
    return [partial(m.apply, x), partial(by_torch.apply, x), partial(m.adjoint, y), partial(by_torch.adjoint, y)]


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
