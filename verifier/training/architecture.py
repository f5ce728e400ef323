"""The network of a recipe: convolutions, then dense layers, as a `torch.nn.Sequential` on flat samples."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from verifier.errors import UsageError
from verifier.training.layers.convolution import ConvolutionSpec
from verifier.training.layers.registry import ACTIVATIONS, CONVOLUTIONS, DENSE, POOLING
from verifier.training.recipe import ArchitectureRecipe, ConvolutionRecipe

PLAIN = "plain"
NONE = "none"
Image = tuple[int, int, int]
"""Channels, height, width."""


def build(recipe: ArchitectureRecipe, image: Image, classes: int) -> nn.Sequential:
    """The network, its weights drawn from torch's generator.

    Args:
        recipe: the architecture.
        image: of a sample; samples come flat, shape (N, channels * height * width).
        classes: outputs.

    Raises:
        UsageError: a kind of layer is unknown, or a convolution or pooling does not fit the image.
    """
    _activation(recipe.activation)  # says what is wrong with the name, used or not
    if recipe.pooling != NONE and recipe.pooling not in POOLING:
        raise _unknown("pooling", recipe.pooling, (NONE, *POOLING))
    layers: list[nn.Module] = []
    channels, height, width = image
    if recipe.convolutions:
        layers.append(nn.Unflatten(1, image))
        for convolution in recipe.convolutions:
            parts, (channels, height, width) = _convolution(recipe, convolution, (channels, height, width))
            layers += [*parts, _activation(recipe.activation)]
            if recipe.pooling != NONE:
                part, (channels, height, width) = _pooling(recipe.pooling, (channels, height, width))
                layers.append(part)
        layers.append(nn.Flatten())
    size = channels * height * width
    for hidden in recipe.widths:
        layers += [_dense(recipe.dense, size, hidden), _activation(recipe.activation)]
        size = hidden
    layers.append(_dense(recipe.last or recipe.dense, size, classes))
    return nn.Sequential(*layers)


def _dense(kind: str, before: int, after: int) -> nn.Module:
    if kind == PLAIN:
        return nn.Linear(before, after)
    if kind not in DENSE:
        raise _unknown("dense", kind, (PLAIN, *DENSE))
    return DENSE[kind](before, after)


def _activation(kind: str) -> nn.Module:
    if kind not in ACTIVATIONS:
        raise _unknown("activation", kind, ACTIVATIONS)
    return ACTIVATIONS[kind]()


def _pooling(kind: str, image: Image) -> tuple[nn.Module, Image]:
    channels, height, width = image
    if height % 2 or width % 2:
        raise UsageError(f"pooling of {height} x {width} pixels", "[architecture], pooling", "give even sizes, or none")
    return POOLING[kind](), (channels * (4 if kind == "space-to-depth" else 1), height // 2, width // 2)


def _convolution(
    recipe: ArchitectureRecipe, convolution: ConvolutionRecipe, image: Image
) -> tuple[list[nn.Module], Image]:
    """The convolution, and the shape that it leaves."""
    if recipe.convolution != PLAIN:
        return _bounded_convolution(recipe, convolution, image)
    channels, height, width = image
    reach = convolution.kernel - 2 * convolution.padding
    after = [(side - reach) // convolution.stride + 1 for side in (height, width)]
    if min(after) < 1:
        cause = f"a kernel of {convolution.kernel} on {height} x {width} pixels"
        raise UsageError(cause, "[architecture]", "give a smaller kernel or more padding")
    layer = nn.Conv2d(channels, convolution.channels, convolution.kernel, convolution.stride, convolution.padding)
    return [layer], (convolution.channels, after[0], after[1])


def _bounded_convolution(
    recipe: ArchitectureRecipe, convolution: ConvolutionRecipe, image: Image
) -> tuple[list[nn.Module], Image]:
    """A 1-Lipschitz one, which keeps the image's size; a stride takes blocks of pixels to channels before it."""
    channels, height, width = image
    if recipe.convolution not in CONVOLUTIONS:
        raise _unknown("convolution", recipe.convolution, (PLAIN, *CONVOLUTIONS))
    stride = convolution.stride
    if height % stride or width % stride:
        cause = f"a stride of {stride} on {height} x {width} pixels"
        raise UsageError(cause, "[architecture]", "give one that divides them")
    size = height // stride, width // stride
    spec = ConvolutionSpec(
        channels * stride**2, convolution.channels, convolution.kernel, size, recipe.convolution_padding
    )
    layer = CONVOLUTIONS[recipe.convolution](spec)
    before: list[nn.Module] = [nn.PixelUnshuffle(stride)] if stride > 1 else []
    return [*before, layer], (convolution.channels, *size)


def _unknown(key: str, kind: str, known: Iterable[str]) -> UsageError:
    return UsageError(f"there is no {key} {kind!r}", f"[architecture], {key}", f"choose one of {', '.join(known)}")
