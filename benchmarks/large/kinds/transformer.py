"""A vision transformer of three blocks, three heads, patches of 8, as VNN-COMP's vit_2023 has them: BatchNorm, relus.

Trained against one step of 1/255. Boxes are parts of what an attack breaks.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from benchmarks.large.classifiers import sized
from benchmarks.large.data import coloured_digits
from benchmarks.large.queries import Folder, around
from benchmarks.large.training import begin, export, fit

WIDTH, HEADS, TOKENS = 48, 3, 17


class Normalised(nn.Module):
    """BatchNorm of each feature over batch and tokens, then an inner module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.norm, self.inner = nn.BatchNorm1d(WIDTH), inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(self.norm(x.transpose(1, 2)).transpose(1, 2))


class Attention(nn.Module):
    """Softmax attention over tokens, shape (N, TOKENS, WIDTH)."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def heads(layer: nn.Linear) -> torch.Tensor:
            return layer(x).reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(1, 2)

        scores = heads(self.query) @ heads(self.key).transpose(2, 3) * (WIDTH // HEADS) ** -0.5
        mixed = torch.softmax(scores, -1) @ heads(self.value)
        return self.out(mixed.transpose(1, 2).reshape(-1, TOKENS, WIDTH))


class Transformer(nn.Module):
    """Patches and a class token, blocks, the mean of all tokens, a linear layer."""

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 8, 8)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(0.02 * torch.randn(1, TOKENS, WIDTH))
        layers = [part for _ in range(blocks) for part in (Normalised(Attention()), Normalised(_dense()))]
        self.blocks, self.norm, self.last = nn.Sequential(*layers), nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        first = self.token.expand(tokens.shape[0], 1, WIDTH)
        return self.last(self.norm(self.blocks(torch.cat([first, tokens], 1) + self.places).mean(1)))


def _dense() -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.ReLU(), nn.Linear(2 * WIDTH, WIDTH))


def make(folder: Folder) -> None:
    begin(3)
    module = fit(Transformer(), *coloured_digits(3000, 4), epochs=8, epsilon=1 / 255)
    path = folder.model("transformer")
    pictures, classes = coloured_digits(30, 5)
    export(module, pictures[:1], path)
    right = (module(pictures).argmax(1) == classes).nonzero()[:, 0].tolist()
    for count, k in enumerate(right[:2]):
        small, large = {"hundredth": 0.01, "thirtieth": 1 / 30, "tenth": 0.1}, {"third": 1 / 3, "broken": 1.5}
        parts = large if count else small
        for query in sized(module, partial(around, pictures[k : k + 1]), int(classes[k]), 10, 0.1, parts, False):
            folder.add(path, query)
