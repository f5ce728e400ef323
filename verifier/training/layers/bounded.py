"""Layers that are 1-Lipschitz by a diagonal rescaling: cheap, of any weights, dense and convolutional.

- AOL, almost-orthogonal layers (Prach & Lampert, ECCV 2022, arXiv 2208.03160): W diag(d) with
  d_i = (sum_j |W'W|_ij)^(-1/2); d W'W d is dominated by the identity.
- SLL, SDP-based Lipschitz layers (Araujo et al., ICLR 2023, arXiv 2303.03169): x - 2 W T^-1 relu(W'x + b) with
  T_ii = sum_j |W'W|_ij q_j / q_i, q positive.

For convolutions W'W is the kernel's correlation with itself, for images of any size; padding with zeros or around the
image leaves rows out or adds entries up, and dominance stays.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, linear

from verifier.training.layers.base import DenseLayer, LipschitzLayer, plain_linear
from verifier.training.layers.convolution import ConvolutionLayer, ConvolutionSpec, plain_convolution

TINY = 1e-12


class AolDense(DenseLayer):
    """Almost orthogonal."""

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `DenseLayer.effective`."""
        return raw / ((raw.T @ raw).abs().sum(dim=1) + TINY).sqrt()


class AolConvolution(ConvolutionLayer):
    """Almost orthogonal."""

    paddings = ("zeros", "circular")

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `ConvolutionLayer.effective`."""
        return raw / (_correlation(raw.transpose(0, 1)).sum(dim=(1, 2, 3)) + TINY).sqrt()[None, :, None, None]


def _correlation(kernel: torch.Tensor) -> torch.Tensor:
    """Absolute values of the correlation of the first channels with each other, shape (C, C, 2k - 1, 2k - 1)."""
    return conv2d(kernel, kernel, padding=kernel.shape[-1] - 1).abs()


class SllDense(LipschitzLayer):
    """A residual layer with its own relu; where the width changes, an almost orthogonal layer takes its place.

    Args:
        size: inputs and outputs.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.randn(size, size) / size**0.5)
        self.bias, self.log_q = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.zeros(size))

    def _after(self, raw: torch.Tensor) -> torch.Tensor:
        """-2 W T^-1."""
        q = self.log_q.to(raw.dtype).exp()
        return -2 * raw / (((raw.T @ raw).abs() * q).sum(dim=1) / q + TINY)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, size)."""
        return x + linear(torch.relu(linear(x, self.raw.T, self.bias)), self._after(self.raw))

    def explicit(self) -> nn.Module:
        """See `LipschitzLayer.explicit`."""
        with torch.no_grad():
            raw = self.raw.double()
            first, second = plain_linear(raw.T, self.bias), plain_linear(self._after(raw), torch.zeros(len(raw)))
        return Residual(first, second)


class Residual(nn.Module):
    """x + second(relu(first(x))), of plain layers."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of the shape that the layers take."""
        return x + self.second(torch.relu(self.first(x)))


class SllConvolution(LipschitzLayer):
    """The convolutional one, padded with zeros, of as many channels before as after.

    Args:
        spec: of the convolution.
    """

    def __init__(self, spec: ConvolutionSpec) -> None:
        super().__init__()
        spec.require(("zeros",), "sll")
        spec.require_square("sll")
        shape = spec.out_channels, spec.in_channels, spec.kernel, spec.kernel
        self.raw = nn.Parameter(torch.randn(shape) / (spec.in_channels**0.5 * spec.kernel))
        self.bias, self.log_q = nn.Parameter(torch.zeros(shape[0])), nn.Parameter(torch.zeros(shape[0]))
        self.padding = spec.kernel // 2

    def _after(self, raw: torch.Tensor) -> torch.Tensor:
        """-2 W T^-1 as the kernel of a transposed convolution, W' being the convolution with `raw`."""
        q = self.log_q.to(raw.dtype).exp()
        total = (_correlation(raw) * q[None, :, None, None]).sum(dim=(1, 2, 3)) / q
        return -2 * raw / (total + TINY)[:, None, None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, channels, height, width)."""
        hidden = torch.relu(conv2d(x, self.raw, self.bias, padding=self.padding))
        return x + conv_transpose2d(hidden, self._after(self.raw), padding=self.padding)

    def explicit(self) -> nn.Module:
        """See `LipschitzLayer.explicit`."""
        with torch.no_grad():
            raw = self.raw.double()
            first = plain_convolution(raw, self.bias, "zeros")
            flipped = self._after(raw).transpose(0, 1).flip(2, 3)
            return Residual(first, plain_convolution(flipped, torch.zeros(len(raw)), "zeros"))
