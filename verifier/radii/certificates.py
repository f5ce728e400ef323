"""Lower bounds of a sample's radius, by name: from Lipschitz constants of its margins, and CLEVER's estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from verifier.bounds.backward import BackwardPass
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import ROW_ENTRIES, bounds_within, linear_bounds
from verifier.deadline import NEVER, Deadline, OutOfTimeError
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
from verifier.radii.shares import shares
from verifier.standing import Standing

Certificate: TypeAlias = Callable[[RadiusQuestion, Deadline], Radius]

OUT_OF_TIME = "out of time"
INNER = 0.6
"""The share of the time for a gradient's bounds that those of its inner nodes may take."""
CLEVER_RADIUS = 1.0
"""Of the ball that CLEVER samples, where no attack tells how far it has to look."""


def interval_rule(
    network: Network, lower: np.ndarray, upper: np.ndarray, deadline: Deadline = NEVER
) -> tuple[np.ndarray, np.ndarray]:
    """Interval bounds of the outputs over N boxes, shape (N, output_size)."""
    del deadline  # as one pass takes no time
    last = interval_bounds(network, lower, upper)[-1]
    return last.lower, last.upper


def linear_rule(
    network: Network, lower: np.ndarray, upper: np.ndarray, deadline: Deadline = NEVER
) -> tuple[np.ndarray, np.ndarray]:
    """CROWN's bounds of the outputs over N boxes, shape (N, output_size); intervals where the time is up."""
    intervals = linear_bounds(network, lower, upper, deadline.within(INNER * deadline.remaining))
    low, high, last = intervals[-1].lower.copy(), intervals[-1].upper.copy(), len(network.nodes) - 1
    bounds = BackwardPass(network, intervals)
    widest = max(node.size for node in network.nodes)
    step = max(1, ROW_ENTRIES // (2 * widest * len(lower)))
    for first in range(0, network.output_size, step):
        if deadline.expired:
            break
        part = slice(first, first + step)
        rows = np.eye(network.output_size)[None, part]
        found, count = bounds.minimum(last, np.concatenate([rows, -rows], axis=1)).bound, rows.shape[1]
        low[:, part] = np.maximum(low[:, part], found[:, :count])
        high[:, part] = np.minimum(high[:, part], -found[:, count:])
    return low, high


def margins(network: Network, x: np.ndarray, label: int) -> np.ndarray:
    """Certified lower bounds of f_label - f_j at a sample for the other classes j, shape (output_size - 1,)."""
    point = interval_bounds(network, x[None], x[None])[-1]
    others = np.delete(point.upper[0], label)
    return np.nextafter(point.lower[0, label] - others, -math.inf)


def _asked(question: RadiusQuestion, deadline: Deadline) -> Question:
    network, label = question.network, question.kept
    return Question(network, label, margins(network, question.x, label), float(question.norm), deadline)


def _values(question: RadiusQuestion, radius: float, deadline: Deadline) -> Values:
    """CROWN's intervals of all nodes on a ball and in the data's range, which is convex as the ball is.

    Entries for which the time does not suffice keep the intervals of propagation.
    """
    box = question.neighbourhood(radius).box()
    assert box is not None  # the sample lies in it
    inputs = Interval(box.lower[None], box.upper[None], box.ball)
    return [(i.lower[0], i.upper[0]) for i in bounds_within(question.network, inputs, deadline)]


def _by_local_norms(question: RadiusQuestion, deadline: Deadline) -> Radius:
    return by_local_norms(_asked(question, deadline), partial(_values, question))


def _by_interval_gradient(question: RadiusQuestion, deadline: Deadline) -> Radius:
    return by_gradient(_asked(question, deadline), partial(_values, question), interval_rule)


def _by_linear_gradient(question: RadiusQuestion, deadline: Deadline) -> Radius:
    return by_gradient(_asked(question, deadline), partial(_values, question), linear_rule)


CERTIFICATES: Mapping[str, Certificate] = MappingProxyType(
    {
        "lipschitz": lambda question, deadline: by_logits(_asked(question, deadline)),
        "cross-lipschitz": lambda question, deadline: by_pairs(_asked(question, deadline)),
        "local-lipschitz": _by_local_norms,
        "gradient-interval": _by_interval_gradient,
        "gradient-crown": _by_linear_gradient,
        "lipsdp": lambda question, deadline: by_semidefinite(_asked(question, deadline)),
    }
)
"""By name; `lipsdp` solves a program for each pair of classes, which takes its time."""


def certificate_ends(question: RadiusQuestion, names: Sequence[str], deadline: Deadline) -> Iterator[End]:
    """What each of the named certificates proves in its share of the time; what one leaves of it, the others have."""
    for name, share in shares(names, deadline):
        try:
            with np.errstate(all="ignore"):  # infinities and NaN are handled where they arise
                found = CERTIFICATES[name](question, share)
        except OutOfTimeError:
            yield End(name, Side.LOWER, 0.0, Standing.CERTIFIED, share.elapsed, detail=OUT_OF_TIME, late=True)
            continue
        except VerifierError as error:
            yield End(name, Side.LOWER, 0.0, Standing.CERTIFIED, share.elapsed, detail=str(error))
            continue
        yield End(name, Side.LOWER, found.radius, found.standing, share.elapsed, detail=found.method)


def clever_end(question: RadiusQuestion, attacked: float, seed: int, deadline: Deadline = NEVER) -> End:
    """CLEVER's estimate, which is at most the radius of the ball it samples: the distance of the best attack."""
    clock, usable = Deadline(), 0 < attacked < math.inf
    options = CleverOptions(attacked if usable else CLEVER_RADIUS, batches=50, batch_size=100, seed=seed)
    try:
        with np.errstate(all="ignore"):
            found = clever(question.network, question.x, question.kept, float(question.norm), options, deadline)
    except OutOfTimeError:
        return End("clever", Side.LOWER, 0.0, Standing.ESTIMATE, clock.elapsed, detail=OUT_OF_TIME, late=True)
    told = f"sampled within {options.radius:.4g}"
    return End("clever", Side.LOWER, found.radius.radius, found.radius.standing, clock.elapsed, detail=told)
