"""The radii that Lipschitz constants certify for one input, by method, each with its standing.

A radius is as certain as the margins and the bounds of values that it is made from: with rounding covered in both it is
"certified". How values are bounded on a ball is the caller's choice (`ValuesOn`); so is who bounds the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.jacobian import Bounder, gradient_constants, gradient_network
from verifier.lipschitz.radii import Radius, largest_local_radius, radius_from_logits, radius_from_pairs
from verifier.lipschitz.rounding import INF
from verifier.lipschitz.semidefinite import semidefinite_constant
from verifier.lipschitz.slopes import Values
from verifier.network.graph import Network
from verifier.standing import Standing

ValuesOn: TypeAlias = Callable[[float], Values]
"""Sound bounds of all nodes' values on the ball of a given radius around the input, in the question's norm."""

BALLS = 12
"""Balls that a local method tries."""


@dataclass(frozen=True, eq=False)
class Question:
    """Within which radius does the class not change?

    Attributes:
        network: a classifier with NumPy weights.
        label: the class l.
        margins: certified lower bounds of f_l - f_j at the input, for the other classes in order, shape (K - 1,).
        norm: p, one of 1, 2, inf.
    """

    network: Network
    label: int
    margins: np.ndarray
    norm: float

    @property
    def rows(self) -> np.ndarray:
        """The differences f_l - f_j as rows on the outputs, shape (K - 1, K)."""
        unit = np.eye(self.network.output_size)
        return np.delete(unit[self.label] - unit, self.label, axis=0)

    def certified(self, radius: float, method: str) -> Radius:
        return Radius(radius, self.norm, method, Standing.CERTIFIED)


@lru_cache(maxsize=4)
def _everywhere(network: Network, norm: float) -> LipschitzConstants:
    """The global constants, which all samples of a network share; networks are told apart by identity."""
    return LipschitzConstants(network, norm)


def by_logits(question: Question) -> Radius:
    """From the global constant of all logits, by products of norms."""
    constant = _everywhere(question.network, question.norm).of_outputs()
    radius = radius_from_logits(question.margins, constant, question.norm)
    return question.certified(radius, "global Lipschitz constant of the logits")


def by_pairs(question: Question) -> Radius:
    """From the global constants of the differences of two outputs."""
    constants = _everywhere(question.network, question.norm).of_forms(question.rows)
    return question.certified(radius_from_pairs(question.margins, constants), "global cross-Lipschitz constants")


def by_local_norms(question: Question, values_on: ValuesOn) -> Radius:
    """The same with the slopes that occur on a ball, the best ball being searched for."""

    def constants(values: Values) -> np.ndarray:
        return LipschitzConstants(question.network, question.norm, values).of_forms(question.rows)

    return _local(question, values_on, constants, "local cross-Lipschitz constants")


def by_gradient(question: Question, values_on: ValuesOn, bounder: Bounder) -> Radius:
    """From bounds of the gradient's norm on a ball, the best ball being searched for; certified as the bounder is."""
    gradient = gradient_network(question.network, absolute_sum=question.norm == INF)

    def constants(values: Values) -> np.ndarray:
        return gradient_constants(gradient, question.norm, gradient.box(values, question.rows), bounder)

    return _local(question, values_on, constants, "bounds of the gradient's norm")


def by_semidefinite(question: Question, values: Values | None = None, within: float = INF) -> Radius:
    """From LipSDP's constants of the differences, one program each.

    Args:
        question: of a network that LipSDP can take, see `semidefinite_constant`.
        values: bounds of all nodes' values on the ball of radius `within`; global constants if not given.
        within: positive.
    """
    constants = [semidefinite_constant(question.network, row[None], question.norm, values) for row in question.rows]
    return question.certified(radius_from_pairs(question.margins, np.array(constants), within), "LipSDP")


def _local(question: Question, values_on: ValuesOn, constants: Callable[[Values], np.ndarray], method: str) -> Radius:
    def within(radius: float) -> float:
        return radius_from_pairs(question.margins, constants(values_on(radius)), radius)

    start = by_pairs(question).radius
    start = start if 0 < start < INF else 1e-3
    return question.certified(largest_local_radius(within, start, BALLS), method)
