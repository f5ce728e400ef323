"""Soft smoothing: the mean of the class probabilities under noise, with a radius of its own.

Salman et al.: Provably robust deep learning via adversarially trained smoothed classifiers, NeurIPS 2019 (arXiv
1906.04584), lemma 2: for G(x) = E[F(x + N(0, sigma^2 I))] with F in [0, 1], Phi^-1(G_c(x)) has Lipschitz constant
1 / sigma. F is the softmax of the outputs, so the others add up to 1 - G_l, and the class l stays within
sigma Phi^-1(lower bound of G_l). The mean is of numbers, not of successes: it is bounded by Hoeffding's or, where the
scores vary little, by the empirical Bernstein inequality, chosen beforehand.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from verifier.errors import UsageError
from verifier.smoothing.binomial import bernstein_lower, hoeffding_lower
from verifier.smoothing.certify import SmoothedRadius, SmoothingOptions, result
from verifier.smoothing.sampling import NoisyNetwork, Purpose, stream


class MeanBound(StrEnum):
    """The inequality for the mean."""

    HOEFFDING = "Hoeffding"
    BERNSTEIN = "empirical Bernstein"


def certify_soft(
    noisy: NoisyNetwork,
    x: np.ndarray,
    options: SmoothingOptions,
    sample: int = 0,
    bound: MeanBound = MeanBound.BERNSTEIN,
    temperature: float = 1.0,
) -> SmoothedRadius:
    """The radius of the softly smoothed network, whose class is the one of the largest mean score.

    Args:
        noisy: the network, whose outputs are logits, and its noise.
        x: float64, shape (input_size,).
        options: draws, alpha, seed.
        sample: the number of the input in its data set, which picks its streams.
        bound: the inequality.
        temperature: logits are divided by it; positive.

    Raises:
        UsageError: the temperature is not positive.
    """
    if not 0 < temperature < np.inf:
        raise UsageError(f"a temperature of {temperature}", fix="give a positive number")
    means, _ = _moments(noisy, x, options.selection, stream(options.seed, sample, Purpose.SELECTION), temperature)
    label = int(means.argmax())
    rng = stream(options.seed, sample, Purpose.ESTIMATION)
    means, variances = _moments(noisy, x, options.estimation, rng, temperature)
    if bound is MeanBound.HOEFFDING:
        lower = hoeffding_lower(float(means[label]), options.estimation, options.alpha)
    else:
        lower = bernstein_lower(float(means[label]), float(variances[label]), options.estimation, options.alpha)
    return result(label, lower, 1.0 - lower, f"soft, {bound.value}", noisy, options)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Along the last axis; rows with NaN or more than one infinite maximum are 0, which counts against every class."""
    with np.errstate(invalid="ignore"):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    return np.where(np.isfinite(scores), scores, 0.0)


def _moments(
    noisy: NoisyNetwork, x: np.ndarray, count: int, rng: np.random.Generator, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances (denominator count - 1) of the scores, shape (classes,), merged batch by batch.

    Source: Chan, Golub, LeVeque, The American Statistician 37, 1983.
    """
    seen, mean, squares = 0, np.zeros(noisy.classes), np.zeros(noisy.classes)
    for outputs in noisy.outputs(x, count, rng):
        scores, more = softmax(outputs / temperature), len(outputs)
        step = scores.mean(axis=0) - mean
        squares += ((scores - scores.mean(axis=0)) ** 2).sum(axis=0) + step**2 * (seen * more / (seen + more))
        seen += more
        mean = mean + step * more / seen
    return mean, squares / max(1, seen - 1)
