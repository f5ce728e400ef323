"""Differentiable bounds of a network's outputs over perturbed samples, to train by; no certificate rests on them.

A layer's values lie in intervals, found forward (Gowal et al., arXiv 1810.12715). Rows of coefficients on the outputs
go backward, through a relu by the line below it where they are positive and by the line above it where they are
negative (Zhang et al., arXiv 1811.00866), down to some layer, where the intervals, or the perturbation itself, give the
minimum. All in float32, with no regard to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from verifier.errors import UsageError
from verifier.training.method import Moment

Bounds: TypeAlias = list[tuple[Tensor, Tensor]]
"""Lower and upper bounds of what goes into each layer, shape (N, ...), and at the end of the outputs."""
Slope: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""The slope of the line below an undecided relu, from the bounds of what goes into it."""

AFFINE, SHAPES = (nn.Linear, nn.Conv2d), (nn.Flatten, nn.Unflatten, nn.Identity)
NARROW = 1e-12
"""What the width of a relu's interval is at least, where it divides."""
SMALL = 1e-30
"""What a squared norm is at least: the root has no slope at 0, where an output sees only padding."""


def parallel(lower: Tensor, upper: Tensor) -> Tensor:
    """That of the line above it (Wong & Kolter, arXiv 1711.00851)."""
    return upper / (upper - lower).clamp(min=NARROW)


def adaptive(lower: Tensor, upper: Tensor) -> Tensor:
    """0 or 1, whichever line leaves the smaller triangle."""
    return (upper > -lower).to(upper.dtype)


@dataclass(frozen=True, eq=False)
class Region:
    """Perturbed samples.

    Attributes:
        x: the samples, shape (N, features).
        epsilon, norm: how far, in norm 2 or inf.
        clip: the range of the data, which cuts off a ball of norm inf, and is not looked at in norm 2; or None.
    """

    x: Tensor
    epsilon: float
    norm: float
    clip: tuple[float, float] | None

    @classmethod
    def at(cls, x: Tensor, moment: Moment) -> Region:
        """What is trained against at a moment."""
        return cls(x, moment.epsilon, moment.norm, moment.clip)

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """The bounding box."""
        lower, upper = self.x - self.epsilon, self.x + self.epsilon
        if self.clip is None or self.norm != math.inf:
            return lower, upper
        return lower.clamp(min=self.clip[0]), upper.clamp(max=self.clip[1])

    def minimum(self, rows: Tensor) -> Tensor:
        """Of rows, shape (N, R, features), times the perturbed samples; shape (N, R)."""
        if self.norm == math.inf:
            return box_minimum(rows, *self.ends)
        return _dot(rows, self.x) - self.epsilon * rows.norm(dim=2)


def check_layers(network: nn.Sequential) -> None:
    """Finds out whether the bounds know all layers.

    Raises:
        UsageError: they do not.
    """
    for layer in network:
        zeros = not isinstance(layer, nn.Conv2d) or layer.padding_mode == "zeros"
        if not isinstance(layer, (*AFFINE, *SHAPES, nn.ReLU)) or not zeros:
            fix = "use plain layers and relus, or another method"
            raise UsageError(f"no bounds to train by of a layer {type(layer).__name__}", "[architecture]", fix)


def interval_bounds(network: nn.Sequential, region: Region) -> Bounds:
    """Intervals of every layer; an affine one that comes first is bounded exactly."""
    check_layers(network)
    found, ball = [region.ends], region.norm == 2
    for layer in network:
        if ball and isinstance(layer, AFFINE):
            found.append(_around(layer, (found[-1][0] + found[-1][1]) / 2, region.epsilon))
            ball = False
        else:
            found.append(_passed(layer, *found[-1]))
    return found


def linear_bounds(network: nn.Sequential, region: Region, slope: Slope) -> Bounds:
    """The same, those of what goes into a relu sharpened by rows that go backward to the perturbation."""
    found, layers, first = interval_bounds(network, region), list(network), True
    for k, layer in enumerate(layers):
        if not isinstance(layer, nn.ReLU):
            continue
        if not first:
            lower, upper = found[k]
            unit = torch.eye(lower[0].numel()).expand(len(lower), -1, -1)
            rows = unit.reshape(*unit.shape[:2], *lower.shape[1:])
            low = row_bounds(layers[:k], found, rows, region, slope).reshape(lower.shape)
            high = -row_bounds(layers[:k], found, -rows, region, slope).reshape(lower.shape)
            found[k] = torch.maximum(lower, low), torch.minimum(upper, high)
            for after in range(k, len(layers)):
                low, high = _passed(layers[after], *found[after])
                found[after + 1] = torch.maximum(found[after + 1][0], low), torch.minimum(found[after + 1][1], high)
        first = False
    return found


