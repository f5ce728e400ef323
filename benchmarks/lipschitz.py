"""Radii that Lipschitz constants certify around digits, by method and norm: median over samples, and seconds.

    python -m benchmarks.lipschitz [--samples 20] [--norms 1,2,inf] [--local-lipsdp]

The network is `vnnlib_specs/onnx/digits_dense.onnx`; the samples are scikit-learn's first digits that it classifies
rightly. "LipSDP, global" takes pairs of classes for the 1- and the 2-norm (one solve a pair, shared by the samples and
by the two norms), and all logits at once, inf-norm to 2-norm, for the inf-norm, where a solve takes ten times as long.
Seconds are per sample, those that are spent once divided by the samples. "attack" is the norm of a perturbation that
changes the class (DeepFool's steps, then bisection): no certified radius may be larger, which is checked.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np

from verifier.bounds.enclosure import Interval
from verifier.bounds.linear import linear_bounds
from verifier.lipschitz.certificates import (
    Question,
    by_gradient,
    by_local_norms,
    by_logits,
    by_pairs,
    by_semidefinite,
)
from verifier.lipschitz.clever import CleverOptions, clever
from verifier.lipschitz.constants import Values
from verifier.lipschitz.jacobian import GradientNetwork, gradient_network
from verifier.lipschitz.radii import logit_factor, radius_from_pairs
from verifier.lipschitz.rounding import dual, norms
from verifier.lipschitz.semidefinite import semidefinite_constant
from verifier.network.graph import Affine, Network
from verifier.radii.certificates import interval_rule, linear_rule, margins
from verifier.readers.onnx import load_network
from verifier.tolerances import gamma

MODEL = Path(__file__).parent.parent / "vnnlib_specs" / "onnx" / "digits_dense.onnx"


@dataclass(frozen=True, eq=False)
class Case:
    """One sample."""

    network: Network
    x: np.ndarray
    label: int

    @cached_property
    def rows(self) -> np.ndarray:
        unit = np.eye(self.network.output_size)
        return np.delete(unit[self.label] - unit, self.label, axis=0)

    @cached_property
    def margins(self) -> np.ndarray:
        """Certified lower bounds of the margins at the sample."""
        return margins(self.network, self.x, self.label)

    def values(self, radius: float, norm: float) -> Values:
        """CROWN's intervals of all nodes on a ball, with the first layer's exact on it."""
        lower, upper = (self.x - radius)[None], (self.x + radius)[None]
        known = [Interval(lower, upper)]
        for node in self.network.nodes[1:]:
            infinite = np.full((1, node.size), math.inf)
            known.append(self._first(node, radius, norm) if node.operands == (0,) else Interval(-infinite, infinite))
        return [(i.lower[0], i.upper[0]) for i in linear_bounds(self.network, lower, upper, known=known)]

    def _first(self, node: Affine, radius: float, norm: float) -> Interval:
        weight = node.maps[0].to_sparse().toarray()
        centre = weight @ self.x + node.bias
        error = 2 * gamma(weight.shape[1]) * (np.abs(weight) @ np.abs(self.x) + np.abs(node.bias) + np.abs(centre))
        reach = radius * norms(weight, dual(norm)) * (1 + 1e-12) + error
        return Interval((centre - reach)[None], (centre + reach)[None])


@dataclass
class Methods:
    """All methods for one network and norm; what is found once is kept, that of pairs for several norms."""

    network: Network
    norm: float
    pairs: dict[tuple[int, int], float]

    @cached_property
    def gradient(self) -> GradientNetwork:
        return gradient_network(self.network)

    @cached_property
    def logits_to_two(self) -> float:
        return semidefinite_constant(self.network, np.eye(self.network.output_size), self.norm)

    def question(self, case: Case) -> Question:
        return Question(self.network, case.label, case.margins, self.norm)

    def by_logits(self, case: Case) -> float:
        return by_logits(self.question(case)).radius

    def by_pairs(self, case: Case) -> float:
        return by_pairs(self.question(case)).radius

    def by_local_norms(self, case: Case) -> float:
        return by_local_norms(self.question(case), lambda r: case.values(r, self.norm)).radius

    def by_interval_gradient(self, case: Case) -> float:
        return by_gradient(self.question(case), lambda r: case.values(r, self.norm), interval_rule).radius

    def by_linear_gradient(self, case: Case) -> float:
        return by_gradient(self.question(case), lambda r: case.values(r, self.norm), linear_rule).radius

    def by_lipsdp(self, case: Case) -> float:
        if self.norm == math.inf:  # |(f_l - f_j)| <= sqrt(2) ||f||_2
            constants = np.full(len(case.rows), self.logits_to_two * logit_factor(2.0) * (1 + 1e-15))
        else:
            constants = np.array([self._pair(row) for row in case.rows])
        return radius_from_pairs(case.margins, constants)

    def by_local_lipsdp(self, case: Case) -> float:
        """The best of three balls around what linear bounds of the gradient certify; slow."""
        start, question = self.by_linear_gradient(case), self.question(case)
        radii = (1.0 * start, 1.4 * start, 2.0 * start)
        return max(by_semidefinite(question, case.values(r, self.norm), r).radius for r in radii)

    def _pair(self, row: np.ndarray) -> float:
        first, second = np.flatnonzero(row).tolist()
        if (first, second) not in self.pairs:
            self.pairs[first, second] = semidefinite_constant(self.network, row[None], self.norm)
        return self.pairs[first, second]

    def by_clever(self, case: Case) -> float:
        options = CleverOptions(radius={1.0: 3.0, 2.0: 1.5, math.inf: 0.3}[self.norm], batches=50, batch_size=100)
        return clever(self.network, case.x, case.label, self.norm, options).radius.radius

    def by_attack(self, case: Case) -> float:
        found = [self._deepfool(case, row) for row in case.rows]
        return min((size for size in found if size is not None), default=math.inf)

    def _deepfool(self, case: Case, row: np.ndarray, steps: int = 50) -> float | None:
        """The norm at which the line to DeepFool's last point crosses row . f = 0; None where it finds none."""
        delta = np.zeros_like(case.x)
        for _ in range(steps):
            value = float(row @ self.network.forward((case.x + delta)[None])[0])
            if value < 0:
                break
            gradient = self.gradient.gradients((case.x + delta)[None], row)[0]
            size = np.abs(gradient)
            direction = {
                1.0: np.sign(gradient) * (np.arange(len(size)) == size.argmax()),
                2.0: gradient / max(float(np.linalg.norm(gradient)), 1e-12),
                math.inf: np.sign(gradient),
            }[self.norm]
            delta = delta - 1.02 * (value + 1e-6) / max(float(gradient @ direction), 1e-12) * direction
        else:
            return None
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            below = row @ self.network.forward((case.x + middle * delta)[None])[0] < 0
            low, high = (low, middle) if below else (middle, high)
        return high * float(np.linalg.norm(delta, ord=self.norm))


