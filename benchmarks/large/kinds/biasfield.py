"""Bias fields: 16 coefficients of a polynomial in the pixel's place multiply a picture, before a convolutional network.

45,056 relus and ten pictures. VNN-COMP's cifar_biasfield, whose networks have this shape, lets the coefficients
vary by 0.004 and the constant one by 0.06. Here it is as much for the first picture and 2.5 times as much for the
last; an attack needs 2 times as much or more, and 7 to 11 times there.
"""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.large.data import coloured_digits
from benchmarks.large.modules import Reshape
from benchmarks.large.queries import Folder, Query, lead, others
from benchmarks.large.training import attack, begin, export, fit

SIZES = (0.004, 0.010)
PICTURES = 10


def network() -> nn.Sequential:
    """Seven convolutions, three of which halve the picture, and one over all that is left."""
    layers, inputs = [], 3
    for outputs, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.Conv2d(inputs, 10, 4), nn.Flatten())


def field(picture: torch.Tensor) -> nn.Linear:
    """The affine map from 16 coefficients, the last of x^0 y^0, to the picture times the polynomial."""
    line = torch.linspace(0, 1, 32)
    powers = [(p, q) for p in range(4) for q in range(4)][::-1]
    terms = torch.stack([line[:, None] ** p * line[None, :] ** q for p, q in powers], -1)
    layer = nn.Linear(16, picture.numel())
    with torch.no_grad():
        layer.weight.copy_((picture[..., None] * terms).reshape(-1, 16))
        layer.bias.zero_()
    return layer


def box(size: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Coefficients around those of the picture itself."""
    centre, radius = torch.zeros((1, 16)), torch.full((1, 16), size)
    centre[0, -1], radius[0, -1] = 1.0, 15 * size
    return centre - radius, centre + radius


def make(folder: Folder) -> None:
    begin(0)
    base = fit(network(), *coloured_digits(2000, 0), epochs=6)
    pictures, classes = coloured_digits(3 * PICTURES, 1)
    right = base(pictures).argmax(1) == classes
    for k, (picture, label) in enumerate(zip(pictures[right][:PICTURES], classes[right].tolist(), strict=False)):
        module = nn.Sequential(field(picture), Reshape(3, 32, 32), *base).eval()
        path = folder.model(f"field-{k}")
        export(module, box(0.0)[0], path, opset=9)
        size = SIZES[0] + (SIZES[1] - SIZES[0]) * k / (PICTURES - 1)
        point, value = attack(module, *box(size), lead(label))
        known = ("sat", point) if value < -0.01 else ("unknown", None)
        folder.add(path, Query("class", *box(size), others(label, 10), *known))
