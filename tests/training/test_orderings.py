"""What the literature reports holds: robust training certifies more, and noise helps smoothing. Some minutes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verifier.deadline import Deadline
from verifier.methods import METHODS, Options, decide
from verifier.radii.attacks import attack_ends
from verifier.radii.certificates import CERTIFICATES
from verifier.radii.data import LabelledData
from verifier.radii.question import RadiusQuestion
from verifier.radii.smoothed import Smoothing, smoothed_end
from verifier.training.card import Card
from verifier.training.data import load_split
from verifier.training.export import export
from verifier.training.loop import Training
from verifier.training.measures import DRAWS
from verifier.training.recipe import CardRecipe, load_recipe
from verifier.training.run import train
from verifier.verdict import Status
from verifier.zoo.one_pass import one_pass

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


def test_one_pass_certifies_ten_times_more_than_the_product_of_norms_of_a_standard_network_as_deep(
    tmp_path: Path,
) -> None:
    found = {}
    for name in ("digits-standard-deep", "digits-cayley-deep"):
        recipe = load_recipe(name)
        split = load_split(recipe.data)
        network = export(Training(recipe, split).run(), split.test_x[:5], tmp_path / f"{name}.onnx")
        data = LabelledData(name, split.test_x.astype(np.float64), split.test_y)
        found[name] = one_pass(network, data)
    assert 1 <= found["digits-cayley-deep"].constant <= 1 + 1e-5
    assert found["digits-cayley-deep"].medians["lipschitz"] > 10 * found["digits-standard-deep"].medians["lipschitz"]


def test_no_complete_method_contradicts_certificates_of_one_pass(tmp_path: Path) -> None:
    recipe = load_recipe("digits-cayley")
    split = load_split(recipe.data)
    network = export(Training(recipe, split).run(), split.test_x[:5], tmp_path / "model.onnx")
    asked = 0
    for x, y in zip(split.test_x[:12].astype(np.float64), split.test_y, strict=False):
        question = RadiusQuestion(network, x, int(y), 2.0, split.clip)
        radius = CERTIFICATES["cross-lipschitz"](question).radius
        if radius == 0:
            continue
        verdict = decide(network, question.query(0.999 * radius), METHODS["auto"], Options(timeout=4.0))
        assert verdict.status is not Status.SAT
        asked += 1
        broken = [end.value for end in attack_ends(question, ["fmn", "fast-bisection"], 0, Deadline(20.0))]
        assert min(broken) >= radius
    assert asked >= 10
