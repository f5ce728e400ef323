"""CLEVER: an estimate of the minimal perturbation from sampled gradients. It certifies nothing.

Weng et al.: Evaluating the robustness of neural networks: an extreme value theory approach, ICLR 2018 (arXiv
1801.10578). The largest gradient norm in each of many batches of points of the ball follows, if any extreme value law
with an end, a reverse Weibull law, whose end estimates the local Lipschitz constant. It is fitted by maximum likelihood
from several starts; where a Kolmogorov-Smirnov test rejects the fit, the largest sample stands in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.deadline import NEVER, Deadline, OutOfTimeError
from verifier.lipschitz.jacobian import GradientNetwork, gradient_network
from verifier.lipschitz.radii import Radius, radius_from_pairs
from verifier.lipschitz.rounding import INF, dual
from verifier.network.graph import Network
from verifier.standing import Standing

SHAPES = (1.5, 3.0, 8.0, 25.0)
"""Starts of the shape; with each, two of the end."""

FEWEST = 10
"""Batches, for a law to be fitted to their maxima."""

SAMPLING = 0.7
"""The share of the time that sampling may take; the rest is for fitting."""

FARTHEST_END = 10.0
"""A fit whose end lies this many spreads of the maxima above the largest is rejected: the law has no end, or the maxima
are too few to tell where it is, whatever the test says of them."""


@dataclass(frozen=True)
class CleverOptions:
    """How much is sampled.

    Attributes:
        radius: of the ball that is sampled, positive; the estimate is at most this.
        batches: maxima that the law is fitted to.
        batch_size: points for each.
        significance: the fit is rejected below this p-value.
        seed: of the points.
    """

    radius: float
    batches: int = 50
    batch_size: int = 200
    significance: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class ExtremeValue:
    """The estimated end of a law of maxima.

    Attributes:
        end: the estimate; never below the largest sample.
        p_value: of the fit, by the Kolmogorov-Smirnov test.
        accepted: whether `end` is the fit's; otherwise it is the largest sample.
    """

    end: float
    p_value: float
    accepted: bool


@dataclass(frozen=True, eq=False)
class CleverEstimate:
    """The estimated radius, and the estimated constants of f_l - f_j for all classes j but l, in their order."""

    radius: Radius
    constants: tuple[ExtremeValue, ...]


def clever(
    network: Network, x: np.ndarray, label: int, norm: float, options: CleverOptions, deadline: Deadline = NEVER
) -> CleverEstimate:
    """The CLEVER score of a sample.

    Args:
        network: a classifier with NumPy weights.
        x: float64, shape (input_size,).
        label: the class l; where the network says otherwise, the estimate is 0.
        norm: p, one of 1, 2, inf.
        options: how much is sampled.
        deadline: by which to answer; where it comes before all batches are sampled, the law is fitted to fewer.

    Raises:
        OutOfTimeError: there were not even `FEWEST` batches.
    """
    outputs = network.forward(x[None, :])[0]
    others = [j for j in range(len(outputs)) if j != label]
    rng = np.random.default_rng(options.seed)
    count = options.batches * options.batch_size
    points = x + options.radius * uniform_in_ball(rng, count, len(x), norm)
    gradient = gradient_network(network)
    order = np.inf if norm == 1.0 else dual(norm)
    rows = np.eye(len(outputs))[label] - np.eye(len(outputs))[others]
    sampling, maxima = deadline.within(SAMPLING * deadline.remaining), list[list[float]]()
    for batch in np.split(points, options.batches):
        if sampling.expired:
            break
        sizes = _largest(batch, rows, gradient, order, deadline)
        if len(sizes) < len(rows):
            break
        maxima.append(sizes)
    if len(maxima) < min(FEWEST, options.batches):
        raise OutOfTimeError
    constants = [fitted_end(np.array(sizes), options.significance) for sizes in zip(*maxima, strict=True)]
    ends = np.array([constant.end for constant in constants])
    found = radius_from_pairs(outputs[label] - outputs[others], ends, options.radius)
    return CleverEstimate(Radius(found, norm, "CLEVER", Standing.ESTIMATE), tuple(constants))


def _largest(
    batch: np.ndarray, rows: np.ndarray, gradient: GradientNetwork, order: float, deadline: Deadline
) -> list[float]:
    """The largest gradient norm of each row on a batch; fewer where the time is up."""
    sizes: list[float] = []
    for row in rows:
        if deadline.expired:
            break
        sizes.append(float(np.linalg.norm(gradient.gradients(batch, row), ord=order, axis=1).max()))
    return sizes


def uniform_in_ball(rng: np.random.Generator, count: int, size: int, norm: float) -> np.ndarray:
    """Points drawn uniformly from the unit ball of a p-norm, shape (count, size).

    Source: Barthe, Guedon, Mendelson, Naor, Annals of Probability 33, 2005: with g of density proportional to
    exp(-|t|^p) and e exponential, g / (||g||_p^p + e)^(1/p) is uniform.
    """
    if norm == INF:
        return rng.uniform(-1.0, 1.0, (count, size))
    g = rng.laplace(size=(count, size)) if norm == 1.0 else rng.normal(scale=np.sqrt(0.5), size=(count, size))
    total = (np.abs(g) ** norm).sum(axis=1) + rng.exponential(size=count)
    return g / total[:, None] ** (1 / norm)


def fitted_end(maxima: np.ndarray, significance: float) -> ExtremeValue:
    """The end of the reverse Weibull law fitted to maxima, shape (B,), finite."""
    from scipy.stats import kstest, weibull_max

    largest, spread = float(maxima.max()), float(maxima.max() - maxima.min())
    if spread <= 1e-12 * abs(largest):  # a gradient that does not change: nothing lies beyond
        return ExtremeValue(largest, 1.0, True)
    gap, shape, scale = _most_likely((largest - maxima) / spread)
    end = largest + spread * gap
    p_value = float(kstest(maxima, weibull_max(shape, loc=end, scale=spread * scale).cdf).pvalue)
    accepted = p_value >= significance and gap < FARTHEST_END
    return ExtremeValue(end if accepted else largest, p_value, accepted)


def _most_likely(below: np.ndarray) -> tuple[float, float, float]:
    """(gap, shape, scale): `below` + gap follows the Weibull law of that shape and scale; in units of the spread.

    The scale is the one that is best for the other two. The shape is kept above 1: below, the likelihood grows without
    limit as the gap closes.
    """
    from scipy.optimize import minimize

    def profile(parameters: np.ndarray) -> tuple[float, float, float]:
        gap = min(float(np.exp(parameters[0])), 2 * FARTHEST_END)
        shape = 1.0 + float(np.exp(min(parameters[1], 12.0)))
        logs = np.log(below + gap)
        mean = np.log(np.mean(np.exp(shape * (logs - logs.max())))) / shape + logs.max()
        return gap, shape, float(np.exp(mean))

    def loss(parameters: np.ndarray) -> float:
        gap, shape, scale = profile(parameters)
        logs = np.log(below + gap)
        return -float(np.mean(np.log(shape) - shape * np.log(scale) + (shape - 1) * logs)) + 1.0

    starts = [(np.log(gap), np.log(shape - 1)) for shape in SHAPES for gap in (0.05, 1.0)]
    found = [minimize(loss, start, method="Nelder-Mead", options={"maxiter": 400}) for start in starts]
    return profile(min(found, key=lambda result: result.fun).x)
