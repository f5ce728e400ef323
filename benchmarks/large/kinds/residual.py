"""A residual network of 105 million multiplications on 3 x 32 x 32: 155,648 relus, 1.7 million weights, ten classes.

Trained against one step of 4/255. Truths are planted by the size of the boxes: what intervals prove is unsat, what
an attack breaks is sat, and parts of the latter lie between.
"""

from __future__ import annotations

from functools import partial

from torch import nn

from benchmarks.large.classifiers import sized
from benchmarks.large.data import coloured_digits
from benchmarks.large.modules import block, convolution
from benchmarks.large.queries import Folder, around
from benchmarks.large.training import begin, export, fit


def network() -> nn.Sequential:
    """Seven residual blocks of 64, 128 and 256 channels at 16, 8 and 4 pixels."""
    widths = ((64, 64, 1), (64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2))
    blocks = [block(*width) for width in widths]
    return nn.Sequential(convolution(3, 64, 2), nn.ReLU(), *blocks, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(256, 10))


def make(folder: Folder) -> None:
    begin(2)
    module = fit(network(), *coloured_digits(1500, 2), epochs=3, epsilon=4 / 255)
    path = folder.model("residual")
    pictures, classes = coloured_digits(30, 3)
    export(module, pictures[:1], path)
    right = (module(pictures).argmax(1) == classes).nonzero()[:, 0].tolist()
    for count, k in enumerate(right[:2]):
        parts = {"hundredth": 0.01, "tenth": 0.1, "broken": 1.5} if count == 0 else {"thirtieth": 1 / 30}
        for query in sized(module, partial(around, pictures[k : k + 1]), int(classes[k]), 10, 0.1, parts):
            if count == 0 or query.name != "easy":
                folder.add(path, query)
