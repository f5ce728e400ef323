"""Moved images: every pixel is where the move takes it, and every move occurs."""

from __future__ import annotations

import numpy as np
import torch

from tests.training.small import recipe
from verifier.training.augment import shifted
from verifier.training.data import load_split
from verifier.training.loop import Training
from verifier.training.recipe import DataRecipe, Recipe


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """One image, shape (channels, height, width), pixel by pixel."""
    result = np.zeros_like(image)
    for c, i, j in np.ndindex(image.shape):
        if 0 <= i - down < image.shape[1] and 0 <= j - right < image.shape[2]:
            result[c, i, j] = image[c, i - down, j - right]
    return result


def test_images_are_moved_whole_in_all_directions() -> None:
    image = np.arange(1, 41, dtype=np.float32).reshape(2, 4, 5)
    expected = {(i, j): moved(image, i, j).tobytes() for i in (-1, 0, 1) for j in (-1, 0, 1)}
    torch.manual_seed(0)
    found = shifted(torch.from_numpy(np.repeat(image.reshape(1, -1), 200, axis=0)), image.shape, 1)
    assert found.shape == (200, 40)
    assert {row.numpy().tobytes() for row in found} == set(expected.values())


def test_nothing_is_drawn_where_nothing_moves() -> None:
    torch.manual_seed(0)
    before, x = torch.get_rng_state(), torch.rand(3, 4)
    torch.set_rng_state(before)
    assert shifted(x, (1, 2, 2), 0) is x
    assert (torch.get_rng_state() == before).all()


def test_training_moves_what_it_is_shown() -> None:
    asked = recipe(epochs=1)
    split = load_split(asked.data)
    still, moving = (
        Training(Recipe("x", DataRecipe("digits", 300, shift), asked.architecture, asked.training), split)
        for shift in (0, 1)
    )
    for training in (still, moving):
        training.run()
    assert still.rows[0].loss != moving.rows[0].loss
