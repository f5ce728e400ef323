"""Convolutions by torch's own kernels, for its arrays and, without a copy, for NumPy's.

Measured on one core: oneDNN's float32 reaches the rate of a matrix product from 16 channels on, which gathering patches
in NumPy does not come near. In float64 torch gathers patches too: its adjoints are one to two times as fast as ours,
its convolutions half as fast, so that these are left to `Convolution` itself.

A proof's float64 may only be a sum of products in some order, so a device other than the CPU, where torch may choose a
transform of its own, is left to plain matrix products (`patches`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.arrays import Array

if TYPE_CHECKING:
    from verifier.network.linear_maps.convolution import Window

MOST_DIMENSIONS = 3


def usable(x: Array, kernel: Array) -> bool:
    """Whether torch's kernels do for operands like x."""
    if not 1 <= kernel.ndim - 2 <= MOST_DIMENSIONS:
        return False
    if isinstance(x, np.ndarray):
        return x.dtype in (np.float32, np.float64) and x.dtype == kernel.dtype
    import torch

    return isinstance(x, torch.Tensor) and (
        x.dtype == torch.float32 or (x.dtype, x.device.type) == (torch.float64, "cpu")
    )


def plainly_convolved(x: Array, kernel: Array) -> Array:
    """The convolution without strides, padding, dilations and groups."""
    import torch

    convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[x.ndim - 3]
    return _like(x, convolve(_tensor(x), _tensor(kernel)))


def convolved(x: Array, kernel: Array, window: Window) -> Array:
    """ONNX's Conv of images, shape (N, channels, *spatial), in the library of x."""
    import torch

    images, weights = _tensor(x), _tensor(kernel)
    even = window.pads_begin == window.pads_end
    if not even:
        images = torch.nn.functional.pad(images, _torch_pads(window))
    pads = window.pads_begin if even else (0,) * len(window.pads_begin)
    convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[images.ndim - 3]
    return _like(x, convolve(images, weights, None, window.strides, pads, window.dilations, window.groups))


def transposed(y: Array, kernel: Array, window: Window, spatial: tuple[int, ...]) -> Array:
    """The adjoint of `convolved` on images of size `spatial`: shape (N, filters, ...) to (N, channels, *spatial)."""
    import torch

    images, weights = _tensor(y), _tensor(kernel)
    even, none = window.pads_begin == window.pads_end, (0,) * len(spatial)
    before = spatial if even else tuple(map(sum, zip(spatial, window.pads_begin, window.pads_end, strict=True)))
    like = images.new_empty((len(images), kernel.shape[1] * window.groups, *before))
    pads = window.pads_begin if even else none
    geometry: tuple[Any, ...] = (window.strides, pads, window.dilations, False, none, window.groups)
    found = torch.ops.aten.convolution_backward(images, like, weights, [0], *geometry, [True, False, False])[0]
    if not even:
        found = found[(..., *(slice(p, p + n) for p, n in zip(window.pads_begin, spatial, strict=True)))]
    return _like(y, found)


def _tensor(a: Array) -> Any:
    import torch

    if not isinstance(a, np.ndarray):
        return a
    a = np.ascontiguousarray(a)
    return torch.from_numpy(a if a.flags.writeable else a.copy())


def _like(example: Array, found: Any) -> Array:
    return found.numpy() if isinstance(example, np.ndarray) else found


def _torch_pads(window: Window) -> list[int]:
    """Last dimension first."""
    pairs = zip(reversed(window.pads_begin), reversed(window.pads_end), strict=True)
    return [n for pair in pairs for n in pair]
