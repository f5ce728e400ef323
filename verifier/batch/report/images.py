"""Inputs that are images, as bytes to draw."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

FLAT = {64: (8, 8), 784: (28, 28), 3072: (3, 32, 32)}
"""Sizes of flat inputs that are images in the sets that everybody uses: digits, MNIST, CIFAR."""
SMALLEST_SIDE = 4
LARGEST_SIDE = 64
"""Pixels of a side that are kept; larger images are thinned."""


def as_image(shapes: Sequence[Sequence[int]], x: np.ndarray) -> np.ndarray | None:
    """The input as an array (height, width, channels) with 1 or 3 channels; None where it is no image.

    One is the input of a network with a single input, of shape, apart from ones, (H, W), (3, H, W) or (H, W, 3) with
    sides of at least 4, or flat and of a size in `FLAT`.
    """
    if len(shapes) != 1 or math.prod(shapes[0]) != x.size:
        return None
    shape = tuple(size for size in shapes[0] if size != 1)
    if len(shape) == 1:
        shape = FLAT.get(shape[0], shape)
    if len(shape) == 2:
        shape = (1, *shape)
    if len(shape) != 3:
        return None
    pixels = x.reshape(shape)
    if shape[0] in (1, 3):
        pixels = np.moveaxis(pixels, 0, -1)
    elif shape[2] != 3:
        return None
    return pixels if min(pixels.shape[:2]) >= SMALLEST_SIDE else None


def image_record(pixels: np.ndarray) -> dict[str, Any]:
    """The image for JSON: bytes in base64, scaled from its least entry (0) to its greatest (255)."""
    step = math.ceil(max(pixels.shape[:2]) / LARGEST_SIDE)
    low, high = float(pixels.min()), float(pixels.max())
    height, width, channels = pixels[::step, ::step].shape
    wide = pixels[::step, ::step].astype(np.float64)
    shades = (wide - low) / (high - low) if high > low else np.full_like(wide, 0.5)
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "low": low,
        "high": high,
        "step": step,
        "bytes": base64.b64encode(np.rint(shades * 255).astype(np.uint8).tobytes()).decode("ascii"),
    }
