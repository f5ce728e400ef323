"""A smoothed classifier as an object: it predicts or abstains, certifies, has a gradient, and can be attacked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from verifier.arrays import convert_like, to_numpy
from verifier.attacks.gradient import adjoint
from verifier.attacks.minimal.geometry import into_ball, normalised
from verifier.attacks.minimal.problem import distance_up
from verifier.errors import UsageError
from verifier.network.graph import Network
from verifier.smoothing.certify import SmoothedRadius, SmoothingOptions, certify, predict
from verifier.smoothing.sampling import NoisyNetwork, Purpose, stream
from verifier.smoothing.soft import softmax

REACH = 2.5
"""How far all steps of an attack go together, in radii."""


@dataclass(frozen=True)
class AttackOptions:
    """How the smoothed network is attacked.

    Attributes:
        steps: of the ascent.
        draws: of noise, the same ones in every step.
        clip: the smallest and the largest value that an input can have, or None.
    """

    steps: int = 20
    draws: int = 100
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if min(self.steps, self.draws) < 1:
            raise UsageError(f"{self.steps} steps with {self.draws} draws", fix="give at least 1 of each")


@dataclass(frozen=True, eq=False)
class SmoothedAttack:
    """What an attack on a smoothed classifier came to.

    Attributes:
        point: float64, shape (input_size,).
        distance: of it in the 2-norm, rounded up, at most the radius asked for.
        label: the smoothed network's class there, None where it abstains.
        success: whether that is another class than the one attacked, which is wrong for a share alpha of the draws.
    """

    point: np.ndarray
    distance: float
    label: int | None
    success: bool


@dataclass(frozen=True, eq=False)
class SmoothedClassifier:
    """g(x) = the class that a network gives most often to x + N(0, sigma^2 I).

    Attributes:
        network: the classifier; float64 NumPy weights are made of whatever it has.
        sigma: of the noise, in units of the input.
        options: draws, the chance alpha of a wrong statement, and the seed.
    """

    network: Network
    sigma: float
    options: SmoothingOptions = field(default_factory=SmoothingOptions)

    def __post_init__(self) -> None:
        object.__setattr__(self, "network", self.network.like(np.zeros(0)))
        self.noisy  # noqa: B018 - says what is wrong with sigma

    @property
    def noisy(self) -> NoisyNetwork:
        """The network and its noise."""
        return NoisyNetwork(self.network, self.sigma, np.zeros(0))

    def predict(self, x: np.ndarray, sample: int = 0) -> int | None:
        """The class at `x`, shape (input_size,), or None: abstained; `sample` picks the draws."""
        return predict(self.noisy, np.asarray(x, np.float64), self.options, sample)

    def certify(self, x: np.ndarray, sample: int = 0) -> SmoothedRadius:
        """The class at `x` with the radius within which it does not change, or an abstention."""
        return certify(self.noisy, np.asarray(x, np.float64), self.options, sample)

    def soft_gradient(self, x: np.ndarray, label: int, draws: int = 100, sample: int = 0) -> np.ndarray:
        """The gradient of log mean_i softmax(f(x + d_i))_label over the draws d_i.

        Salman et al., arXiv 1906.04584, section 2.2: what to descend on to attack the smoothed network.

        Args:
            x: shape (input_size,).
            label: a class.
            draws: how many.
            sample: picks them.

        Returns:
            float64, shape (input_size,).
        """
        self._check(label)
        x = np.asarray(x, np.float64)
        return self._gradient(x, label, self._noise(len(x), draws, sample))

    def soft_score(self, x: np.ndarray, label: int, draws: int = 100, sample: int = 0) -> float:
        """What `soft_gradient` is the gradient of: log mean_i softmax(f(x + d_i))_label, over the same draws."""
        self._check(label)
        x = np.asarray(x, np.float64)
        shares = softmax(to_numpy(self.network.forward(x + self._noise(len(x), draws, sample))))[:, label]
        return float(np.log(shares.mean()))

    def attack(
        self, x: np.ndarray, label: int, epsilon: float, options: AttackOptions | None = None, sample: int = 0
    ) -> SmoothedAttack:
        """Projected gradient descent in the 2-norm on the soft score of a class.

        Args:
            x: inside the options' range, shape (input_size,).
            label: the class to be left.
            epsilon: how far, not negative.
            options: of the attack.
            sample: picks the draws, both of the attack and of the prediction where it ends.
        """
        self._check(label)
        if not 0 <= epsilon < np.inf:
            raise UsageError(f"an epsilon of {epsilon}", fix="give a finite number from 0 on")
        options, x = options or AttackOptions(), np.asarray(x, np.float64)
        noise, radius = self._noise(len(x), options.draws, sample), np.array([epsilon * (1 - 1e-12)])
        step, point = REACH * epsilon / options.steps, x
        for _ in range(options.steps):
            down = normalised(-self._gradient(point, label, noise)[None])[0]
            point = x + into_ball((point + step * down - x)[None], radius, 2)[0]
            if options.clip is not None:  # which moves no entry away from the sample's
                point = np.clip(point, *options.clip)
        found = self.predict(point, sample)
        return SmoothedAttack(point, distance_up(2, x, point), found, found is not None and found != label)

    def _gradient(self, x: np.ndarray, label: int, noise: np.ndarray) -> np.ndarray:
        """For draws of shape (draws, input_size): sum_i w_i (e_label - p_i) J_i, w_i in proportion to p_i,label."""
        values = self.network.values(x + noise)
        shares = softmax(to_numpy(values[-1]))
        total = shares[:, label].sum()
        weights = shares[:, label] / total if total > 0 else np.full(len(noise), 1.0 / len(noise))
        rows = -shares
        rows[:, label] += 1.0
        convert = convert_like(np.zeros(0))
        return np.asarray(to_numpy(adjoint(self.network, values, convert(weights[:, None] * rows))).sum(axis=0))

    def _noise(self, size: int, draws: int, sample: int) -> np.ndarray:
        rng = stream(self.options.seed, sample, Purpose.ATTACK)
        return self.sigma * rng.standard_normal((draws, size))

    def _check(self, label: int) -> None:
        if not 0 <= label < self.network.output_size:
            raise UsageError(f"there is no class {label}", fix=f"give one from 0 to {self.network.output_size - 1}")
