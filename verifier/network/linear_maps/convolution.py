"""Convolutions of any number of spatial dimensions: by torch's kernels, or as a matrix product over patches (im2col).

Torch's kernels (`torch_kernels`) take its own arrays, and NumPy's where a task has chosen so (`with_torch`). Without
them, gathering and scattering go offset by offset over the kernel, each a strided slice: no library-specific call, the
adjoint is the exact transpose, and almost all arithmetic is in one matrix product. Moving patches takes longer than
multiplying them, so two cases are spared it: a kernel that covers most of its image is a plain matrix, and the adjoint
of a convolution without strides gathers, as the convolution with the mirrored kernel, instead of scattering. Vectors
that are 0 outside of small windows are convolved there only (`windows`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from verifier.arrays import Array, Convert, convert_like, namespace, to_numpy, zeros
from verifier.network.linear_maps import torch_kernels
from verifier.network.linear_maps.base import LinearMap
from verifier.network.linear_maps.dense import Dense
from verifier.network.linear_maps.phases import FEWEST_IMAGES, MOST_CHANNELS, Phases
from verifier.network.linear_maps.windows import PROBES, Group, all_wide, cut, grouped, narrow, occupied, put

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PATCH_ENTRIES = 1 << 20
"""Patches are gathered for at most this many entries at a time: 8 MB of float64, which stays in the cache."""

DENSE_RATIO = 3
"""A matrix with at most this many times the multiplications of the kernel is quicker; measured on 4 x 4 images."""


DENSE_ENTRIES = 1 << 21
"""Larger matrices are not built: it would take longer than it saves."""

SMALLEST_IMAGE = 64
"""Pixels of the output from which on vectors are looked at for windows that are 0 elsewhere."""

FEWEST_VECTORS = 64
"""Vectors from which on they are looked at so: it takes 0.1 ms, as long as a small convolution of a few vectors."""

Reached: TypeAlias = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Takes the parts of the input that vectors occupy to parts of the output, both as first and past last positions."""


