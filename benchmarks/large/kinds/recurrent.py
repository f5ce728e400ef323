"""An LSTM of 32 units over 20 steps of 8 numbers: digits, stretched to 20 rows; the last step's class.

Boxes are parts of what an attack breaks.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from benchmarks.large.classifiers import sized
from benchmarks.large.data import digits
from benchmarks.large.queries import Folder, around
from benchmarks.large.training import begin, export, fit

STEPS, ENTRIES, UNITS = 20, 8, 32


class Recurrent(nn.Module):
    """An LSTM and a linear layer on its last step; input (N, STEPS, ENTRIES)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.last = nn.LSTM(ENTRIES, UNITS, batch_first=True), nn.Linear(UNITS, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.lstm(x)[0][:, -1])


def rows(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits as sequences of rows, and their classes."""
    pictures, classes = digits((STEPS, ENTRIES), count, seed)
    return pictures[:, 0], classes


def make(folder: Folder) -> None:
    begin(6)
    module = fit(Recurrent(), *rows(4000, 12), epochs=12)
    path = folder.model("lstm")
    sequences, classes = rows(30, 13)
    export(module, sequences[:1], path)
    k = int((module(sequences).argmax(1) == classes).nonzero()[0])
    parts = {"hundredth": 0.01, "tenth": 0.1, "third": 1 / 3, "broken": 1.1}
    for query in sized(module, partial(around, sequences[k : k + 1]), int(classes[k]), 10, 0.5, parts, False):
        folder.add(path, query)
