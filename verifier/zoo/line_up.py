"""Each network of the line-up: trained by its recipe, then its robust accuracy in both norms.

Everything is kept in a folder for each network, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from verifier.evaluation.evaluate import Accuracy, evaluate
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.store import NAME, Store
from verifier.network.graph import Network
from verifier.radii.data import LabelledData, load_data
from verifier.radii.smoothed import Smoothing
from verifier.readers.onnx import load_network
from verifier.smoothing.certify import SmoothingOptions
from verifier.training.recipe import Recipe, load_recipe, recipe_names
from verifier.training.run import CHECKPOINT, MODEL, RECIPE, train
from verifier.zoo.one_pass import OnePass, one_pass

PREFIX = "digits-"
DATA = "digits:test"
SIGMA = 0.25
DRAWS = SmoothingOptions(100, 10_000, 0.001)
TIMEOUT = 3.0
"""Seconds for a sample in a norm."""
SIZES = {2.0: (0.1, 0.25, 0.5, 0.75, 1.0), math.inf: (0.02, 0.05, 0.075, 0.1, 0.15)}
METHODS = {
    2.0: ("fast-bisection", "cross-lipschitz", "crown", "smoothing"),
    math.inf: ("fast-bisection", "cross-lipschitz", "crown", "milp", "auto"),
}
"""By norm; `milp` and `auto` are complete."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One network.

    Attributes:
        recipe: that it was trained by.
        accuracy: on all test samples.
        seconds: of training.
        robust: by norm.
        one_pass: what one forward pass certifies.
    """

    recipe: Recipe
    accuracy: float
    seconds: float
    robust: dict[float, Accuracy]
    one_pass: OnePass

    @property
    def name(self) -> str:
        return self.recipe.name.removeprefix(PREFIX)


@dataclass(frozen=True)
class Plan:
    """What is done.

    Attributes:
        folder: of everything.
        samples: test samples, evenly spread.
        workers: of them at a time.
        recipes: names of built-in ones.
    """

    folder: Path
    samples: int = 40
    workers: int = 1
    recipes: Sequence[str] = ()

    @property
    def names(self) -> list[str]:
        """The recipes asked for; all of digits if none are."""
        return list(self.recipes) or [name for name in recipe_names() if name.startswith(PREFIX)]


def line_up(plan: Plan, on_stage: Callable[[str], None] = lambda stage: None) -> Iterator[Entry]:
    """The networks, one after another.

    Args:
        plan: which, where, on how many samples.
        on_stage: is told what is at work.
    """
    for name in plan.names:
        recipe, folder = _with_samples(load_recipe(name), plan.samples), plan.folder / name
        on_stage(f"{name}: training")
        accuracy, seconds = trained(recipe, folder, plan.workers)
        network = load_network(folder / MODEL)
        data = load_data(DATA, network.input_size)
        on_stage(f"{name}: certificates of one pass")
        found = one_pass(network, data)
        robust = {}
        for norm in SIZES:
            on_stage(f"{name}: robust accuracy, {norm:g}-norm")
            robust[norm] = _measured(network, data, folder / f"norm-{norm:g}", norm, plan)
        yield Entry(recipe, accuracy, seconds, robust, found)


def _with_samples(recipe: Recipe, samples: int) -> Recipe:
    """The recipe with a card on so many samples at most; the page has samples of its own."""
    return replace(recipe, card=replace(recipe.card, samples=min(samples, recipe.card.samples)))


def trained(recipe: Recipe, folder: Path, workers: int = 1) -> tuple[float, float]:
    """Accuracy and seconds of a network that is there, or is trained now, from its checkpoint if there is one."""
    card, known = folder / "card.json", folder / RECIPE
    same = known.is_file() and known.read_text(encoding="utf-8") == recipe.text
    if not (same and card.is_file() and (folder / MODEL).is_file()):
        train(recipe, folder, resume=same and (folder / CHECKPOINT).is_file(), workers=workers)
    record = json.loads(card.read_text(encoding="utf-8"))
    return float(record["accuracy"]), float(record["seconds"])


def _measured(network: Network, data: LabelledData, place: Path, norm: float, plan: Plan) -> Accuracy:
    options = AccuracyOptions(SIZES[norm], norm, METHODS[norm], (0.0, 1.0), TIMEOUT, smoothing=Smoothing(SIGMA, DRAWS))
    place.mkdir(exist_ok=True)
    return evaluate(
        network,
        data,
        spread(len(data.x), plan.samples),
        options,
        plan.workers,
        lambda asked: Store(place / NAME, asked, resume=True),
    )


def spread(total: int, count: int) -> list[int]:
    """`count` numbers from 0 to total - 1, evenly spread."""
    return sorted({int(n) for n in np.linspace(0, total - 1, min(count, total))})


def room(data: LabelledData, samples: Sequence[int], norm: float) -> np.ndarray:
    """Half the distance of samples to the nearest one of another class in the whole set, shape (len(samples),).

    No classifier that is right on both ends is certified beyond it at both: what accuracy itself allows.
    """
    assert data.labels is not None
    found = []
    for n in samples:
        others = data.x[data.labels != data.labels[n]]
        found.append(0.5 * np.linalg.norm(others - data.x[n], ord=norm, axis=1).min())
    return np.array(found)
