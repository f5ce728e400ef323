"""Looks for lines that bound rows well, by the engine's ascents, over parts that the checker knows."""

from __future__ import annotations

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines
from verifier.bounds.lagrangian import Lagrangian, Relaxation, Rows, first_choice
from verifier.bounds.layout import layout
from verifier.bounds.optimise import Ascent, AscentOptions
from verifier.checker.bounds import State
from verifier.checker.graph import Graph
from verifier.proofs.bridge import network_of
from verifier.proofs.choices import Choices

STEPS = AscentOptions(steps=10)


class Ascents:
    """Ascents on one graph.

    Attributes:
        engines: the graph as a network, for proofs and for ascents.
        choices: to write down what they find.
    """

    def __init__(self, graph: Graph) -> None:
        network = network_of(graph)
        self.engines = Engines(network, network.like(np.zeros(0, np.float32)), np.zeros(0, np.float32))
        self.choices = Choices(graph)

    def found(
        self, state: State, k: int, coefficients: np.ndarray, thresholds: np.ndarray, options: AscentOptions = STEPS
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slopes of lines, and weights of rows, that bound the largest of R rows on node k well.

        Args:
            state: of as many parts as there are rows, or of one.
            k: the node.
            coefficients: shape (N, R, size).
            thresholds: shape (N, R), infinite for rows that do not exist.
            options: of the ascent.

        Returns:
            Slopes as in a proof's choice, shape (N, slopes); weights, shape (N, R).
        """
        intervals = intervals_of(state, k)
        exact, count = self.engines.exact, len(coefficients)
        relaxation = Relaxation(exact, intervals, layout(exact, intervals).below(k))
        rows = Rows(k, coefficients.astype(np.float32), thresholds.astype(np.float32), np.zeros((count, 0), np.int64))
        lagrangian = Lagrangian(self.engines.fast, relaxation, rows)
        ascent = Ascent(lagrangian, first_choice(lagrangian), options)
        ascent.run()
        slopes = self.choices.slopes(lagrangian.evaluate(ascent.best).lines, k, count)
        return slopes, to_numpy(ascent.best.weights)


def intervals_of(state: State, k: int) -> list[Interval]:
    """The intervals up to a node, as the engine has them."""
    return [Interval(low, high) for low, high in zip(state.lower[: k + 1], state.upper[: k + 1], strict=True)]
