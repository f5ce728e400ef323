"""Convolutions of constant 1: by spectral normalisation, and orthogonal ones by three parametrisations.

- `SpectralConvolution`: the kernel over the norm of the map with its padding, estimated by the power method on images
  in training and bounded from above in the export. (The norm of the kernel as a matrix misses it by up to 3 times.)
- `CayleyConvolution` (Trockman & Kolter, ICLR 2021, arXiv 2104.07167): a Cayley transform at each frequency, padded
  around.
- `SkewConvolution` (Singla & Feizi, ICML 2021, arXiv 2105.11417): exp(A) by its series, for the skew map A of kernel
  minus its transpose, with ||A|| <= `REACH`; `series_error` is what is left.
- `BlockConvolution`, BCOP (Li et al., NeurIPS 2019, arXiv 1911.00937): products of 1 x 2 and 2 x 1 kernels [P, I - P],
  P an orthogonal projection, and an orthogonal matrix. Padded around it is orthogonal; zeros leave rows of a larger
  one out.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from verifier.training.layers.certificate import certified_constant
from verifier.training.layers.convolution import (
    ConvolutionLayer,
    ConvolutionSpec,
    convolved,
    plain_convolution,
    written_around,
    written_out,
)
from verifier.training.layers.dense import cayley

TERMS = 18
REACH = 2.0


class SpectralConvolution(ConvolutionLayer):
    """Spectral normalisation of the map with its padding."""

    image: torch.Tensor

    def __init__(self, spec: ConvolutionSpec) -> None:
        super().__init__(spec)
        self.register_buffer("image", torch.randn(1, spec.in_channels, *spec.image))

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `ConvolutionLayer.effective`."""
        image = self.image.to(raw.dtype)
        fixed = raw.detach()
        for _ in range(1 if self.training else 20):
            image = image / image.norm()
            # The gradient of half the squared length is the adjoint applied to the image.
            with torch.enable_grad():
                x = image.clone().requires_grad_()
                (image,) = torch.autograd.grad(0.5 * convolved(x, fixed, self.spec.padding).square().sum(), x)
        image = (image / image.norm()).detach()
        if self.training:
            self.image.copy_(image)
        return raw / convolved(image, raw, self.spec.padding).norm()

    def explicit(self) -> nn.Module:
        """Divided by the certified norm."""
        with torch.no_grad():
            kernel = self.effective(self.raw.double())
        spec = self.spec
        plain = plain_convolution(kernel, torch.zeros_like(self.bias), spec.padding)
        norm = certified_constant(plain, (spec.in_channels, *spec.image))
        return plain_convolution(kernel / norm, self.bias, spec.padding)


class _WrittenOut(ConvolutionLayer):
    """One whose map is no convolution with a small kernel.

    Exported it has a kernel as large as the image where it is padded around, and is a dense matrix else.
    """

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """The raw kernel; what is made of it is the map."""
        return raw

    def explicit(self) -> nn.Module:
        """See `LipschitzLayer.explicit`."""
        layer = copy.deepcopy(self).double()
        return (written_around if self.spec.padding == "circular" else written_out)(layer, self.spec)


class CayleyConvolution(_WrittenOut):
    """Orthogonal at each frequency."""

    paddings = ("circular",)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, in_channels, height, width)."""
        height, width = self.spec.image
        kernel = torch.fft.rfft2(self.raw, s=(height, width)).permute(2, 3, 0, 1)
        wide = kernel.shape[-2] < kernel.shape[-1]
        matrices = cayley(kernel.mT).mT if wide else cayley(kernel)
        transformed = torch.fft.rfft2(x).permute(2, 3, 1, 0)
        result = torch.fft.irfft2((matrices @ transformed).permute(3, 2, 0, 1), s=(height, width))
        return result + self.bias[:, None, None]


class SkewConvolution(_WrittenOut):
    """Orthogonal by the exponential; channels that are missing before or after are zeros, or left out."""

    paddings = ("zeros", "circular")

    def __init__(self, spec: ConvolutionSpec) -> None:
        super().__init__(spec)
        channels = max(spec.in_channels, spec.out_channels)
        shape = channels, channels, spec.kernel, spec.kernel
        self.raw = nn.Parameter(torch.randn(shape) / (channels**0.5 * spec.kernel))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, in_channels, height, width)."""
        kernel = self.raw - self.raw.transpose(0, 1).flip(2, 3)
        # The 1-norm and, as it is skew, the infinity-norm of the map are at most this, and so is the 2-norm.
        size = kernel.abs().sum(dim=(1, 2, 3)).max()
        kernel = kernel * torch.clamp(REACH / (size + 1e-12), max=1.0)
        missing = kernel.shape[0] - x.shape[1]
        term = total = nn.functional.pad(x, (0, 0, 0, 0, 0, missing))
        for n in range(1, TERMS):
            term = convolved(term, kernel, self.spec.padding) / n
            total = total + term
        return total[:, : self.spec.out_channels] + self.bias[:, None, None]


def series_error(norm: float, terms: int = TERMS) -> float:
    """At least what is left of exp(A) after so many terms of its series, for ||A|| <= norm < terms."""
    return norm**terms / math.factorial(terms) / (1 - norm / (terms + 1))


class BlockConvolution(ConvolutionLayer):
    """Block convolutions of orthogonal projections."""

    paddings = ("zeros", "circular")

    def __init__(self, spec: ConvolutionSpec) -> None:
        super().__init__(spec)
        channels = max(spec.in_channels, spec.out_channels)
        self.raw = nn.Parameter(torch.randn(2 * spec.kernel - 1, channels, channels))

    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """See `ConvolutionLayer.effective`."""
        orthogonal, _ = torch.linalg.qr(raw)
        kernel = orthogonal[:1, :, :, None, None][0]
        half = raw.shape[-1] // 2
        for step, basis in enumerate(orthogonal[1:]):
            projection = basis[:, :half] @ basis[:, :half].T
            pair = torch.stack([projection, torch.eye(len(basis), dtype=raw.dtype) - projection], dim=-1)
            kernel = _product(kernel, pair[:, :, None, :] if step % 2 else pair[:, :, :, None])
        return kernel[: self.spec.out_channels, : self.spec.in_channels]


def _product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The kernel of one convolution after another, shape (out, in, h + h' - 1, w + w' - 1)."""
    height, width = second.shape[2:]
    padded = nn.functional.pad(first, (width - 1, width - 1, height - 1, height - 1))
    return nn.functional.conv2d(padded, second.transpose(0, 1).flip(2, 3))
