"""Bounds from below by Lipschitz constants of one sample's margins, by name, and CLEVER's estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from verifier.bounds.backward import BackwardPass
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import bounds_within, linear_bounds
from verifier.deadline import Deadline
from verifier.errors import VerifierError
from verifier.lipschitz.certificates import (
    Question,
    by_gradient,
    by_local_norms,
    by_logits,
    by_pairs,
    by_semidefinite,
)
from verifier.lipschitz.clever import CleverOptions, clever
from verifier.lipschitz.radii import Radius
from verifier.lipschitz.slopes import Values
from verifier.network.graph import Network
from verifier.radii.bracket import End, Side
from verifier.radii.question import RadiusQuestion
from verifier.standing import Standing

Certificate: TypeAlias = Callable[[RadiusQuestion], Radius]

CLEVER_RADIUS = 1.0
"""Of the ball that CLEVER samples, where no attack tells how far it has to look."""


def interval_rule(network: Network, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interval bounds of the outputs over N boxes, shape (N, output_size)."""
    last = interval_bounds(network, lower, upper)[-1]
    return last.lower, last.upper


def linear_rule(network: Network, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CROWN's bounds of the outputs over N boxes, shape (N, output_size)."""
    intervals = linear_bounds(network, lower, upper)
    rows, last = np.eye(network.output_size)[None], len(network.nodes) - 1
    bounds = BackwardPass(network, intervals)
    low = np.maximum(bounds.minimum(last, rows).bound, intervals[-1].lower)
    return low, np.minimum(-bounds.minimum(last, -rows).bound, intervals[-1].upper)


def margins(network: Network, x: np.ndarray, label: int) -> np.ndarray:
    """Certified lower bounds of f_label - f_j at a sample for the other classes j, shape (output_size - 1,)."""
    point = interval_bounds(network, x[None], x[None])[-1]
    others = np.delete(point.upper[0], label)
    return np.nextafter(point.lower[0, label] - others, -math.inf)


def _asked(question: RadiusQuestion) -> Question:
    label = question.kept
    return Question(question.network, label, margins(question.network, question.x, label), float(question.norm))


def _values(question: RadiusQuestion, radius: float) -> Values:
    """CROWN's intervals of all nodes on a ball and in the data's range, which is convex as the ball is."""
    box = question.neighbourhood(radius).box()
    assert box is not None  # the sample lies in it
    inputs = Interval(box.lower[None], box.upper[None], box.ball)
    return [(i.lower[0], i.upper[0]) for i in bounds_within(question.network, inputs)]


def _by_local_norms(question: RadiusQuestion) -> Radius:
    return by_local_norms(_asked(question), lambda radius: _values(question, radius))


def _by_interval_gradient(question: RadiusQuestion) -> Radius:
    return by_gradient(_asked(question), lambda radius: _values(question, radius), interval_rule)


def _by_linear_gradient(question: RadiusQuestion) -> Radius:
    return by_gradient(_asked(question), lambda radius: _values(question, radius), linear_rule)


CERTIFICATES: Mapping[str, Certificate] = MappingProxyType(
    {
        "lipschitz": lambda question: by_logits(_asked(question)),
        "cross-lipschitz": lambda question: by_pairs(_asked(question)),
        "local-lipschitz": _by_local_norms,
        "gradient-interval": _by_interval_gradient,
        "gradient-crown": _by_linear_gradient,
        "lipsdp": lambda question: by_semidefinite(_asked(question)),
    }
)
"""By name; `lipsdp` solves a program for each pair of classes, which takes its time."""


def certificate_ends(question: RadiusQuestion, names: Sequence[str], deadline: Deadline) -> Iterator[End]:
    """What each of the named certificates proves; they know no deadline, and are left out once it has passed."""
    for name in names:
        if deadline.expired:
            yield End(name, Side.LOWER, 0.0, Standing.CERTIFIED, 0.0, detail="out of time")
            continue
        clock = Deadline()
        try:
            with np.errstate(all="ignore"):  # infinities and NaN are handled where they arise
                found = CERTIFICATES[name](question)
        except VerifierError as error:
            yield End(name, Side.LOWER, 0.0, Standing.CERTIFIED, clock.elapsed, detail=str(error))
            continue
        yield End(name, Side.LOWER, found.radius, found.standing, clock.elapsed, detail=found.method)


def clever_end(question: RadiusQuestion, attacked: float, seed: int) -> End:
    """CLEVER's estimate, which is at most the radius of the ball it samples: the distance of the best attack."""
    clock, usable = Deadline(), 0 < attacked < math.inf
    options = CleverOptions(attacked if usable else CLEVER_RADIUS, batches=50, batch_size=100, seed=seed)
    with np.errstate(all="ignore"):
        found = clever(question.network, question.x, question.kept, float(question.norm), options)
    told = f"sampled within {options.radius:.4g}"
    return End("clever", Side.LOWER, found.radius.radius, found.radius.standing, clock.elapsed, detail=told)
