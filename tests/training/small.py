"""Small recipes that train in a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from verifier.training.recipe import (
    ArchitectureRecipe,
    CardRecipe,
    ConvolutionRecipe,
    DataRecipe,
    Recipe,
    TrainingRecipe,
)

PARAMETERS: Mapping[str, dict[str, Any]] = {
    "standard": {},
    "adversarial": {"steps": 2},
    "convex": {},
    "interval": {},
    "crown-interval": {"beta": 0.5},
    "noise": {"sigma": 0.2},
    "smoothadv": {"sigma": 0.2, "draws": 2, "steps": 2},
    "lipschitz": {},
}
DENSE = ArchitectureRecipe(widths=(12, 8))
CONVOLUTIONAL = ArchitectureRecipe(
    widths=(8,), convolutions=(ConvolutionRecipe(2, 3, 2, 1), ConvolutionRecipe(3, 2, 1, 0))
)


def recipe(method: str = "standard", epochs: int = 3, architecture: ArchitectureRecipe = DENSE, **more: Any) -> Recipe:
    """On some hundred digits; `more` are fields of the training section."""
    training = TrainingRecipe(method, epochs, rate=5e-3, epsilon=0.05, ramp=1, parameters=dict(PARAMETERS[method]))
    data = DataRecipe("digits", limit=300)
    return Recipe("small", data, architecture, replace(training, **more), CardRecipe(samples=20, timeout=2.0), seed=1)
