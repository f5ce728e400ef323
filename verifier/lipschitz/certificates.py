"""The radii that Lipschitz constants certify for one input, by method, each with its standing.

A radius is as certain as the margins and the bounds of values that it is made from: with rounding covered in both it is
"certified". How values are bounded on a ball is the caller's choice (`ValuesOn`); so is who bounds the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.deadline import NEVER, Deadline, OutOfTimeError
from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.jacobian import Bounder, gradient_constants, gradient_network
from verifier.lipschitz.radii import Radius, largest_local_radius, radius_from_logits, radius_from_pairs
from verifier.lipschitz.rounding import INF
from verifier.lipschitz.semidefinite import semidefinite_constant
from verifier.lipschitz.slopes import Values
from verifier.network.graph import Network
from verifier.standing import Standing

ValuesOn: TypeAlias = Callable[[float, Deadline], Values]
"""Sound bounds of all nodes' values on the ball of a given radius around the input, in the question's norm; made
within some time, for the want of which they may be coarser."""

BALLS = 12
"""Balls that a local method tries."""
PATIENCE = 0.3
"""The share of the time left that one of the two parts of a ball, values and gradient, may take."""
KNOWN = 4
"""Networks and norms whose global constants are kept."""


@dataclass(frozen=True, eq=False)
class Question:
    """Within which radius does the class not change?

    Attributes:
        network: a classifier with NumPy weights.
        label: the class l.
        margins: certified lower bounds of f_l - f_j at the input, for the other classes in order, shape (K - 1,).
        norm: p, one of 1, 2, inf.
        deadline: by which to answer.
    """

    network: Network
    label: int
    margins: np.ndarray
    norm: float
    deadline: Deadline = NEVER

    @property
    def rows(self) -> np.ndarray:
        """The differences f_l - f_j as rows on the outputs, shape (K - 1, K)."""
        unit = np.eye(self.network.output_size)
        return np.delete(unit[self.label] - unit, self.label, axis=0)

    def certified(self, radius: float, method: str) -> Radius:
        return Radius(radius, self.norm, method, Standing.CERTIFIED)


_EVERYWHERE: dict[tuple[Network, float], LipschitzConstants] = {}


def _everywhere(question: Question) -> LipschitzConstants:
    """The global constants, which all samples of a network share; networks are told apart by identity."""
    key = question.network, question.norm
    known = _EVERYWHERE.pop(key, None)
    if known is None:
        known = LipschitzConstants(*key, deadline=question.deadline)
    while len(_EVERYWHERE) >= KNOWN:
        del _EVERYWHERE[next(iter(_EVERYWHERE))]
    _EVERYWHERE[key] = known
    known.deadline = question.deadline
    return known


def by_logits(question: Question) -> Radius:
    """From the global constant of all logits, by products of norms.

    Raises:
        OutOfTimeError: the time is up.
    """
    constant = _everywhere(question).of_outputs()
    radius = radius_from_logits(question.margins, constant, question.norm)
    return question.certified(radius, "global Lipschitz constant of the logits")


def by_pairs(question: Question) -> Radius:
    """From the global constants of the differences of two outputs.

    Raises:
        OutOfTimeError: the time is up.
    """
    constants = _everywhere(question).of_forms(question.rows)
    return question.certified(radius_from_pairs(question.margins, constants), "global cross-Lipschitz constants")


def by_local_norms(question: Question, values_on: ValuesOn) -> Radius:
    """The same with the slopes that occur on a ball, the best ball being searched for.

    Raises:
        OutOfTimeError: the time is up before the first ball is done.
    """

    def constants(values: Values) -> np.ndarray:
        found = LipschitzConstants(question.network, question.norm, values, question.deadline)
        return found.of_forms(question.rows)

    return _local(question, values_on, constants, "local cross-Lipschitz constants")


def by_gradient(question: Question, values_on: ValuesOn, bounder: Bounder) -> Radius:
    """From bounds of the gradient's norm on a ball, the best ball being searched for; certified as the bounder is.

    Raises:
        OutOfTimeError: the time is up before the first ball is done.
    """
    gradient = gradient_network(question.network, absolute_sum=question.norm == INF)

    def constants(values: Values) -> np.ndarray:
        box, share = gradient.box(values, question.rows), _part(question.deadline)
        return gradient_constants(gradient, question.norm, box, bounder, share)

    return _local(question, values_on, constants, "bounds of the gradient's norm")


def by_semidefinite(question: Question, values: Values | None = None, within: float = INF) -> Radius:
    """From LipSDP's constants of the differences, one program each; from products of norms where the time is up.

    Args:
        question: of a network that LipSDP can take, see `semidefinite_constant`.
        values: bounds of all nodes' values on the ball of radius `within`; global constants if not given.
        within: positive.

    Raises:
        OutOfTimeError: the time is up before the first program is solved.
    """
    local = values is not None
    known = LipschitzConstants(question.network, question.norm, values, question.deadline) if local else None
    constants, solved = (known or _everywhere(question)).of_forms(question.rows), 0
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(question.margins / constants, kind="stable")
    for count, j in enumerate(order):  # the nearest classes first: the radius is the smallest of all
        share = question.deadline.within(question.deadline.remaining / (len(order) - count))
        try:
            row = question.rows[j][None]
            found = semidefinite_constant(question.network, row, question.norm, values, share)
        except OutOfTimeError:
            continue
        constants[j], solved = min(constants[j], found), solved + 1
    if not solved and len(order):
        raise OutOfTimeError
    told = "LipSDP" if solved == len(order) else f"LipSDP for {solved} of {len(order)} classes, out of time"
    return question.certified(radius_from_pairs(question.margins, constants, within), told)


def _local(question: Question, values_on: ValuesOn, constants: Callable[[Values], np.ndarray], method: str) -> Radius:
    done = 0

    def within(radius: float) -> float:
        nonlocal done
        question.deadline.check()
        values = values_on(radius, _part(question.deadline))
        found = radius_from_pairs(question.margins, constants(values), radius)
        done += 1
        return found

    start = by_pairs(question).radius
    start = start if 0 < start < INF else 1e-3
    found = largest_local_radius(within, start, BALLS)
    if not done:
        raise OutOfTimeError
    return question.certified(found, method)


def _part(deadline: Deadline) -> Deadline:
    return deadline.within(PATIENCE * deadline.remaining)
