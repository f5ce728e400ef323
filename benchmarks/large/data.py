"""Pictures made of scikit-learn's digits: coloured, on scenes, as masks. Everything is fixed by a seed.

All values are in [0, 1], float32.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.nn.functional import interpolate


@cache
def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    return torch.tensor(data.images / 16, dtype=torch.float32)[:, None], torch.tensor(data.target)


def digits(size: tuple[int, int], count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits drawn at random, shape (count, 1, *size), and their classes, int64, shape (count,)."""
    images, classes = _digits()
    chosen = torch.tensor(np.random.default_rng(seed).integers(len(images), size=count))
    return interpolate(images[chosen], size=size, mode="bilinear", align_corners=False).clamp(0, 1), classes[chosen]


def clouds(count: int, size: tuple[int, int], seed: int) -> torch.Tensor:
    """Smooth random colours, shape (count, 3, *size)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand((count, 3, 5, 5), generator=generator)
    return interpolate(coarse, size=size, mode="bilinear", align_corners=True)


def coloured_digits(count: int, seed: int, noise: float = 0.08) -> tuple[torch.Tensor, torch.Tensor]:
    """Digits in one random colour on clouds of another, shape (count, 3, 32, 32), and their classes."""
    generator = torch.Generator().manual_seed(seed)
    shape, classes = digits((32, 32), count, seed)
    ground = 0.5 * clouds(count, (32, 32), seed) + 0.1
    colour = ground.mean((2, 3), keepdim=True) + 0.25 + 0.25 * torch.rand((count, 3, 1, 1), generator=generator)
    picture = ground * (1 - shape) + colour * shape
    return (picture + noise * torch.randn(picture.shape, generator=generator)).clamp(0, 1), classes


def scenes(count: int, size: int, seed: int, sides: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A digit somewhere on a square picture of clouds.

    Args:
        sides: the digit's least and greatest side, in pixels.

    Returns:
        Pictures (count, 3, size, size), and (count, 5): class, left, top, right, bottom, the corners in [0, 1].
    """
    rng = np.random.default_rng(seed)
    pictures, truths = 0.5 * clouds(count, (size, size), seed) + 0.05, torch.zeros((count, 5))
    for k in range(count):
        side = int(rng.integers(sides[0], sides[1] + 1))
        left, top = (int(v) for v in rng.integers(0, size - side + 1, size=2))
        shape, number = digits((side, side), 1, int(rng.integers(2**31)))
        part = pictures[k, :, top : top + side, left : left + side]
        part += shape[0] * (torch.tensor(rng.uniform(0.6, 1.0, (3, 1, 1)), dtype=torch.float32) - part)
        truths[k] = torch.tensor([float(number), *(v / size for v in (left, top, left + side, top + side))])
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))
    return (pictures + 0.03 * noise).clamp(0, 1), truths


def cars(count: int, size: tuple[int, int], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Something like a car (two boxes and two wheels) before clouds.

    Returns:
        Pictures (count, 3, *size), and masks of 0 and 1 (count, *size).
    """
    rng, (rows, columns) = np.random.default_rng(seed), size
    pictures, masks = 0.6 * clouds(count, size, seed) + 0.3, torch.zeros((count, *size))
    y, x = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")
    for k in range(count):
        cx, cy, half = rng.uniform(0.4, 0.6), rng.uniform(0.5, 0.65), rng.uniform(0.22, 0.34)
        body = ((x - cx).abs() < half) & ((y - cy).abs() < 0.14)
        cabin = ((x - cx).abs() < 0.6 * half) & ((y - cy + 0.2).abs() < 0.12)
        wheels = [((x - cx - s * half * 0.6) ** 2 + ((y - cy - 0.15) * rows / columns) ** 2) < 0.004 for s in (-1, 1)]
        mask = body | cabin | wheels[0] | wheels[1]
        colour = torch.tensor(rng.uniform(0.0, 0.3, (3, 1)), dtype=torch.float32)
        pictures[k][:, mask] = colour + 0.3 * pictures[k][:, mask]
        masks[k] = mask.float()
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(seed))
    return (pictures + 0.03 * noise).clamp(0, 1), masks
