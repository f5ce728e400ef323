"""Two U-Nets like VNN-COMP's carvana_unet_2022: how many pixels of a mask, the input's fourth channel, are found.

The input has shape (1, 4, 31, 47), the output is a count: ArgMax of two channels, Equal to the mask, a sum.
`simple` is four convolutions at full size, `halved` goes to half the size and back beside a shortcut. Pixels vary
by 1/255 (`small`) or by 4/255 (`large`); asked is whether twice as many as an attack changes, and one more, can
change.
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
    """Counts that intervals prove in a tiny box (unsat), that an attack reaches (sat), and below what it reaches."""
    mask = _mask(module, picture)
    sides = (2 * mask - 1)[:, 0]
    exact, epsilon = copy.deepcopy(module).double(), 1 / 255
    while (stable := _stable(exact, around(picture, epsilon), sides)) < 0.9 * mask.numel():
        epsilon /= 1.5
    yield _query("proved", around(picture, epsilon), mask, stable - 1, "unsat")

    def excess(y: torch.Tensor) -> torch.Tensor:
        return ((y[:, 1] - y[:, 0]) * sides + 0.01).clamp(min=0).minimum(torch.tensor(1.0)).sum((1, 2))

    for name, epsilon in (("small", 1 / 255), ("large", 4 / 255)):
        box = around(picture, epsilon)
        point = attack(module, *box, excess)[0]
        reached = int((_mask(module, point) == mask).sum())
        if name == "large":
            yield _query("reached", box, mask, reached, "sat", point)
        yield _query(name, box, mask, mask.numel() - 2 * (mask.numel() - reached) - 1)


def _stable(exact: nn.Module, box: tuple[torch.Tensor, torch.Tensor], sides: torch.Tensor) -> int:
    """How many pixels keep their side by interval arithmetic."""
    low, high = interval(exact, *(end.double() for end in box))
    worst = torch.minimum((low[:, 1] - high[:, 0]) * sides, (high[:, 1] - low[:, 0]) * sides)
    return int((worst > 1e-3).sum())


def _query(
    name: str,
    box: tuple[torch.Tensor, torch.Tensor],
    mask: torch.Tensor,
    most: int,
    truth: str = "unknown",
    point: torch.Tensor | None = None,
) -> Query:
    """Whether at most so many pixels agree with the mask."""
    low, high = (torch.cat([end, mask], 1) for end in box)
    return Query(
        name, low, high, [[(0, "<=", float(most))]], truth, None if point is None else torch.cat([point, mask], 1)
    )
