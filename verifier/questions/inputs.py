"""Conditions on inputs alone: boxes and balls."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.arguments import NORM, limits, norm_named, real
from verifier.errors import Argument, PropertyError, UsageError
from verifier.property.robustness import Neighbourhood
from verifier.property.samples import as_input, real_numbers
from verifier.property.vnnlib_text import ends, number
from verifier.questions.conditions import Condition

if TYPE_CHECKING:
    from verifier.network.graph import Network


def box(lower: Any, upper: Any, channels: str = "first") -> Condition:
    """Inputs between two others, entry by entry: float64 numbers, taken exactly.

    Args:
        lower, upper: of the network's input shape, or flat; a number stands for all entries.
        channels: ``"last"`` where the arrays have their channels last and the network before rows and columns.
    """
    low, high = (real_numbers(end, "a box") for end in (lower, upper))
    if low.ndim and high.ndim and low.shape != high.shape:
        raise UsageError(f"ends of shapes {low.shape} and {high.shape}", Argument("upper"), "give both alike")
    return Within(low, high, channels)


def ball(
    sample: Any, epsilon: float, norm: float | str = NORM, clip: tuple[float, float] | None = None,
    channels: str = "first",
) -> Condition:  # fmt: skip
    """Inputs no farther from a sample than a radius; sample and radius are taken exactly, as float64 numbers.

    Args:
        sample: of the network's input shape, or flat.
        epsilon: the radius.
        norm: 1, 2 or inf. The balls of 1 and 2 can be joined with other conditions by `&` only.
        clip: the smallest and the largest value that any input can have, or None.
        channels: as for `box`.
    """
    return Near(real_numbers(sample), real(epsilon, "epsilon"), norm_named(norm), limits(clip), channels)


@dataclass(frozen=True, eq=False, repr=False)
class Within(Condition):
    """The inputs of a box."""

    lower: np.ndarray
    upper: np.ndarray
    channels: str = "first"
    outside: bool = False

    def __invert__(self) -> Condition:
        return Within(self.lower, self.upper, self.channels, not self.outside)

    def bounds(self, network: Network) -> tuple[np.ndarray, np.ndarray]:
        """The ends in the network's order of inputs, float64, shape (input_size,)."""
        return self._bound(self.lower, network), self._bound(self.upper, network)

    def _bound(self, end: np.ndarray, network: Network) -> np.ndarray:
        if not end.ndim:
            return np.full(network.input_size, float(end))
        return as_input(end, network.inputs, self.channels, "a box")

    def text(self, network: Network) -> str:
        connective, below, above = ("or", "<", ">") if self.outside else ("and", ">=", "<=")
        low, high = ([number(Fraction(v)) for v in end.tolist()] for end in self.bounds(network))
        pairs = enumerate(zip(low, high, strict=True))
        return f"({connective} {' '.join(f'({below} X_{i} {a}) ({above} X_{i} {b})' for i, (a, b) in pairs)})"

    def __repr__(self) -> str:
        told = f"{'outside' if self.outside else 'in'} the box from {_told(self.lower)} to {_told(self.upper)}"
        return f"X {told}"


@dataclass(frozen=True, eq=False, repr=False)
class Near(Condition):
    """The inputs of a ball."""

    sample: np.ndarray
    epsilon: float
    norm: float
    clip: tuple[float, float] | None
    channels: str = "first"

    def neighbourhood(self, network: Network) -> Neighbourhood:
        """The ball in the network's order of inputs."""
        return Neighbourhood(as_input(self.sample, network.inputs, self.channels), self.epsilon, self.norm, self.clip)

    def text(self, network: Network) -> str:
        """The ball's bounding box; of norm inf the ball itself."""
        found = self.neighbourhood(network)
        found.check_sample()
        within = found.box()
        assert within is not None, "the sample lies in its ball and in the data's range"
        return f"(and {' '.join(ends(within))})"

    def __invert__(self) -> Condition:
        raise PropertyError("the outside of a ball", fix="ask about a box instead")

    def __repr__(self) -> str:
        return f"X within {self.epsilon:g} of {_told(self.sample)} in norm {self.norm:g}"


def _told(values: np.ndarray) -> str:
    if values.size <= 4:
        return " ".join(f"{v:g}" for v in values.reshape(-1))
    return f"an array of shape {values.shape}"
