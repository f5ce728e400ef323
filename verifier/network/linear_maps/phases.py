"""The adjoint of a convolution with strides as a convolution without, which has an image for each phase.

With stride s, entry s u + r of the input meets only those entries of the kernel whose place is (r + pad) modulo s. So
the entries of a phase r are a convolution of the output by these, and all phases are one convolution, whose images are
interleaved (Shi et al., arXiv 1609.05158, section 3.2: sub-pixel convolution). oneDNN's own kernel for such adjoints
does well with many channels of the input; with up to eight this one is two to four times as fast.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from verifier.arrays import Array, convert_like, to_numpy, zeros

if TYPE_CHECKING:
    from verifier.network.linear_maps.convolution import Window

MOST_CHANNELS = 8
"""Channels of the input up to which phases are quicker."""

FEWEST_IMAGES = 8
"""Images from which on they are."""

CHUNK_ENTRIES = 1 << 17
"""Entries of all phases that are made at a time, so that they stay in the cache."""

Convolve: TypeAlias = Callable[[Array, Array], Array]
"""Convolves images, shape (N, filters, *spatial), with a kernel, without strides or padding."""


@dataclass(frozen=True)
class _Axis:
    """One dimension: for each phase where its kernel and its images begin.

    Attributes:
        stride: of the convolution.
        taps: entries of a phase's kernel.
        first: for each phase the entry of the kernel that its first tap is.
        starts: for each phase where its entries begin among those convolved.
        counts: for each phase how many entries it has.
        pads: zeros before and after the image.
    """

    stride: int
    taps: int
    first: tuple[int, ...]
    starts: tuple[int, ...]
    counts: tuple[int, ...]
    pads: tuple[int, int]

    @classmethod
    def of(cls, stride: int, kernel: int, pad: int, sizes: tuple[int, int]) -> _Axis:
        """The phases of a kernel of this size, from outputs of the second size to inputs of the first."""
        inner, outer = sizes
        taps, phases = -(-kernel // stride), range(stride)
        shift = [(r + pad) // stride - (taps - 1) for r in phases]
        before = max(0, -min(shift))
        starts = tuple(s + before for s in shift)
        counts = tuple(max(0, -(-(inner - r) // stride)) for r in phases)
        needed = max(s + n for s, n in zip(starts, counts, strict=True)) + taps - 1
        first = tuple((r + pad) % stride for r in phases)
        return cls(stride, taps, first, starts, counts, (before, max(0, needed - outer - before)))

    def indices(self, phase: int) -> list[int]:
        """The kernel's entries that a phase's taps are, in the order of a convolution; some lie behind the last."""
        return [self.first[phase] + self.stride * t for t in reversed(range(self.taps))]


class Phases:
    """The adjoint of one convolution, without dilations and groups.

    Args:
        kernel: shape (filters, channels, *kernel_spatial).
        window: its strides and padding.
        spatial: of the convolution's input.
        outer: of its output.
    """

    def __init__(self, kernel: Array, window: Window, spatial: tuple[int, ...], outer: tuple[int, ...]) -> None:
        whole = to_numpy(kernel)
        sizes = zip(window.strides, whole.shape[2:], window.pads_begin, zip(spatial, outer, strict=True), strict=True)
        self._axes = [_Axis.of(*size) for size in sizes]
        self._spatial, self._channels = spatial, int(whole.shape[1])
        self._phases = list(itertools.product(*(range(axis.stride) for axis in self._axes)))
        self._kernel = convert_like(kernel)(np.concatenate([self._taps(whole, phase) for phase in self._phases]))

    def _taps(self, whole: np.ndarray, phase: tuple[int, ...]) -> np.ndarray:
        """The kernel of one phase, shape (channels, filters, *taps)."""
        for dimension, (axis, r) in enumerate(zip(self._axes, phase, strict=True), start=2):
            indices = np.array(axis.indices(r))
            inside = indices < whole.shape[dimension]
            taken = np.take(whole, np.where(inside, indices, 0), axis=dimension)
            whole = taken * inside.reshape([-1 if d == dimension else 1 for d in range(whole.ndim)])
        return np.swapaxes(whole, 0, 1)

    def adjoint(self, y: Array, convolve: Convolve) -> Array:
        """Images of the output, shape (N, filters, *outer), taken to the input's, shape (N, channels, *spatial)."""
        pads = [axis.pads for axis in self._axes]
        padded = zeros(y, (*y.shape[:2], *(n + sum(pad) for n, pad in zip(y.shape[2:], pads, strict=True))))
        inner = tuple(slice(pad[0], pad[0] + n) for n, pad in zip(y.shape[2:], pads, strict=True))
        padded[(slice(None), slice(None), *inner)] = y
        result = zeros(y, (y.shape[0], self._channels, *self._spatial))
        entries = int(np.prod(padded.shape[2:])) * len(self._phases) * self._channels
        chunk = max(1, CHUNK_ENTRIES // entries)
        for start in range(0, int(y.shape[0]), chunk):
            part = slice(start, start + chunk)
            self._interleave(convolve(padded[part], self._kernel), result[part])
        return result

    def _interleave(self, images: Array, result: Array) -> None:
        """Puts the images of all phases, channels by phase, where they belong."""
        both = slice(None), slice(None)
        for number, phase in enumerate(self._phases):
            pairs = list(zip(self._axes, phase, strict=True))
            here = tuple(slice(r, None, axis.stride) for axis, r in pairs)
            there = tuple(slice(axis.starts[r], axis.starts[r] + axis.counts[r]) for axis, r in pairs)
            channels = slice(number * self._channels, (number + 1) * self._channels)
            result[(*both, *here)] = images[(both[0], channels, *there)]
