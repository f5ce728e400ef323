"""How the rate and the perturbation change over a training, as functions of the part that is done."""

from __future__ import annotations

import math

from verifier.training.recipe import TrainingRecipe

STEPS = (0.6, 0.85)
"""Of the whole, after which the rate falls to a tenth."""

BEND = 0.25
"""The part of a smooth ramp after which it is straight."""


def rate_at(recipe: TrainingRecipe, epoch: float) -> float:
    """The optimiser's rate after a number of epochs, whole or not."""
    share = epoch / recipe.epochs
    if recipe.rate_schedule == "cosine":
        return recipe.rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
    if recipe.rate_schedule == "steps":
        return recipe.rate * 0.1 ** sum(share >= step for step in STEPS)
    return recipe.rate


def ramp_at(recipe: TrainingRecipe, epoch: float) -> float:
    """The part of the perturbation, in [0, 1]: 0 while warming up, then up to 1."""
    if epoch < recipe.warm_up:
        return 0.0
    share = 1.0 if recipe.ramp == 0 else min(1.0, (epoch - recipe.warm_up) / recipe.ramp)
    return _smooth(share) if recipe.ramp_shape == "smooth" else share


def _smooth(share: float) -> float:
    """A fourth power up to `BEND`, then its tangent; 1 at 1 (Xu et al., NeurIPS 2020, arXiv 2002.12920, code)."""
    at_end = BEND**4 + 4 * BEND**3 * (1.0 - BEND)
    grown = share**4 if share < BEND else BEND**4 + 4 * BEND**3 * (share - BEND)
    return grown / at_end
