"""Two U-Nets like VNN-COMP's carvana_unet_2022: how many pixels of a mask, the input's fourth channel, the network finds.

The input has shape (1, 4, 31, 47), the output is a count: ArgMax of two channels, Equal to the mask, a sum. `simple` is four
convolutions at full size, `halved` goes to half the size and back beside a shortcut. Counts are planted between the pixels that
intervals prove and those that an attack leaves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import nn

from benchmarks.large.data import cars
from benchmarks.large.modules import Beside, convolution, interval
from benchmarks.large.queries import Folder, Query, around
from benchmarks.large.training import attack, begin, export, fit

SIZE = (31, 47)


def layer(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, normalisation, relu."""
    return nn.Sequential(*convolution(inputs, outputs), nn.ReLU())


def simple() -> nn.Sequential:
    """Three pictures in, two scores for each pixel out, all at one size."""
    return nn.Sequential(layer(3, 16), layer(16, 16), layer(16, 16), nn.Conv2d(16, 2, 3, padding=1))


def halved() -> nn.Sequential:
    """The same over half the size, beside a shortcut."""
    up = nn.ConvTranspose2d(32, 16, 2, 2, output_padding=1)
    inner = nn.Sequential(nn.AvgPool2d(2), layer(16, 32), layer(32, 32), up)
    return nn.Sequential(layer(3, 16), Beside(inner), layer(32, 16), nn.Conv2d(16, 2, 1))


class Counted(nn.Module):
    """The number of pixels at which the greater score agrees with the mask, shape (N, 1)."""

    def __init__(self, scores: nn.Module) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = torch.argmax(self.scores(x[:, :3]), dim=1)
        return (found == x[:, 3].to(torch.int64)).float().sum((1, 2)).unsqueeze(1)


def make(folder: Folder) -> None:
    for seed, scores in enumerate((simple, halved)):
        begin(10 + seed)
        module = fit(scores(), *_targets(*cars(400, SIZE, 6)), epochs=4)
        picture = cars(1, SIZE, 7)[0]
        path = folder.model(scores.__name__)
        export(Counted(module).eval(), torch.cat([picture, _mask(module, picture)], 1), path)
        for query in planted(module, picture):
            folder.add(path, query)


def _targets(pictures: torch.Tensor, masks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return pictures, masks.long()


def _mask(module: nn.Module, picture: torch.Tensor) -> torch.Tensor:
    """The network's own answer: the mask that is asked about."""
    return module(picture).argmax(1, keepdim=True).float().detach()


def planted(module: nn.Module, picture: torch.Tensor) -> Iterator[Query]:
    """Counts that intervals prove (unsat), that an attack reaches (sat), and between the two."""
    mask, sides = _mask(module, picture), (2 * _mask(module, picture) - 1)[:, 0]
    for name, epsilon in (("small", 1 / 255), ("large", 4 / 255)):
        box = around(picture, epsilon)
        low, high = interval(copy.deepcopy(module).double(), *(end.double() for end in box))
        worst = torch.minimum((low[:, 1] - high[:, 0]) * sides, (high[:, 1] - low[:, 0]) * sides)
        proved = int((worst > 1e-3).sum())

        def excess(y: torch.Tensor) -> torch.Tensor:
            return ((y[:, 1] - y[:, 0]) * sides + 0.01).clamp(min=0).minimum(torch.tensor(1.0)).sum((1, 2))

        point = attack(module, *box, excess)[0]
        reached = int((_mask(module, point) == mask).sum())
        low, high, point = (torch.cat([part, mask], 1) for part in (*box, point))
        yield Query(f"{name}-proved", low, high, [[(0, "<=", float(proved - 1))]], "unsat")
        if name == "large":
            yield Query(f"{name}-reached", low, high, [[(0, "<=", float(reached))]], "sat", point)
        yield Query(f"{name}-between", low, high, [[(0, "<=", reached - 1 - 0.5 * (reached - proved) // 1)]])
