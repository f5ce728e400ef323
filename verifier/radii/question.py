"""What is asked about one sample, in the forms that attacks, certificates and methods want it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verifier.attacks.minimal.hunt import Hunt
from verifier.attacks.minimal.problem import Problem, distance_up
from verifier.errors import PropertyError
from verifier.evidence.replay import Replay, own_class
from verifier.network.graph import Network
from verifier.property.grid import Grid
from verifier.property.query import Box, Query
from verifier.property.robustness import Neighbourhood, robustness_query

NORMS = (0, 1, 2, math.inf)


@dataclass(frozen=True, eq=False)
class RadiusQuestion:
    """How far, in a norm, is a sample from an input that some other class leads or ties at?

    Attributes:
        network: a classifier, read from a model.
        x: the sample, any float type, shape (input_size,); rounded to the inputs' types on construction
            (float32 for float64), kept as float64.
        label: the class to be kept; None for the network's own.
        norm: 1, 2 or inf; or 0, the number of entries that are changed, which attacks alone know.
        clip: the smallest and the largest value that any input can have, or None.

    Raises:
        PropertyError: on construction, where one of these does not fit.
    """

    network: Network
    x: np.ndarray
    label: int | None
    norm: float
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        x = _as_inputs(np.asarray(self.x, np.float64).ravel(), self.network, self.clip)
        object.__setattr__(self, "x", x)
        if self.norm not in NORMS:
            raise PropertyError(f"a norm {self.norm:g}", fix="give 0, 1, 2 or inf")
        sizes = self.network.input_size, self.network.output_size
        robustness_query(sizes, Neighbourhood(x, 0.0, math.inf, self.clip), self.label or 0)  # says what does not fit

    @cached_property
    def predicted(self) -> int:
        """The network's own class, as ONNX Runtime computes it."""
        return own_class(self.network, self.x)

    @property
    def kept(self) -> int:
        """The class that is to be kept."""
        return self.predicted if self.label is None else self.label

    @cached_property
    def box(self) -> Box:
        """The range of the data."""
        low, high = self.clip or (-math.inf, math.inf)
        return Box.exact(np.full(len(self.x), low), np.full(len(self.x), high))

    @cached_property
    def reach(self) -> float:
        """The largest distance of any input in the data's range, rounded up; infinite without one."""
        far = np.maximum(self.x - self.box.lower, self.box.upper - self.x)
        return distance_up(self.norm, np.zeros_like(far), far) if np.isfinite(far).all() else math.inf

    def neighbourhood(self, epsilon: float) -> Neighbourhood:
        return Neighbourhood(self.x, epsilon, self.norm, self.clip)

    def query(self, epsilon: float) -> Query:
        """Whether some other class's output reaches the label's within a distance; there are no balls of norm 0."""
        sizes = self.network.input_size, self.network.output_size
        return robustness_query(sizes, self.neighbourhood(epsilon), self.kept)

    @cached_property
    def problem(self) -> Problem:
        """For attacks."""
        judge = Replay(self.network).run
        return Problem(self.network, self.x[None, :], np.array([self.kept]), self.norm, self.box, judge)

    @cached_property
    def _hunt(self) -> Hunt:
        return Hunt(self.problem)

    def distance(self, point: np.ndarray) -> float:
        """How far a float32 point is, rounded up; infinite unless another class leads in either arithmetic."""
        if not self._hunt.holds(0, point):
            return math.inf
        return distance_up(self.norm, self.x, point.astype(np.float64))

    def witness(self, x: np.ndarray) -> tuple[np.ndarray | None, float]:
        """A float32 witness at, or close by, a point on the boundary, and its distance as above; see `Hunt.witness`."""
        return self._hunt.witness(0, x)


def _as_inputs(x: np.ndarray, network: Network, clip: tuple[float, float] | None) -> np.ndarray:
    """A vector rounded to the types of the network's inputs, not out of the data's range; float64."""
    grid = Grid.of(network.inputs)
    if len(x) != network.input_size:
        return x  # which is refused
    rounded = grid.nearest(x).astype(np.float64)
    if clip is None or not grid.short:
        return rounded
    data = Box.exact(np.full(len(x), clip[0]), np.full(len(x), clip[1]))
    low, high = grid.at_least(data.inner_lower), grid.at_most(data.inner_upper)
    return np.where((x >= clip[0]) & (x <= clip[1]) & (low <= high), np.clip(rounded, low, high), rounded)
