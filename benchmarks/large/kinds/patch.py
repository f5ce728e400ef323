"""Detectors whose input says where a patch covers the picture, like VNN-COMP's cctsdb_yolo_2023.

The input is a vector: a picture of 3 x 64 x 64, the patch's row and column, a number that is not used, and the
truth (class, left, top, right, bottom). The output is the overlap of the predicted box with the true one, 0 where
the class is another. The picture is fixed; row and column lie between 0 and 61 and are cut down to integers.
`scattered` writes zeros at computed places (ScatterND), `compared` multiplies by comparisons. All 62 x 62 places
are tried in ONNX Runtime, so every truth is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.large.data import scenes
from benchmarks.large.modules import convolution
from benchmarks.large.queries import Folder, Query
from benchmarks.large.training import begin, export, fit, outputs, session

SIDE, PLACES, PATCH = 64, 62, 3
SIDES = (24, 40)
PIXELS = 3 * SIDE * SIDE


def separable(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution of each channel by itself at half the size, then one across channels."""
    alone = nn.Conv2d(inputs, inputs, 3, 2, 1, groups=inputs, bias=False)
    return nn.Sequential(alone, nn.BatchNorm2d(inputs), *convolution(inputs, outputs, kernel=1), nn.ReLU())


class Heads(nn.Module):
    """Ten classes and a box, shape (N, 14)."""

    def __init__(self) -> None:
        super().__init__()
        stem = (convolution(3, 24, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.body = nn.Sequential(*stem, separable(24, 48), separable(48, 96))
        self.classes, self.box = nn.Conv2d(96, 10, 4), nn.Conv2d(96, 4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = self.body(x)
        return torch.cat([self.classes(found), self.box(found)], 1).squeeze(3).squeeze(2)


class Judged(nn.Module):
    """From the whole input, of one sample, to the overlap.

    Args:
        scattered: how the patch is put on.
    """

    def __init__(self, heads: Heads, scattered: bool) -> None:
        super().__init__()
        self.heads, self.scattered = heads, scattered

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        picture = x[:PIXELS].reshape(1, 3, SIDE, SIDE)
        row, column = x[PIXELS].to(torch.int64), x[PIXELS + 1].to(torch.int64)
        if self.scattered:
            kept = torch.ones_like(picture)
            kept[:, :, row : row + PATCH, column : column + PATCH] = 0
        else:
            along = torch.arange(SIDE)
            rows, columns = ((along >= start) & (along < start + PATCH) for start in (row, column))
            kept = 1 - (rows[:, None] & columns[None, :]).float()
        found = self.heads(picture * kept)
        true, box = x[PIXELS + 4 :], found[0, 10:]
        same = (found[:, :10].argmax(1) == x[PIXELS + 3].to(torch.int64)).float()
        return same * overlap(true, box)


def overlap(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The area that two boxes (left, top, right, bottom) have in common, over that of both."""
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    common = sides[0] * sides[1]
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return common / (areas - common + 1e-9)


def loss(outputs: torch.Tensor, truths: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the class, squares of the box."""
    place = nn.functional.mse_loss(outputs[:, 10:], truths[:, 1:])
    return nn.functional.cross_entropy(outputs[:, :10], truths[:, 0].long()) + 20 * place


def covered(pictures: torch.Tensor) -> torch.Tensor:
    """Each picture with a patch somewhere: what the networks are trained on."""
    pictures = pictures.clone()
    places = np.random.default_rng(8).integers(PLACES, size=(len(pictures), 2))
    for picture, (row, column) in zip(pictures, places.tolist(), strict=True):
        picture[:, row : row + PATCH, column : column + PATCH] = 0
    return pictures


def make(folder: Folder) -> None:
    begin(4)
    pictures, truths = scenes(3000, SIDE, 8, SIDES)
    heads = fit(Heads(), covered(pictures), truths, epochs=12, loss=loss)
    pictures, truths = scenes(60, SIDE, 9, SIDES)
    starts = [_start(picture, truth) for picture, truth in zip(pictures, truths, strict=True)]
    sure = Judged(heads, scattered=True).eval()
    values = [float(sure(start).detach()) for start in starts]
    order = [k for k in sorted(range(len(starts)), key=values.__getitem__) if values[k] > 0.52]
    for scattered in (True, False):
        path = folder.model("scattered" if scattered else "compared")
        export(Judged(heads, scattered).eval(), starts[0], path)
        queries = [_first(path, starts, order, "sat"), _first(path, starts, order[::-1], "unsat")]
        for query in queries:
            folder.add(path, query)
        order = [int(query.name.removeprefix("picture")) for query in queries]


def _first(path: Path, starts: list[torch.Tensor], order: list[int], truth: str) -> Query:
    """The first picture whose query has a truth.

    Raises:
        ArithmeticError: none has.
    """
    for k in order:
        query = exhausted(path, starts[k], k)
        if query.truth == truth:
            return query
    raise ArithmeticError(f"{path.stem}: no picture is {truth}")


def _start(picture: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The input with the patch in the corner."""
    return torch.cat([picture.flatten(), torch.zeros(3), truth])


def exhausted(path: Path, start: torch.Tensor, number: int) -> Query:
    """Whether the overlap falls to 0.5 for a place of the patch: by trying them all."""
    low, high = start.clone(), start.clone()
    high[PIXELS : PIXELS + 2] = PLACES - 1
    runtime, x, least = session(path), start.numpy().copy(), (np.inf, start)
    for row, column in np.ndindex(PLACES, PLACES):
        x[PIXELS : PIXELS + 2] = row, column
        value = float(outputs(runtime, x)[0])
        if value < least[0]:
            least = value, torch.tensor(x)
    if abs(least[0] - 0.5) < 1e-3:
        return Query(f"picture{number}", low, high, [[(0, "<=", 0.5)]])
    return Query(f"picture{number}", low, high, [[(0, "<=", 0.5)]], "sat" if least[0] < 0.5 else "unsat", least[1])
