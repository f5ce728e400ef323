"""The 2-norm of a convolution of any size, bounded from above in the Fourier domain.

A convolution of n pixels with p + q zeros added is part of the circular convolution on n + p + q pixels: where no
kernel position leaves the padded image, nothing wraps around. (On n pixels it is not: there the border sees the other
side, and the bound would be wrong.) A circular convolution is block-diagonal in the Fourier basis; with strides s it
takes the s phases of the image as so many channels, and is one without strides on 1/s of the pixels. Its norm is the
largest over the frequencies of the norm of a matrix (out channels) x (in channels * phases).

Sources: Sedghi, Gupta, Long: The singular values of convolutional layers, ICLR 2019; Delattre et al., ICML 2023; the
phases are the polyphase form of filter banks. Covered: zero padding, any strides, dilations, groups, dimensions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from verifier.arrays import to_numpy
from verifier.deadline import NEVER, Deadline
from verifier.lipschitz.gram import largest_singular_values
from verifier.lipschitz.rounding import above, plus, times
from verifier.network.linear_maps import Convolution
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma

CHUNK_ENTRIES = 1 << 21
"""Complex entries of the matrices that are worked on at once (32 MB)."""

TWIDDLE_ERROR = 128 * UNIT_ROUNDOFF
"""Error of a root of unity: its angle, reduced exactly and below 2 pi a dimension, carries up to four roundings."""


def circular_norm(convolution: Convolution, deadline: Deadline = NEVER) -> float:
    """At least the 2-norm of the circular convolution that one of a single group is part of.

    Raises:
        OutOfTimeError: the time is up.
    """
    window = convolution.window
    sides = zip(convolution.in_shape[2:], window.pads_begin, window.pads_end, window.strides, strict=True)
    return _norm_on(convolution, tuple(-(-(n + p + q) // s) for n, p, q, s in sides), deadline)


def wrapped_norm(convolution: Convolution, sides: tuple[int, ...], deadline: Deadline = NEVER) -> float:
    """At least the 2-norm of a convolution of one group without strides and padding on an image that is padded around.

    Args:
        convolution: as it is on the padded image.
        sides: the image's before padding, which are those of the output.
        deadline: by which to be done.

    Raises:
        OutOfTimeError: the time is up.
    """
    return _norm_on(convolution, sides, deadline)


def _norm_on(convolution: Convolution, coarse: tuple[int, ...], deadline: Deadline) -> float:
    """At least the norm of the circular convolution on so many pixels times the strides."""
    kernel = to_numpy(convolution.kernel).astype(np.float64)
    taps = _Taps(convolution, coarse)
    flat = kernel.reshape(*kernel.shape[:2], -1)
    totals = np.stack([np.abs(flat[:, :, where]).sum(axis=2) for where in taps.phases])
    # Of the two gammas one is for the sums, the other covers the weights' own roundings.
    share = (TWIDDLE_ERROR + 2 * gamma(flat.shape[2])) * np.sqrt(totals.size) * (1 + 4 * UNIT_ROUNDOFF)
    error = times(share, above(totals.max(), flat.shape[2]))
    computed = 0.0
    for frequencies in _frequencies(coarse, max(totals.size, len(coarse) * flat.shape[2])):
        deadline.check()
        symbols = taps.symbols(flat, frequencies)
        computed = max(computed, float(largest_singular_values(symbols, deadline=deadline).max()))
    return float(plus(computed, error, UNDERFLOW if flat.any() else 0.0))


class _Taps:
    """The kernel's positions by phase: position t of the dilated kernel is phase t % s of coarse pixel t // s."""

    def __init__(self, convolution: Convolution, coarse: tuple[int, ...]) -> None:
        window, self.coarse = convolution.window, np.array(coarse)
        offsets = itertools.product(*(range(k) for k in convolution.kernel.shape[2:]))
        positions = np.array(list(offsets)).reshape(-1, len(coarse)) * np.array(window.dilations, np.int64)
        self.places = positions // np.array(window.strides)
        phase = positions % np.array(window.strides)
        found = sorted({tuple(row) for row in phase.tolist()})
        self.phases = [np.flatnonzero((phase == row).all(axis=1)) for row in np.array(found)]

    def symbols(self, kernel: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
        """The matrices of a group's kernel (out, in, taps) at frequencies (F, dimensions); (F, out, in * phases)."""
        turns = (frequencies[:, None, :] * self.places[None, :, :]) % self.coarse / self.coarse
        angle = 2 * np.pi * turns.sum(axis=2)
        parts = []
        for where in self.phases:
            weights = kernel[:, :, where].reshape(-1, len(where)).T
            real, imaginary = np.cos(angle[:, where]) @ weights, np.sin(angle[:, where]) @ weights
            parts.append((real + 1j * imaginary).reshape(len(frequencies), *kernel.shape[:2]))
        return np.concatenate(parts, axis=2)


def _frequencies(coarse: tuple[int, ...], entries: int) -> Iterator[np.ndarray]:
    """All frequencies of a real signal up to conjugation, in chunks of shape (F, dimensions)."""
    halved = (*coarse[:-1], coarse[-1] // 2 + 1) if coarse else ()
    count, step = math.prod(halved), max(1, CHUNK_ENTRIES // max(1, entries))
    for first in range(0, count, step):
        flat = np.arange(first, min(first + step, count))
        yield np.stack(np.unravel_index(flat, halved), axis=1) if halved else np.zeros((1, 0), np.int64)
