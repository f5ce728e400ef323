"""The bounds of `bound-propagation`, served line by line to `benchmarks.other_tools`, which starts this file.

    python benchmarks/other_bounds.py PLAN.npz DTYPE

It runs in an environment of its own, with torch and bound-propagation (GPL-3, of which nothing is copied or shipped
here), needs nothing of this project, and nothing of this project imports it. On each line
it is sent, `interval` or `crown`, it answers with one of JSON: CPU seconds and the outputs' lower and upper bounds.

PLAN.npz holds the box (`lower`, `upper`), the layers as JSON (`plan`) and their arrays. bound-propagation knows no
convolutions; they are added by its own interface for new modules, with torch's kernels. Its relus have CROWN's
adaptive lower slopes, as ours do.
"""

import json
import sys
import time

import numpy as np
import torch
from bound_propagation import BoundModelFactory, HyperRectangle
from bound_propagation.bivariate import Add
from bound_propagation.bounds import IntervalBounds, LinearBounds
from bound_propagation.general import BoundModule
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, pad


class FlatConvolution(nn.Module):
    """A convolution of flat vectors, shape (..., size), as bound-propagation's modules take them."""

    def __init__(self, kernel, bias, in_shape, strides, pads):
        super().__init__()
        self.register_buffer("kernel", kernel)
        self.register_buffer("bias", bias)  # of each output entry
        self.in_shape, self.strides, self.pads = tuple(in_shape), tuple(strides), tuple(pads)
        self.padded = tuple(n + p + q for n, p, q in zip(in_shape[1:], pads[::2], pads[1::2], strict=True))
        spatial = [(n - k) // s + 1 for n, k, s in zip(self.padded, kernel.shape[2:], strides, strict=True)]
        self.out_shape = (kernel.shape[0], *spatial)

    def forward(self, x):
        return self.moved(x, self.kernel) + self.bias

    def moved(self, x, kernel):
        """The convolution of vectors by a kernel of the same shape, without the bias."""
        top, bottom, left, right = self.pads
        images = pad(x.reshape(-1, *self.in_shape), (left, right, top, bottom))
        return conv2d(images, kernel, stride=self.strides).reshape(*x.shape[:-1], -1)

    def moved_back(self, y):
        """The transpose."""
        images, missing = y.reshape(-1, *self.out_shape), []
        for n, k, s, out in zip(self.padded, self.kernel.shape[2:], self.strides, self.out_shape[1:], strict=True):
            missing.append(n - ((out - 1) * s + k))
        found = conv_transpose2d(images, self.kernel, stride=self.strides, output_padding=tuple(missing))
        (_, height, width), (top, _, left, _) = self.in_shape, self.pads
        return found[..., top : top + height, left : left + width].reshape(*y.shape[:-1], -1)


class BoundFlatConvolution(BoundModule):
    """How bound-propagation bounds it."""

    need_relaxation = False

    def crown_backward(self, linear_bounds, optimize):
        ends = (linear_bounds.lower, linear_bounds.upper)
        return LinearBounds(linear_bounds.region, *(None if end is None else self.end(*end) for end in ends))

    def end(self, rows, bias):
        """One end's rows on the input, and its bias."""
        return self.module.moved_back(rows), bias + rows.matmul(self.module.bias)

    def ibp_forward(self, bounds, save_relaxation=False, save_input_bounds=False):
        centre = self.module(bounds.center)
        radius = self.module.moved(bounds.width / 2, self.module.kernel.abs())
        return IntervalBounds(bounds.region, centre - radius, centre + radius)

    def propagate_size(self, in_size):
        return self.module.bias.numel()


def modules(layers, arrays):
    """The layers of a plan as one module."""
    return nn.Sequential(*(module(layer, arrays) for layer in layers))


def module(layer, arrays):
    """One layer of a plan."""
    if layer["kind"] == "relu":
        return nn.ReLU()
    if layer["kind"] == "identity":
        return nn.Identity()
    if layer["kind"] == "sum":
        return Add(*(modules(branch, arrays) for branch in layer["branches"]))
    weight, bias = arrays[layer["weight"]], arrays[layer["bias"]]
    if layer["kind"] == "convolution":
        return FlatConvolution(weight, bias, layer["in_shape"], layer["strides"], layer["pads"])
    found = nn.Linear(weight.shape[1], weight.shape[0])
    found.weight, found.bias = nn.Parameter(weight), nn.Parameter(bias)
    return found


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    dtype = getattr(torch, sys.argv[2])
    torch.set_default_dtype(dtype)
    with np.load(sys.argv[1]) as file:
        layers = json.loads(str(file["plan"]))
        arrays = {name: torch.as_tensor(file[name], dtype=dtype) for name in file.files if name != "plan"}
    factory = BoundModelFactory(adaptive_relu=True)
    factory.register(FlatConvolution, BoundFlatConvolution)
    network = factory.build(modules(layers, arrays))
    box = HyperRectangle(arrays["lower"][None], arrays["upper"][None])
    for line in sys.stdin:
        started = time.process_time()
        found = network.ibp(box) if line.strip() == "interval" else network.crown(box).concretize()
        seconds = time.process_time() - started
        ends = {"lower": found.lower[0].tolist(), "upper": found.upper[0].tolist()}
        print(json.dumps({"seconds": seconds, **ends}), flush=True)


if __name__ == "__main__":
    main()
