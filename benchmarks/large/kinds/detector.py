"""A detector like VNN-COMP's yolo_2023: 3 x 52 x 52 to 125 x 13 x 13, five boxes of 25 numbers for each cell.

It has 162,240 relus. A box's numbers are its place (4), its confidence, and scores of 20 classes, ten of which are
digits. Every pixel may change by 1/255. Thresholds are planted between what intervals prove of a confidence and
what an attack reaches.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from benchmarks.large.data import scenes
from benchmarks.large.modules import block, convolution, interval
from benchmarks.large.queries import Folder, Query, Row, around
from benchmarks.large.training import attack, begin, export, fit

EPSILON = 1 / 255
CELLS, BOXES, NUMBERS, SIDE = 13, 5, 25, 52
SIDES = (14, 28)


def network() -> nn.Sequential:
    """Convolutions with one residual block, halved twice by averages."""
    return nn.Sequential(
        convolution(3, 16), nn.ReLU(), block(16, 16), nn.AvgPool2d(2),
        convolution(16, 32), nn.ReLU(), nn.AvgPool2d(2),
        convolution(32, 64), nn.ReLU(), nn.Conv2d(64, BOXES * NUMBERS, 3, padding=1),
    )  # fmt: skip


def responsible(truths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which box, row and column are to find the digits: by their size and centre."""
    centre = (truths[:, 1:3] + truths[:, 3:5]) / 2 * CELLS
    size = (truths[:, 3] - truths[:, 1]) * SIDE
    box = ((size - SIDES[0]) / (SIDES[1] - SIDES[0] + 1) * BOXES).long()
    return box, centre[:, 1].long(), centre[:, 0].long()


def loss(outputs: torch.Tensor, truths: torch.Tensor) -> torch.Tensor:
    """Confidences of all boxes, class and place of the responsible one."""
    cells = outputs.reshape(-1, BOXES, NUMBERS, CELLS, CELLS)
    box, row, column = responsible(truths)
    there = torch.arange(len(truths))
    wanted = torch.zeros_like(cells[:, :, 4])
    wanted[there, box, row, column] = 1.0
    weight = 1 + 100 * wanted
    confidence = nn.functional.binary_cross_entropy_with_logits(cells[:, :, 4], wanted, weight)
    found = cells[there, box, :, row, column]
    place = nn.functional.mse_loss(found[:, :4], truths[:, 1:])
    return 3 * confidence + nn.functional.cross_entropy(found[:, 5:], truths[:, 0].long()) + place


def number(box: int, which: int, row: int, column: int) -> int:
    """Where a box's number stands among the outputs."""
    return ((box * NUMBERS + which) * CELLS + row) * CELLS + column


def finders(y: torch.Tensor, label: int) -> list[tuple[int, int, int]]:
    """The boxes (box, row, column) with a positive confidence and the right class, the surest first."""
    cells = y.reshape(BOXES, NUMBERS, CELLS, CELLS)
    right = (cells[:, 4] > 0) & (cells[:, 5:].argmax(1) == label)
    places = [tuple(p) for p in right.nonzero().tolist()]
    return sorted(places, key=lambda p: -float(cells[p[0], 4, p[1], p[2]]))


def make(folder: Folder) -> None:
    begin(1)
    module = fit(network(), *scenes(1500, SIDE, 0, SIDES), epochs=5, loss=loss)
    path = folder.model("detector")
    pictures, truths = scenes(40, SIDE, 1, SIDES)
    export(module, pictures[:1], path)
    found = 0
    for picture, truth in zip(pictures, truths, strict=True):
        places = finders(module(picture[None])[0].detach(), int(truth[0]))
        if len(places) >= 2 and found < len(STYLES):
            folder.add(path, STYLES[found](module, picture[None], places, int(truth[0])))
            found += 1
    if found < len(STYLES):
        raise ArithmeticError("the detector has learned too little")


Places = list[tuple[int, int, int]]


def proved(module: nn.Module, picture: torch.Tensor, places: Places, label: int) -> Query:
    """That the surest confidence stays above what intervals prove: unsat."""
    output, box = number(places[0][0], 4, *places[0][1:]), around(picture, EPSILON)
    low, _ = interval(copy.deepcopy(module).double(), *(end.double() for end in box))
    least = float(low.flatten()[output])
    return Query("proved", *box, [[(output, "<=", least - 1e-3 * abs(least))]], "unsat")


def reached(module: nn.Module, picture: torch.Tensor, places: Places, label: int) -> Query:
    """That the surest confidence stays above what an attack reaches: sat."""
    output, box = number(places[0][0], 4, *places[0][1:]), around(picture, EPSILON)
    point, least = attack(module, *box, lambda y: y.flatten(1)[:, output])
    return Query("reached", *box, [[(output, "<=", least + 1e-3)]], "sat", point)


def confidence(module: nn.Module, picture: torch.Tensor, places: Places, label: int) -> Query:
    """That the surest confidence falls to at most twice as deep as an attack gets it."""
    output, box = number(places[0][0], 4, *places[0][1:]), around(picture, EPSILON)
    least = attack(module, *box, lambda y: y.flatten(1)[:, output])[1]
    here = float(module(picture).detach().flatten()[output])
    return Query("confidence", *box, [[(output, "<=", least - (here - least))]])


def lost(module: nn.Module, picture: torch.Tensor, places: Places, label: int) -> Query:
    """That some box keeps a positive confidence: a conjunction over all that find the digit."""
    box = around(picture, EPSILON)
    outputs = [number(p[0], 4, *p[1:]) for p in places]
    point, least = attack(module, *box, lambda y: y.flatten(1)[:, outputs].max(1).values)
    known = ("sat", point) if least < -0.01 else ("unknown", None)
    return Query("lost", *box, [[(o, "<=", 0.0) for o in outputs]], *known)


def misread(module: nn.Module, picture: torch.Tensor, places: Places, label: int) -> Query:
    """That the surest box keeps its confidence and class: a disjunction."""
    box, (which, row, column) = around(picture, EPSILON), places[0]
    right = number(which, 5 + label, row, column)
    rest = [number(which, 5 + k, row, column) for k in range(NUMBERS - 5) if k != label]
    sure = number(which, 4, row, column)
    rows: list[list[Row]] = [[(k, ">=", right)] for k in rest]

    def excess(y: torch.Tensor) -> torch.Tensor:
        flat = y.flatten(1)
        return torch.minimum(flat[:, right] - flat[:, rest].max(1).values, flat[:, sure])

    point, least = attack(module, *box, excess)
    known = ("sat", point) if least < -0.01 else ("unknown", None)
    return Query("misread", *box, [[(sure, "<=", 0.0)], *rows], *known)


STYLES = (proved, reached, confidence, lost, misread)
