"""Looks for lines that bound rows well, by the engine's ascents, over parts that the checker knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines
from verifier.bounds.lagrangian import Lagrangian, Rows, first_choice
from verifier.bounds.layout import Layout, layout
from verifier.bounds.optimise import Ascent, AscentOptions
from verifier.bounds.relaxation import Relaxation
from verifier.checker.bounds import State
from verifier.checker.graph import Graph
from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Dense
from verifier.proofs.bridge import network_of
from verifier.proofs.choices import Choices

STEPS = AscentOptions(steps=10)


@dataclass(frozen=True, eq=False)
class Sought:
    """Rows to bound, and what may press on them.

    Attributes:
        k: the node that they are on.
        coefficients: shape (N, R, size).
        thresholds: shape (N, R), infinite for rows that do not exist.
        shape: in which cuts have positions; None for what is open in the state.
        cuts: positions that were cut in all parts.
    """

    k: int
    coefficients: np.ndarray
    thresholds: np.ndarray
    shape: Layout | None = None
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Choice:
    """What N ascents chose.

    Attributes:
        slopes: as a proof has them, shape (N, slopes).
        weights: of the rows, shape (N, R).
        multipliers: of the cuts, shape (N, cuts).
    """

    slopes: np.ndarray
    weights: np.ndarray
    multipliers: np.ndarray


class Ascents:
    """Ascents on one graph.

    Attributes:
        engines: the graph as a network, for proofs and for ascents.
        choices: to write down what they find.
    """

    def __init__(self, graph: Graph) -> None:
        self.engines = _engines(network_of(graph))
        self.choices = Choices(graph)

    def of_forms(self, forms: np.ndarray) -> Engines:
        """The network with linear forms of its outputs, shape (forms, outputs), as a last node."""
        nodes = self.engines.exact.nodes
        last = Affine((len(nodes) - 1,), (Dense(forms),), np.zeros(len(forms)))
        return _engines(Network((*nodes, last)))

    def found(self, state: State, sought: Sought, options: AscentOptions = STEPS) -> Choice:
        """A choice that bounds the largest of R rows well, in N parts or in one."""
        intervals, k = intervals_of(state, sought.k), sought.k
        exact, count = self.engines.exact, len(sought.coefficients)
        shape = layout(exact, intervals, sharing=False) if sought.shape is None else sought.shape
        relaxation = Relaxation(exact, intervals, shape.below(k))
        cuts = np.tile(np.array(sought.cuts, np.int64), (count, 1))
        coefficients, thresholds = (a.astype(np.float32) for a in (sought.coefficients, sought.thresholds))
        lagrangian = Lagrangian(self.engines.fast, relaxation, Rows(k, coefficients, thresholds, cuts))
        ascent = Ascent(lagrangian, first_choice(lagrangian), options)
        ascent.run()
        best = ascent.best
        slopes = self.choices.slopes(lagrangian.evaluate(best).lines, k, count)
        return Choice(slopes, to_numpy(best.weights), to_numpy(best.multipliers))


def intervals_of(state: State, k: int) -> list[Interval]:
    """The intervals up to a node, as the engine has them."""
    return [Interval(low, high) for low, high in zip(state.lower[: k + 1], state.upper[: k + 1], strict=True)]


def _engines(network: Network) -> Engines:
    return Engines(network, network.like(np.zeros(0, np.float32)), np.zeros(0, np.float32))