def row_bounds(
    network: Iterable[nn.Module], bounds: Bounds, rows: Tensor, region: Region | None, slope: Slope = parallel
) -> Tensor:
    """Lower bounds of rows times the outputs.

    Args:
        network: layers that `check_layers` accepts.
        bounds: of what goes into each of them; any more are not looked at.
        rows: shape (N, R, ...), the last dimensions being those of the outputs.
        region: the perturbed samples; None: rows only go backward through the last affine layer, and what goes into it
            is taken from its interval.
        slope: of the lines below relus.

    Returns:
        Shape (N, R).
    """
    total = torch.zeros(rows.shape[:2])
    for layer, (lower, upper) in reversed(list(zip(network, bounds, strict=False))):
        if isinstance(layer, nn.ReLU):
            rows, gained = _through_relu(rows, lower, upper, slope)
            total = total + gained
        elif isinstance(layer, AFFINE):
            rows, gained = _through_affine(layer, rows, lower.shape[1:])
            total = total + gained
            if region is None:
                return total + box_minimum(rows, lower, upper)
        else:
            rows = rows.reshape(*rows.shape[:2], *lower.shape[1:])
    flat = rows.flatten(2)
    return total + (box_minimum(flat, *bounds[0]) if region is None else region.minimum(flat))


def margin_rows(y: Tensor, classes: int) -> Tensor:
    """The class's output less each output, as rows, shape (N, classes, classes)."""
    unit = torch.eye(classes)
    return unit[y][:, None, :] - unit[None, :, :]


def worst_logits(margins: Tensor) -> Tensor:
    """Logits whose cross-entropy bounds that of any perturbed sample, from lower bounds of `margin_rows`."""
    return -margins


def box_minimum(rows: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The minimum of rows (N, R, ...) times a value between bounds (N, ...); shape (N, R)."""
    return _dot(rows, (lower + upper) / 2) - _dot(rows.abs(), (upper - lower) / 2)


def _dot(rows: Tensor, values: Tensor) -> Tensor:
    return (rows.flatten(2) @ values.flatten(1)[:, :, None])[:, :, 0]


def _linear(layer: nn.Module, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's map with other weights."""
    if isinstance(layer, nn.Conv2d):
        return functional.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
    return functional.linear(x, weight, bias)


def _around(layer: nn.Linear | nn.Conv2d, centre: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Of an affine layer on a ball of the 2-norm."""
    middle = layer(centre)
    reach = epsilon * _linear(layer, torch.ones_like(centre[:1]), layer.weight**2, None).clamp(min=SMALL).sqrt()
    return middle - reach, middle + reach


def _passed(layer: nn.Module, lower: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Intervals of what comes out of a layer."""
    if not isinstance(layer, AFFINE):
        return layer(lower), layer(upper)
    middle = layer((lower + upper) / 2)
    reach = _linear(layer, (upper - lower) / 2, layer.weight.abs(), None)
    return middle - reach, middle + reach


def _through_affine(layer: nn.Linear | nn.Conv2d, rows: Tensor, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Rows on what goes in, shaped `shape`, and what the bias brings, shape (N, R)."""
    count = rows.shape[:2]
    if isinstance(layer, nn.Linear):
        gained = rows @ layer.bias if layer.bias is not None else torch.zeros(count)
        return rows @ layer.weight, gained
    gained = rows.sum(dim=(3, 4)) @ layer.bias if layer.bias is not None else torch.zeros(count)
    assert not isinstance(layer.padding, str)
    missing = [
        side - ((rows.shape[3 + d] - 1) * layer.stride[d] - 2 * layer.padding[d] + layer.kernel_size[d])
        for d, side in enumerate(shape[1:])
    ]
    before = functional.conv_transpose2d(
        rows.flatten(0, 1), layer.weight, None, layer.stride, layer.padding, missing, layer.groups, layer.dilation
    )
    return before.reshape(*count, *shape), gained


def _through_relu(rows: Tensor, lower: Tensor, upper: Tensor, slope: Slope) -> tuple[Tensor, Tensor]:
    """Rows on what goes into a relu, and what the intercepts of the lines above bring, shape (N, R)."""
    above = torch.where(lower >= 0, 1.0, torch.where(upper <= 0, 0.0, parallel(lower, upper)))
    below = torch.where(lower >= 0, 1.0, torch.where(upper <= 0, 0.0, slope(lower, upper)))
    intercept = torch.where((lower < 0) & (upper > 0), -lower * above, 0.0)
    positive, negative = rows.clamp(min=0), rows.clamp(max=0)
    return positive * below[:, None] + negative * above[:, None], _dot(negative, intercept)
