"""The 1-Lipschitz layers by name, as recipes have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from verifier.training.layers.activations import Absolute, GroupSort, MaxMin, Oplu, ScaledAverage
from verifier.training.layers.bounded import AolConvolution, AolDense, SllConvolution, SllDense
from verifier.training.layers.convolution import ConvolutionSpec
from verifier.training.layers.dense import BjorckDense, CayleyDense, ExponentialDense, SpectralDense, UnitaryPairDense
from verifier.training.layers.orthogonal_convolutions import (
    BlockConvolution,
    CayleyConvolution,
    SkewConvolution,
    SpectralConvolution,
)


def _sll(before: int, after: int) -> nn.Module:
    return SllDense(before) if before == after else AolDense(before, after)


def _sll_convolution(spec: ConvolutionSpec) -> nn.Module:
    return SllConvolution(spec) if spec.in_channels == spec.out_channels else AolConvolution(spec)


DENSE: Mapping[str, Callable[[int, int], nn.Module]] = MappingProxyType(
    {
        "spectral": SpectralDense,
        "bjorck": BjorckDense,
        "cayley": CayleyDense,
        "exponential": ExponentialDense,
        "aol": AolDense,
        "sll": _sll,
        "unitary-pair": UnitaryPairDense,
    }
)
"""From inputs and outputs. `sll` is almost orthogonal (`aol`) where the width changes."""

CONVOLUTIONS: Mapping[str, Callable[[ConvolutionSpec], nn.Module]] = MappingProxyType(
    {
        "spectral": SpectralConvolution,
        "cayley": CayleyConvolution,
        "skew": SkewConvolution,
        "bcop": BlockConvolution,
        "aol": AolConvolution,
        "sll": _sll_convolution,
    }
)

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "relu": nn.ReLU,
        "maxmin": MaxMin,
        "oplu": Oplu,
        "groupsort": GroupSort,
        "absolute": Absolute,
        "identity": nn.Identity,
    }
)

POOLING: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {"average": ScaledAverage, "space-to-depth": lambda: nn.PixelUnshuffle(2)}
)
"""Each halves height and width; `space-to-depth` has four times the channels."""
