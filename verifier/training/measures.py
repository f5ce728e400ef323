"""What a trained network is worth: its accuracy, and its robust accuracy on the first test samples, by `evaluation`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from verifier.attacks.minimal.registry import ATTACKS
from verifier.errors import UsageError
from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.evaluate import Accuracy, evaluate
from verifier.evaluation.options import AccuracyOptions
from verifier.evidence.replay import Replay
from verifier.methods import METHODS as VERIFICATION
from verifier.network.graph import Network
from verifier.radii.data import LabelledData
from verifier.radii.smoothed import Smoothing
from verifier.smoothing.certify import SmoothingOptions
from verifier.training.data import Split
from verifier.training.recipe import Recipe

SMOOTHING = "smoothing"
COMPLETE = tuple(name for name, method in VERIFICATION.items() if method.complete)
METHODS = {
    2.0: ("fast-bisection", "fmn", "cross-lipschitz", "crown"),
    math.inf: ("fast-bisection", "fmn", "crown", "auto"),
}
"""By norm; smoothing as well, in the 2-norm, where the recipe has noise."""
DRAWS = SmoothingOptions(selection=100, estimation=2000, alpha=0.001)


@dataclass(frozen=True)
class Measured:
    """Accuracy at one perturbation.

    Attributes:
        epsilon: its size.
        attack: the share of samples of which no attack finds another class within epsilon; None where none looked.
        certified: for each method the share of samples of which it proves that there is none.
    """

    epsilon: float
    attack: float | None
    certified: Mapping[str, float]


def measured(accuracy: Accuracy) -> list[Measured]:
    """The shares at each perturbation."""
    looked = any(name in ATTACKS or name in COMPLETE for name in accuracy.options.methods)
    # Linear bounds' minimisers may break a sample, though they are not out to.
    looked = looked or any(answer.broken < math.inf for about in accuracy.answers for answer in about.answers)
    return [
        Measured(
            size.epsilon,
            size.unbroken.value if looked else None,
            {name: share.value for name, share in size.certified.items()},
        )
        for size in accuracy.summary.sizes
    ]


def contradictions(accuracy: Accuracy) -> list[str]:
    """Certificates that a perturbation disproves, a line each: defects."""
    return [
        f"sample {answers.sample}: {proof.method} proves {proof.certified:g}, {broken.method} reached {broken.broken:g}"
        for answers in accuracy.crossings
        for proof, broken in answers.crossings
    ]


def card_options(recipe: Recipe, clip: tuple[float, float] | None) -> AccuracyOptions | None:
    """What the card of a recipe asks; None where it names no perturbation.

    Args:
        recipe: the network's.
        clip: the range of the data, or None.

    Raises:
        UsageError: the card names a method that does not exist, or not in its norm.
    """
    epsilons, norm = recipe.card_epsilons, recipe.card_norm
    if not epsilons:
        return None
    sigma = recipe.training.parameters.get("sigma")
    noise = Smoothing() if sigma is None else Smoothing(sigma, DRAWS)
    usual = (*METHODS[norm], SMOOTHING) if norm == 2 and sigma is not None else METHODS[norm]
    timeout = recipe.card.timeout * len(epsilons)
    try:
        return AccuracyOptions(epsilons, norm, recipe.card.methods or usual, clip, timeout, smoothing=noise)
    except UsageError as error:
        raise UsageError(error.cause, "[card], methods", error.fix) from None


def robust_accuracy(
    recipe: Recipe,
    network: Network,
    split: Split,
    workers: int = 1,
    on_sample: Callable[[SampleAnswers], None] = lambda answers: None,
) -> Accuracy | None:
    """By the card's perturbations, norm, methods and number of samples; None where it names no perturbation.

    Args:
        recipe: the network's.
        network: as read from its model.
        split: the data it was trained and is tested on.
        workers: processes that ask about samples at the same time.
        on_sample: is told of every sample.
    """
    options = card_options(recipe, split.clip)
    if options is None:
        return None
    data = LabelledData(recipe.data.set, split.test_x.astype(np.float64), split.test_y)
    samples = range(min(recipe.card.samples, len(split.test_x)))
    return evaluate(network, data, samples, options, workers, None, on_sample)


def clean_accuracy(network: Network, x: np.ndarray, y: np.ndarray) -> float:
    """The share of samples, shape (N, input_size), that ONNX Runtime gives their class, shape (N,)."""
    replay = Replay(network)
    return float(np.mean([int(replay.run(sample).argmax()) == label for sample, label in zip(x, y, strict=True)]))
