"""All training methods by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from verifier.errors import UsageError
from verifier.training.fields import read_table
from verifier.training.method import Method
from verifier.training.methods.adversarial import Adversarial
from verifier.training.methods.convex import Convex
from verifier.training.methods.crown_interval import CrownInterval
from verifier.training.methods.interval import IntervalTraining
from verifier.training.methods.lipschitz import Lipschitz
from verifier.training.methods.noise import Noise
from verifier.training.methods.smoothadv import SmoothAdv
from verifier.training.methods.standard import Standard
from verifier.training.recipe import Recipe

METHODS: Mapping[str, type[Method]] = MappingProxyType(
    {
        "standard": Standard,
        "adversarial": Adversarial,
        "convex": Convex,
        "interval": IntervalTraining,
        "crown-interval": CrownInterval,
        "noise": Noise,
        "smoothadv": SmoothAdv,
        "lipschitz": Lipschitz,
    }
)


def method_of(recipe: Recipe, file: str = "recipe") -> Method:
    """The training method of a recipe, with its parameters.

    Raises:
        UsageError: there is none of that name, or a parameter is wrong.
    """
    name = recipe.training.method
    if name not in METHODS:
        fix = f"choose one of {', '.join(METHODS)}"
        raise UsageError(f"there is no training method {name!r}", f"{file}, training.method", fix)
    return read_table(METHODS[name], recipe.training.parameters, file, "training.parameters")
