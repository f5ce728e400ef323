"""What the literature reports holds: robust training certifies more, and noise helps smoothing. Some minutes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verifier.radii.question import RadiusQuestion
from verifier.radii.smoothed import Smoothing, smoothed_end
from verifier.training.card import Card
from verifier.training.data import load_split
from verifier.training.export import export
from verifier.training.loop import Training
from verifier.training.measures import DRAWS
from verifier.training.recipe import CardRecipe, load_recipe
from verifier.training.run import train

pytestmark = pytest.mark.slow
EPSILON, COUNT = 0.1, 60


def trained(name: str, folder: Path) -> Card:
    """By a built-in recipe, measured where it was trained for."""
    recipe = load_recipe(name)
    return train(replace(recipe, card=CardRecipe((EPSILON,), "inf", COUNT, 2.0)), folder / name)


def test_robust_training_certifies_more(tmp_path: Path) -> None:
    standard = trained("digits-standard", tmp_path).measured[0]
    for name in ("digits-interval", "digits-crown-interval", "digits-convex"):
        card = trained(name, tmp_path)
        assert not card.contradictions
        assert card.measured[0].certified["crown"] >= standard.certified["crown"] + 0.2
        assert card.measured[0].certified["auto"] >= standard.certified["auto"] + 0.1
        assert card.accuracy > 0.85


def test_noise_training_beats_none_under_smoothing(tmp_path: Path) -> None:
    certified = {}
    for name in ("digits-standard", "digits-noise", "digits-smoothadv"):
        recipe = load_recipe(name)
        split = load_split(recipe.data)
        network = export(Training(recipe, split).run(), split.test_x[:5], tmp_path / f"{name}.onnx")
        noise, radii = Smoothing(0.25, DRAWS), []
        for n in range(COUNT):
            question = RadiusQuestion(network, split.test_x[n], int(split.test_y[n]), 2.0, split.clip)
            radii.append(min(smoothed_end(question, "smoothing", noise, n).value, 1.0))
        certified[name] = np.mean(radii)
    assert certified["digits-noise"] > 1.05 * certified["digits-standard"]
    assert certified["digits-smoothadv"] > 1.05 * certified["digits-standard"]