@dataclass(frozen=True)
class Window:
    """How a kernel slides: ONNX's attributes, one entry a spatial dimension.

    `pads_begin` and `pads_end` are zeros added on each side.
    """

    strides: tuple[int, ...]
    pads_begin: tuple[int, ...]
    pads_end: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int = 1

    def out_spatial(self, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[int, ...]:
        """The spatial shape after the convolution (rounded down)."""
        return tuple(
            (n + p + q - d * (k - 1) - 1) // s + 1
            for n, p, q, d, k, s in zip(
                spatial, self.pads_begin, self.pads_end, self.dilations, kernel, self.strides, strict=True
            )
        )


class Convolution(LinearMap):
    """ONNX's Conv without its bias.

    Args:
        kernel: shape (out_channels, in_channels / groups, *kernel_spatial).
        in_shape: (batch, in_channels, *spatial) of the operand; the flat vector is row-major.
        window: strides, padding, dilations, groups.
        torch: whether NumPy's arrays are convolved by torch's kernels as well.
    """

    def __init__(self, kernel: Array, in_shape: tuple[int, ...], window: Window, torch: bool = False) -> None:
        self.kernel, self.in_shape, self.window, self.torch = kernel, in_shape, window, torch
        out_channels, self._group_in, *size = (int(n) for n in kernel.shape)
        self._size = tuple(size)
        spatial = window.out_spatial(in_shape[2:], self._size)
        self.out_shape = (in_shape[0], out_channels, *spatial)
        self.in_size, self.out_size = math.prod(in_shape), math.prod(self.out_shape)
        self.terms = self._group_in * math.prod(self._size)
        self.adjoint_terms = (out_channels // window.groups) * math.prod(self._size)
        # (groups, out channels of a group, patch entries)
        self._matrix = namespace(kernel).reshape(kernel, (window.groups, out_channels // window.groups, self.terms))
        self._local: dict[tuple[int, ...], Convolution] = {}

    def apply(self, x: Array) -> Array:
        groups = self._groups(x, self.in_shape, self._reached)
        return self.whole(x) if groups is None else self._by_windows(x, groups, transposed=False)

    def adjoint(self, y: Array) -> Array:
        if self._dense is None and self._mirrored is not None and not self._by_torch(y):
            return self._mirrored.apply(y)
        groups = self._groups(y, self.out_shape, lambda first, last: (first, last))
        return self.whole_adjoint(y) if groups is None else self._by_windows(y, groups, transposed=True)

    @cached_property
    def _dense(self) -> Dense | None:
        """The whole matrix, where that is quicker."""
        many = self.in_size * self.out_size > DENSE_ENTRIES
        if many or self.in_size > DENSE_RATIO * self.terms or min(self.in_size, self.out_size) == 0:
            return None
        rows, columns, weights = self._entries()
        matrix = np.zeros((self.out_size, self.in_size))
        matrix[rows, columns] = weights
        return Dense(convert_like(self.kernel)(matrix))

    @cached_property
    def _mirrored(self) -> Convolution | None:
        """The convolution that is the adjoint, where there are no strides and the kernel is wider than the padding."""
        w, size = self.window, self._size
        reach = [d * (k - 1) for d, k in zip(w.dilations, size, strict=True)]
        begin, end = ([r - p for r, p in zip(reach, pads, strict=True)] for pads in (w.pads_begin, w.pads_end))
        if any(s != 1 for s in w.strides) or w.groups != 1 or min((*begin, *end), default=0) < 0:
            return None
        xp = namespace(self.kernel)
        kernel = xp.flip(self.kernel, axis=tuple(range(2, 2 + len(size))))
        window = replace(w, pads_begin=tuple(begin), pads_end=tuple(end))
        return Convolution(
            xp.permute_dims(kernel, (1, 0, *range(2, 2 + len(size)))), self.out_shape, window, self.torch
        )

    @cached_property
    def _phases(self) -> Phases | None:
        """The adjoint without strides, where that is quicker by torch's kernels."""
        w = self.window
        plain = w.groups == 1 and all(d == 1 for d in w.dilations) and min((*w.pads_begin, *w.pads_end), default=0) >= 0
        if not plain or max(w.strides, default=1) == 1 or self._group_in > MOST_CHANNELS:
            return None
        return Phases(self.kernel, w, self.in_shape[2:], self.out_shape[2:])

    def _by_torch(self, x: Array) -> bool:
        """Whether torch's kernels convolve such operands."""
        return (self.torch or not isinstance(x, np.ndarray)) and torch_kernels.usable(x, self.kernel)

    def _groups(self, x: Array, shape: tuple[int, ...], reached: Reached) -> list[Group] | None:
        """The vectors by the windows of the output that they have a part in; None where there is nothing to gain."""
        spatial, count = self.out_shape[2:], math.prod(x.shape[:-1])
        small = math.prod(spatial) < SMALLEST_IMAGE or count < FEWEST_VECTORS or self._dense is not None
        if small or not isinstance(x, np.ndarray) or shape[0] != 1:
            return None
        images = np.reshape(x, (count, *shape[1:]))
        few = images[:: max(1, count // PROBES)]
        if all_wide(few) or not narrow(grouped(*reached(*occupied(few)), spatial), spatial):
            return None
        groups = list(grouped(*reached(*occupied(images)), spatial))
        return groups if narrow(groups, spatial) else None

    def _reached(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The part of the output that depends on the part [first, last) of the input, shape (R, spatial) each."""
        w, out = self.window, np.array(self.out_shape[2:])
        reach = np.array([d * (k - 1) for d, k in zip(w.dilations, self._size, strict=True)])
        begin, strides = np.array(w.pads_begin), np.array(w.strides)
        low, high = -((reach - first - begin) // strides), (last - 1 + begin) // strides + 1
        return np.clip(low, 0, out), np.clip(high, 0, out)

    def _by_windows(self, x: np.ndarray, groups: list[Group], transposed: bool) -> np.ndarray:
        """The map, or its transpose, of vectors in groups."""
        from_shape, to_shape = (self.out_shape, self.in_shape) if transposed else (self.in_shape, self.out_shape)
        images = np.reshape(x, (-1, *from_shape[1:]))
        result = np.zeros((len(images), *to_shape[1:]), x.dtype)
        for group in groups:
            local, inner = self.on_windows(group)
            here, there = (group, inner) if transposed else (inner, group)
            part = np.reshape(cut(images, here), (len(group.rows), -1))
            moved = local.whole_adjoint(part) if transposed else local.whole(part)
            put(result, np.reshape(moved, (len(part), to_shape[1], *there.sizes)), there)
        return np.reshape(result, (*x.shape[:-1], math.prod(to_shape)))

    def on_windows(self, group: Group) -> tuple[Convolution, Group]:
        """The convolution onto windows of the group's shape, and the windows of the (padded) input that it takes."""
        strides, sizes = self.window.strides, []
        for n, s, d, k in zip(group.sizes, strides, self.window.dilations, self._size, strict=True):
            sizes.append((n - 1) * s + d * (k - 1) + 1)
        if group.sizes not in self._local:
            none = (0,) * len(sizes)
            window = replace(self.window, pads_begin=none, pads_end=none)
            self._local[group.sizes] = Convolution(self.kernel, (1, self.in_shape[1], *sizes), window, self.torch)
        starts = group.starts * np.array(strides) - np.array(self.window.pads_begin)
        return self._local[group.sizes], Group(group.rows, starts, tuple(sizes))

    def whole(self, x: Array) -> Array:
        """`apply`, without a look at what is 0."""
        if self._dense is not None:
            return self._dense.apply(x)
        xp = namespace(x)
        if x.dtype != xp.float32 or not self._by_torch(x):
            return self._in_chunks(x, self._apply, self.out_size)
        images = xp.reshape(x, (-1, *self.in_shape[1:]))
        found = torch_kernels.convolved(images, self.kernel, self.window)
        return xp.reshape(found, (*x.shape[:-1], self.out_size))

    def whole_adjoint(self, y: Array) -> Array:
        """`adjoint`, without a look at what is 0."""
        if self._dense is not None:
            return self._dense.adjoint(y)
        if not self._by_torch(y):
            return self._in_chunks(y, self._adjoint, self.in_size)
        xp = namespace(y)
        images = xp.reshape(y, (-1, *self.out_shape[1:]))
        if self._phases is not None and images.shape[0] >= FEWEST_IMAGES and y.dtype == xp.float32:
            found = self._phases.adjoint(images, torch_kernels.plainly_convolved)
        else:
            found = torch_kernels.transposed(images, self.kernel, self.window, self.in_shape[2:])
        return xp.reshape(found, (*y.shape[:-1], self.in_size))

    def _in_chunks(self, x: Array, rule: Callable[[Array], Array], out_size: int) -> Array:
        xp = namespace(x)
        leading, flat = tuple(x.shape[:-1]), xp.reshape(x, (-1, x.shape[-1]))
        patch_entries = self.in_shape[0] * self.window.groups * self.terms * math.prod(self.out_shape[2:])
        chunk = max(1, PATCH_ENTRIES // max(1, patch_entries))
        parts = [rule(flat[i : i + chunk, :]) for i in range(0, flat.shape[0], chunk)]
        y = parts[0] if len(parts) == 1 else xp.concat(parts, axis=0) if parts else zeros(x, (0, out_size))
        return xp.reshape(y, (*leading, out_size))

    def _apply(self, x: Array) -> Array:
        xp = namespace(x)
        images = xp.reshape(x, (x.shape[0] * self.in_shape[0], *self.in_shape[1:]))
        patches = self._patches(self._padded(images))
        y = xp.matmul(self._matrix, patches)
        return xp.reshape(y, (x.shape[0], self.out_size))

    def _adjoint(self, y: Array) -> Array:
        xp = namespace(y)
        count = y.shape[0] * self.in_shape[0]
        positions = math.prod(self.out_shape[2:])
        y = xp.reshape(y, (count, self.window.groups, self._matrix.shape[1], positions))
        patches = xp.matmul(xp.matrix_transpose(self._matrix), y)
        patches = xp.reshape(patches, (count, self.in_shape[1], math.prod(self._size), *self.out_shape[2:]))
        image = zeros(y, (count, self.in_shape[1], *self._padded_spatial))
        for k, where in enumerate(self._offsets):
            image[where] += patches[:, :, k, ...]
        return xp.reshape(image[self._interior], (count // self.in_shape[0], self.in_size))

    @property
    def _padded_spatial(self) -> tuple[int, ...]:
        w = self.window
        return tuple(n + p + q for n, p, q in zip(self.in_shape[2:], w.pads_begin, w.pads_end, strict=True))

    @property
    def _interior(self) -> tuple[slice, ...]:
        inner = (slice(p, p + n) for p, n in zip(self.window.pads_begin, self.in_shape[2:], strict=True))
        return (slice(None), slice(None), *inner)

    @cached_property
    def _offsets(self) -> list[tuple[slice, ...]]:
        """For each kernel position, the strided slice of the padded image that it meets."""
        w, out, found = self.window, self.out_shape[2:], []
        for offset in itertools.product(*(range(k) for k in self._size)):
            starts = [o * d for o, d in zip(offset, w.dilations, strict=True)]
            spans = (slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, w.strides, out, strict=True))
            found.append((slice(None), slice(None), *spans))
        return found

    def _padded(self, images: Array) -> Array:
        if not any(self.window.pads_begin) and not any(self.window.pads_end):
            return images
        padded = zeros(images, (*images.shape[:2], *self._padded_spatial))
        padded[self._interior] = images
        return padded

    def _patches(self, padded: Array) -> Array:
        """(images, groups, in channels of a group x kernel positions, output positions)."""
        xp = namespace(padded)
        stacked = xp.stack([padded[where] for where in self._offsets], axis=2)
        return xp.reshape(stacked, (padded.shape[0], self.window.groups, self.terms, math.prod(self.out_shape[2:])))

    def absolute(self) -> Convolution:
        return Convolution(namespace(self.kernel).abs(self.kernel), self.in_shape, self.window, self.torch)

    def signed(self, sign: int) -> Convolution:
        kernel = namespace(self.kernel).where(sign * self.kernel > 0, sign * self.kernel, 0.0)
        return Convolution(kernel, self.in_shape, self.window, self.torch)

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array

        rows, columns, weights = self._entries()
        return csr_array((weights, (rows, columns)), shape=(self.out_size, self.in_size))

    def _entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The matrix's row numbers, column numbers and weights, float64; no place twice, no zeros."""
        # The patches of an image of entry numbers (1-based, 0 = padding) say which entry meets which weight.
        numbers = np.arange(1, self.in_size + 1, dtype=np.int64).reshape(self.in_shape)
        columns = self._patches(self._padded(numbers))[:, :, None, :, :]
        weights = to_numpy(self._matrix).astype(np.float64)[None, :, :, :, None]
        rows = np.arange(self.out_size).reshape(self.in_shape[0], self.window.groups, weights.shape[2], 1, -1)
        columns, weights, rows = np.broadcast_arrays(columns, weights, rows)
        used = (columns > 0) & (weights != 0)
        return rows[used], columns[used] - 1, weights[used]

    def converted(self, convert: Convert) -> Convolution:
        return Convolution(convert(to_numpy(self.kernel)), self.in_shape, self.window, self.torch)

    def with_torch(self) -> Convolution:
        return Convolution(self.kernel, self.in_shape, self.window, torch=True)
