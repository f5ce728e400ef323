"""The network of a recipe: convolutions, then dense layers, as a `torch.nn.Sequential` on flat samples."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from verifier.errors import UsageError
from verifier.training.recipe import ArchitectureRecipe, ConvolutionRecipe

PLAIN, NONE = "plain", "none"


def build(recipe: ArchitectureRecipe, image: tuple[int, int, int], classes: int) -> nn.Sequential:
    """The network, its weights drawn from torch's generator.

    Args:
        recipe: the architecture.
        image: (channels, height, width) of a sample; samples come flat, shape (N, channels * height * width).
        classes: outputs.

    Raises:
        UsageError: a kind of layer is unknown, or a convolution leaves nothing of the image.
    """
    if recipe.pooling != NONE:
        raise _unknown("pooling", recipe.pooling, ())
    _activation(recipe.activation)  # says what is wrong with the name, used or not
    layers: list[nn.Module] = []
    channels, height, width = image
    if recipe.convolutions:
        layers.append(nn.Unflatten(1, image))
        for convolution in recipe.convolutions:
            parts, (channels, height, width) = _convolution(recipe, convolution, (channels, height, width))
            layers += parts
        layers.append(nn.Flatten())
    size = channels * height * width
    for hidden in recipe.widths:
        layers += [_dense(recipe.dense, size, hidden), _activation(recipe.activation)]
        size = hidden
    layers.append(_dense(recipe.dense, size, classes))
    return nn.Sequential(*layers)


def _dense(kind: str, before: int, after: int) -> nn.Module:
    if kind == PLAIN:
        return nn.Linear(before, after)
    raise _unknown("dense", kind, ())


def _activation(kind: str) -> nn.Module:
    if kind == "relu":
        return nn.ReLU()
    raise _unknown("activation", kind, ())


def _convolution(
    recipe: ArchitectureRecipe, convolution: ConvolutionRecipe, image: tuple[int, int, int]
) -> tuple[list[nn.Module], tuple[int, int, int]]:
    """The convolution with what follows it, and the shape that it leaves."""
    channels, height, width = image
    reach = convolution.kernel - 2 * convolution.padding
    after = [(side - reach) // convolution.stride + 1 for side in (height, width)]
    if min(after) < 1:
        cause = f"a kernel of {convolution.kernel} on {height} x {width} pixels"
        raise UsageError(cause, "[architecture]", "give a smaller kernel or more padding")
    if recipe.convolution != PLAIN:
        raise _unknown("convolution", recipe.convolution, ())
    layer = nn.Conv2d(channels, convolution.channels, convolution.kernel, convolution.stride, convolution.padding)
    return [layer, _activation(recipe.activation)], (convolution.channels, after[0], after[1])


def _unknown(key: str, kind: str, known: Iterable[str]) -> UsageError:
    usual = {"activation": "relu", "pooling": NONE}.get(key, PLAIN)
    names = ", ".join((usual, *known))
    return UsageError(f"there is no {key} {kind!r}", f"[architecture], {key}", f"choose one of {names}")
