"""PREDICT and CERTIFY of randomized smoothing (Cohen, Rosenfeld, Kolter, ICML 2019, arXiv 1902.02918).

All statements are about the smoothed network, g(x) = the class that f gives most often to x + N(0, sigma^2 I), for the
2-norm, and each is wrong for at most a share alpha of the draws. Nothing follows for f itself.

The class is selected from one stream of noise, and its probability estimated from another, which does not know it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.errors import UsageError
from verifier.smoothing.binomial import lower_probability, normal_quantile, upper_probability
from verifier.smoothing.sampling import NoisyNetwork, Purpose, stream
from verifier.standing import Standing


@dataclass(frozen=True)
class SmoothingOptions:
    """How much is drawn.

    Attributes:
        selection: draws to select the class.
        estimation: draws to estimate its probability.
        alpha: chance of a wrong statement, in (0, 1).
        seed: of the whole experiment.

    Raises:
        UsageError: one of these is out of range.
    """

    selection: int = 100
    estimation: int = 100_000
    alpha: float = 0.001
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise UsageError(f"alpha = {self.alpha}", fix="give a number between 0 and 1")
        if min(self.selection, self.estimation) < 1:
            raise UsageError("no draws", fix="ask for at least 1 draw for selection and for estimation")


@dataclass(frozen=True)
class SmoothedRadius:
    """What holds of the smoothed network around one input.

    Attributes:
        label: its class, which does not change within `radius`; None: abstained, nothing is claimed.
        radius: in the 2-norm.
        lower: bound of the class's probability (its mean score, for soft smoothing).
        upper: bound of every other class's; 1 - lower where these were not bounded on their own.
        method: which certificate, with its bounds.
        options: draws, alpha and seed.
        sigma: of the noise.
        standing: always that of a probabilistic claim.
    """

    label: int | None
    radius: float
    lower: float
    upper: float
    method: str
    options: SmoothingOptions
    sigma: float
    standing: Standing = Standing.PROBABLE

    @property
    def statement(self) -> str:
        """The claim in words."""
        share = f"with probability {1 - self.options.alpha:g}"
        if self.label is None:
            return f"abstained: no class of the smoothed network (sigma = {self.sigma:g}) could be told {share}"
        return (
            f"{share} the class of the smoothed network (sigma = {self.sigma:g}) is {self.label} "
            f"within a 2-norm of {self.radius:.6g}; this says nothing of the network itself"
        )


def predict(noisy: NoisyNetwork, x: np.ndarray, options: SmoothingOptions, sample: int = 0) -> int | None:
    """The smoothed network's class from `options.estimation` draws, or None: abstained.

    The two classes met most often are compared by a two-sided test (Hung & Fithian, Annals of Statistics 47, 2019).

    Args:
        noisy: the network and its noise.
        x: float64, shape (input_size,).
        options: draws, alpha, seed.
        sample: the number of the input in its data set, which picks its stream.
    """
    from scipy.stats import binomtest

    counts = noisy.counts(x, options.estimation, stream(options.seed, sample, Purpose.PREDICTION))
    first = int(counts.argmax())
    tied = options.estimation - int(counts.sum())  # wins of none count for the second
    second = int(np.delete(counts, first).max(initial=0)) + tied
    if counts[first] <= second:
        return None
    return first if binomtest(int(counts[first]), int(counts[first]) + second).pvalue <= options.alpha else None


def certify(noisy: NoisyNetwork, x: np.ndarray, options: SmoothingOptions, sample: int = 0) -> SmoothedRadius:
    """The radius sigma Phi^-1(lower), every other class having at most 1 - lower; arguments as for `predict`."""
    label, counts = _drawn(noisy, x, options, sample)
    lower = lower_probability(int(counts[label]), options.estimation, options.alpha)
    return result(label, lower, 1.0 - lower, "one-sided, Clopper-Pearson", noisy, options)


def certify_two_sided(noisy: NoisyNetwork, x: np.ndarray, options: SmoothingOptions, sample: int = 0) -> SmoothedRadius:
    """The radius sigma / 2 (Phi^-1(lower) - Phi^-1(upper)), all classes bounded at once (Bonferroni: alpha / classes).

    It is larger than the one-sided one where the rest of the probability is spread over several classes, and smaller,
    as each bound has to hold with more confidence, where it is not. Draws that no class wins count for every other one.
    """
    label, counts = _drawn(noisy, x, options, sample)
    share = options.alpha / max(1, noisy.classes)
    lower = lower_probability(int(counts[label]), options.estimation, share)
    most = int(np.delete(counts, label).max(initial=0)) + options.estimation - int(counts.sum())
    upper = min(upper_probability(most, options.estimation, share), 1.0 - lower)
    return result(label, lower, upper, "two-sided, Clopper-Pearson and Bonferroni", noisy, options)


def _drawn(noisy: NoisyNetwork, x: np.ndarray, options: SmoothingOptions, sample: int) -> tuple[int, np.ndarray]:
    selected = noisy.counts(x, options.selection, stream(options.seed, sample, Purpose.SELECTION))
    counts = noisy.counts(x, options.estimation, stream(options.seed, sample, Purpose.ESTIMATION))
    return int(selected.argmax()), counts


def result(
    label: int, lower: float, upper: float, method: str, noisy: NoisyNetwork, options: SmoothingOptions
) -> SmoothedRadius:
    """The claim for bounds of the probabilities; abstains where they do not part the class from the others."""
    radius = noisy.sigma / 2 * (normal_quantile(lower) + normal_quantile(1.0 - upper)) if lower > upper else 0.0
    if not radius > 0:
        return SmoothedRadius(None, 0.0, lower, upper, method, options, noisy.sigma)
    return SmoothedRadius(label, float(np.nextafter(radius, 0.0)), lower, upper, method, options, noisy.sigma)
