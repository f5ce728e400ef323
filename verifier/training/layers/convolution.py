"""What convolutional layers share: where they are put, and kernels that are a function of raw ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from verifier.errors import UsageError
from verifier.training.layers.base import LipschitzLayer, plain_linear

PADDINGS = ("zeros", "circular", "reflect", "replicate")
MOST_ENTRIES = 2048
"""Entries of an image that a layer is written out for as a dense matrix."""


@dataclass(frozen=True)
class ConvolutionSpec:
    """Where a convolution is put; images keep their height and width.

    Attributes:
        in_channels, out_channels: before and after.
        kernel: its height and width, odd.
        image: height and width.
        padding: one of `PADDINGS`.

    Raises:
        UsageError: on construction, where these do not fit.
    """

    in_channels: int
    out_channels: int
    kernel: int
    image: tuple[int, int]
    padding: str = "zeros"

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0 or self.kernel > min(self.image):
            raise UsageError(f"a kernel of {self.kernel}", "kernel", "give an odd size that the image holds")
        if self.padding not in PADDINGS:
            raise UsageError(f"there is no padding {self.padding!r}", "padding", f"choose one of {', '.join(PADDINGS)}")

    def require(self, paddings: Sequence[str], kind: str) -> None:
        """Raises UsageError where a kind of layer is not 1-Lipschitz with this padding."""
        if self.padding not in paddings:
            known = " or ".join(paddings)
            raise UsageError(f"{kind} is not 1-Lipschitz with padding {self.padding!r}", "padding", f"give {known}")

    def require_square(self, kind: str) -> None:
        """Raises UsageError where the number of channels changes."""
        if self.in_channels != self.out_channels:
            cause = f"{kind} keeps its channels, and {self.in_channels} are not {self.out_channels}"
            raise UsageError(cause, "channels", "give as many as before")


class ConvolutionLayer(LipschitzLayer):
    """A convolution whose kernel is a function of a raw one.

    Args:
        spec: of the convolution.
    """

    paddings: ClassVar[tuple[str, ...]] = PADDINGS
    """With which it is 1-Lipschitz."""

    def __init__(self, spec: ConvolutionSpec) -> None:
        super().__init__()
        spec.require(self.paddings, type(self).__name__)
        self.spec = spec
        shape = spec.out_channels, spec.in_channels, spec.kernel, spec.kernel
        self.raw = nn.Parameter(torch.randn(shape) / (spec.in_channels**0.5 * spec.kernel))
        self.bias = nn.Parameter(torch.zeros(spec.out_channels))

    @abstractmethod
    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """The kernel, shape (out, in, k, k), differentiable, in the dtype of `raw`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, in_channels, height, width)."""
        return convolved(x, self.effective(self.raw), self.spec.padding) + self.bias[:, None, None]

    def explicit(self) -> nn.Module:
        """See `LipschitzLayer.explicit`."""
        with torch.no_grad():
            return plain_convolution(self.effective(self.raw.double()), self.bias, self.spec.padding)


def convolved(x: torch.Tensor, kernel: torch.Tensor, padding: str) -> torch.Tensor:
    """The convolution that keeps the image's size."""
    reach = kernel.shape[-1] // 2
    if padding == "zeros":
        return nn.functional.conv2d(x, kernel, padding=reach)
    return nn.functional.conv2d(nn.functional.pad(x, (reach,) * 4, mode=padding), kernel)


class Padded(nn.Module):
    """A convolution on a padded image, of the image's size: takes entries of it where ONNX has no such padding."""

    def __init__(self, convolution: nn.Conv2d, padding: str) -> None:
        super().__init__()
        self.convolution, self.padding = convolution, padding
        self.above, self.left = (int(size) // 2 for size in convolution.kernel_size)
        self.below, self.right = (int(size) - 1 - int(size) // 2 for size in convolution.kernel_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, in_channels, height, width)."""
        if self.padding == "circular":  # made of slices, which any opset has
            height, width = x.shape[2:]
            x = torch.cat([x[:, :, height - self.above :], x, x[:, :, : self.below]], dim=2)
            x = torch.cat([x[:, :, :, width - self.left :], x, x[:, :, :, : self.right]], dim=3)
        else:
            x = nn.functional.pad(x, (self.left, self.right, self.above, self.below), mode=self.padding)
        result: torch.Tensor = self.convolution(x)
        return result


def plain_convolution(kernel: torch.Tensor, bias: torch.Tensor, padding: str) -> nn.Module:
    """A plain convolution with copies of these weights, in float32, that keeps the image's size."""
    after, before, size, _ = kernel.shape
    reach = size // 2
    layer = nn.Conv2d(before, after, size, padding=reach if padding == "zeros" else 0)
    with torch.no_grad():
        layer.weight.copy_(kernel)
        layer.bias.copy_(bias)  # type: ignore[union-attr]  # it has one
    return layer if padding == "zeros" or reach == 0 else Padded(layer, padding)


def written_around(layer: nn.Module, spec: ConvolutionSpec) -> nn.Module:
    """A layer, affine in its input, that commutes with cyclic moves and is run in float64, as one convolution.

    Its kernel is as large as the image, which is padded around.
    """
    (height, width), before, after = spec.image, spec.in_channels, spec.out_channels
    with torch.no_grad():
        bias = layer(torch.zeros(1, before, height, width, dtype=torch.float64))[0, :, 0, 0]
        units = torch.zeros(before, before, height, width, dtype=torch.float64)
        units[:, :, 0, 0] = torch.eye(before)
        # A pixel adds to what lies before it by the kernel's last weights.
        response = (layer(units) - bias[:, None, None]).transpose(0, 1)
        rows, columns = (torch.arange(size).neg() + size // 2 for size in (height, width))
        convolution = nn.Conv2d(before, after, (height, width))
        convolution.weight.copy_(response[:, :, rows % height][:, :, :, columns % width])
        convolution.bias.copy_(bias)  # type: ignore[union-attr]  # it has one
    return Padded(convolution, "circular")


def written_out(layer: nn.Module, spec: ConvolutionSpec) -> nn.Module:
    """A layer, affine in its input and run in float64, as one dense layer between reshapes.

    Raises:
        UsageError: the image is too large for it.
    """
    height, width = spec.image
    before, after = spec.in_channels * height * width, spec.out_channels * height * width
    if max(before, after) > MOST_ENTRIES:
        cause = f"{max(before, after)} entries, and {MOST_ENTRIES} are written out at most"
        raise UsageError(cause, "image", "give a smaller image, fewer channels, or another kind of layer")
    with torch.no_grad():
        bias = layer(torch.zeros(1, spec.in_channels, height, width, dtype=torch.float64)).reshape(1, after)
        units = torch.eye(before, dtype=torch.float64).reshape(before, spec.in_channels, height, width)
        weight = (layer(units).reshape(before, after) - bias).T
    return nn.Sequential(
        nn.Flatten(), plain_linear(weight, bias[0]), nn.Unflatten(1, (spec.out_channels, height, width))
    )
