"""What a trained network is worth: accuracy as it is, under attack, and certified, on the first test samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from verifier.attacks.minimal.problem import Problem
from verifier.attacks.minimal.registry import ATTACKS
from verifier.deadline import Deadline
from verifier.evidence.replay import Replay
from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.radii import radius_from_pairs
from verifier.methods import METHODS, Options, decide
from verifier.network.graph import Network
from verifier.property.query import Box
from verifier.radii.certificates import margins
from verifier.radii.question import RadiusQuestion
from verifier.smoothing.certify import SmoothingOptions, certify
from verifier.smoothing.sampling import NoisyNetwork
from verifier.verdict import Status

ATTACKING = ("fast-bisection", "fmn")
ATTACK_SECONDS = 60.0
LIPSCHITZ = "cross-lipschitz"
SMOOTHING = "smoothing"
DRAWS = SmoothingOptions(selection=100, estimation=2000, alpha=0.001)


@dataclass(frozen=True, eq=False)
class Samples:
    """What is measured on.

    Attributes:
        network: as read from its model.
        x, y: float32, shape (N, input_size), and classes, shape (N,).
        norm: of perturbations, 2 or inf.
        clip: the range of the data, or None.
    """

    network: Network
    x: np.ndarray
    y: np.ndarray
    norm: float
    clip: tuple[float, float] | None

    def question(self, n: int) -> RadiusQuestion:
        """About one of them, whose class is to be kept."""
        return RadiusQuestion(self.network, self.x[n], int(self.y[n]), self.norm, self.clip)


@dataclass(frozen=True)
class Measured:
    """Accuracy at one perturbation.

    Attributes:
        epsilon: its size.
        attack: the share of samples of which no attack finds another class within epsilon.
        certified: for each method the share of samples of which it proves that there is none.
        contradictions: samples that are both attacked and certified: a defect.
    """

    epsilon: float
    attack: float
    certified: Mapping[str, float]
    contradictions: tuple[str, ...] = ()


def measure(samples: Samples, epsilons: tuple[float, ...], timeout: float, sigma: float | None) -> list[Measured]:
    """Accuracy at each of the perturbations.

    Args:
        samples: to measure on.
        epsilons: sizes, ascending.
        timeout: seconds for a complete method on one sample.
        sigma: of the noise of the smoothed network, for the 2-norm; None where there is none.
    """
    distances = attacked(samples)
    found = []
    radii = _radii(samples) if samples.norm == 2 else {}
    if sigma is not None and samples.norm == 2:
        radii[SMOOTHING] = smoothed_radii(samples, sigma)
    for epsilon in epsilons:
        proved = {name: radius > epsilon for name, radius in radii.items()} | _decided(
            samples, epsilon, distances, timeout
        )
        wrong = [
            f"sample {n}: {name} proves {epsilon:g}, an attack reached {distances[n]:g}"
            for name, holds in proved.items()
            if name != SMOOTHING  # which speaks of another network
            for n in np.flatnonzero(holds & (distances <= epsilon))
        ]
        shares = {name: float(holds.mean()) for name, holds in proved.items()}
        found.append(Measured(epsilon, float((distances > epsilon).mean()), shares, tuple(wrong)))
    return found


def correct(samples: Samples) -> np.ndarray:
    """Which samples ONNX Runtime gives their class, booleans, shape (N,)."""
    replay = Replay(samples.network)
    return np.array([int(replay.run(x).argmax()) == y for x, y in zip(samples.x, samples.y, strict=True)])


def attacked(samples: Samples) -> np.ndarray:
    """The distance of the nearest input of another class that an attack finds, infinite without one, shape (N,)."""
    low, high = samples.clip or (-math.inf, math.inf)
    size = samples.network.input_size
    box = Box.exact(np.full(size, low), np.full(size, high))
    problem = Problem(samples.network, samples.x, samples.y, samples.norm, box, Replay(samples.network).run)
    best = np.full(len(samples.x), math.inf)
    for name in ATTACKING:
        found = ATTACKS[name].run(problem, np.random.default_rng(0), Deadline(ATTACK_SECONDS))
        best = np.minimum(best, [perturbation.distance for perturbation in found])
    return best


def smoothed_radii(samples: Samples, sigma: float) -> np.ndarray:
    """Certified radii of the smoothed network, 0 where it abstains or gives another class, shape (N,)."""
    noisy = NoisyNetwork(samples.network.like(np.zeros(0)), sigma, np.zeros(0))
    found = [certify(noisy, x.astype(np.float64), DRAWS, n) for n, x in enumerate(samples.x)]
    return np.array([r.radius if r.label == y else 0.0 for r, y in zip(found, samples.y, strict=True)])


def _radii(samples: Samples) -> dict[str, np.ndarray]:
    """Of every sample by Lipschitz constants, which are found once."""
    constants, found = LipschitzConstants(samples.network, samples.norm), []
    unit = np.eye(samples.network.output_size)
    for x, label in zip(samples.x.astype(np.float64), samples.y, strict=True):
        rows = np.delete(unit[label] - unit, label, axis=0)
        found.append(radius_from_pairs(margins(samples.network, x, int(label)), constants.of_forms(rows)))
    return {LIPSCHITZ: np.array(found)}


def _decided(samples: Samples, epsilon: float, distances: np.ndarray, timeout: float) -> dict[str, np.ndarray]:
    """What linear bounds prove, and in norm inf what a complete method does as well; attacked samples included.

    Those are asked about only by the cheap method: a complete one would find the attack's witness.
    """
    crown, auto = (np.zeros(len(samples.x), bool) for _ in range(2))
    for n in range(len(samples.x)):
        question = samples.question(n)
        crown[n] = _proves(question, epsilon, "crown", timeout)
        auto[n] = crown[n]
        if samples.norm == math.inf and not crown[n] and distances[n] > epsilon:
            auto[n] = _proves(question, epsilon, "auto", timeout)
    return {"crown": crown, "auto": auto} if samples.norm == math.inf else {"crown": crown}


def _proves(question: RadiusQuestion, epsilon: float, method: str, timeout: float) -> bool:
    options = Options(timeout=timeout, threads=1)
    return decide(question.network, question.query(epsilon), METHODS[method], options).status is Status.UNSAT