METHODS: dict[str, Callable[[Methods, Case], float]] = {
    "global, logits": Methods.by_logits,
    "global, cross": Methods.by_pairs,
    "local norms, cross": Methods.by_local_norms,
    "gradient, intervals": Methods.by_interval_gradient,
    "gradient, linear bounds": Methods.by_linear_gradient,
    "LipSDP, global": Methods.by_lipsdp,
    "LipSDP, local": Methods.by_local_lipsdp,
    "CLEVER (estimate)": Methods.by_clever,
    "attack": Methods.by_attack,
}
UNCERTIFIED = ("CLEVER (estimate)", "attack")


def digits(network: Network, count: int) -> list[Case]:
    """The first digits that the network classifies rightly."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = data.data / 16
    right = np.flatnonzero(network.forward(x).argmax(axis=1) == data.target)[:count]
    return [Case(network, x[i], int(data.target[i])) for i in right]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--norms", default="1,2,inf")
    parser.add_argument("--local-lipsdp", action="store_true", help="some minutes for the 2-norm")
    arguments = parser.parse_args()
    network = load_network(MODEL)
    cases = digits(network, arguments.samples)
    print(f"{'norm':>4}  {'method':<24}  {'median radius':>13}  {'smallest':>9}  {'s/sample':>8}")
    pairs: dict[tuple[int, int], float] = {}
    for norm in (float(n) for n in arguments.norms.split(",")):
        methods, certified = Methods(network, norm, pairs), np.zeros(len(cases))
        for name, rule in METHODS.items():
            if name == "LipSDP, local" and not arguments.local_lipsdp:
                continue
            started = time.perf_counter()
            radii = [rule(methods, case) for case in cases]
            seconds = (time.perf_counter() - started) / len(cases)
            print(f"{norm:>4g}  {name:<24}  {median(radii):>13.5f}  {min(radii):>9.5f}  {seconds:>8.3f}", flush=True)
            if name not in UNCERTIFIED:
                certified = np.maximum(certified, radii)
            assert name != "attack" or (certified <= radii).all(), "a certified radius is refuted"


if __name__ == "__main__":
    main()
