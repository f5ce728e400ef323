"""Images that are moved by some pixels at random, so that a small data set teaches more."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from verifier.errors import UsageError
from verifier.training.architecture import Image


def check_shift(reach: int, image: Image) -> None:
    """Finds out whether images can be moved so far.

    Raises:
        UsageError: they would leave the picture.
    """
    if reach > 0 and 2 * reach >= min(image[1:]):
        cause = f"a shift of {reach} on {image[1]} x {image[2]} pixels"
        raise UsageError(cause, "[data], shift", "give less than half the image, or 0 for samples that are no images")


def shifted(x: torch.Tensor, image: Image, reach: int) -> torch.Tensor:
    """Each image moved by up to `reach` pixels in either direction, zeros coming in.

    Args:
        x: samples, shape (N, features).
        image: channels, height and width of one.
        reach: not negative; with 0 nothing is drawn from torch's generator.

    Returns:
        Shape (N, features).
    """
    if reach == 0:
        return x
    count, (channels, height, width) = len(x), image
    padded = pad(x.reshape(count, channels, height, width), (reach,) * 4)
    down, right = torch.randint(0, 2 * reach + 1, (2, count, 1))
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    samples, planes = torch.arange(count)[:, None, None, None], torch.arange(channels)[None, :, None, None]
    return padded[samples, planes, rows[:, None, :, None], columns[:, None, None, :]].reshape(count, -1)
