"""What a method may ask of a scalar function: the facts from which all rules are derived.

A new activation is one file with one class. It states facts about the function on the real line; how a linear
relaxation, an LP row or an interval follows from them is written once, in the methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from verifier.arrays import Array, namespace


@dataclass(frozen=True)
class Piece:
    """A linear piece: f(x) = slope * x + intercept for start <= x <= end (the ends may be infinite)."""

    start: float
    end: float
    slope: float
    intercept: float


@dataclass(frozen=True)
class Curvature:
    """Which way a function bends on each interval [lower, upper]; at most one flag holds, none if nothing is known.

    Attributes:
        convex, concave: on the whole interval.
        convex_then_concave: convex on [lower, inflection], concave on [inflection, upper].
        concave_then_convex: the other way round.
        inflection: the point of change where one of the last two holds, else anything finite.
    """

    convex: Array
    concave: Array
    convex_then_concave: Array
    concave_then_convex: Array
    inflection: Array

    @property
    def known(self) -> Array:
        """True where one of the flags holds."""
        return self.convex | self.concave | self.convex_then_concave | self.concave_then_convex


class ScalarFunction(ABC):
    """A function of one real variable, applied entry by entry.

    Arrays are float64 of any shape and any array library; `lower` and `upper` are the ends of an interval for each
    entry, lower <= upper, possibly infinite. A function with a limited domain (log, sqrt, reciprocal) gives the
    vacuous answer (-inf, inf) where the interval leaves the domain, and never raises.
    """

    name: str
    inflections: tuple[float, ...] = ()
    """All places, ascending, where the function turns between convex and concave; empty where they are not listed."""

    @abstractmethod
    def value(self, x: Array) -> Array:
        """f(x), in the dtype of x; NaN or infinite outside the domain."""

    @abstractmethod
    def derivative(self, x: Array) -> Array:
        """f'(x), or any subgradient at a kink; used for gradients of attacks and as a tangent's slope."""

    @abstractmethod
    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """An enclosure of f over [lower, upper], rounding of `value` covered (`tolerances.ELEMENTARY_ULPS`)."""

    @abstractmethod
    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """An enclosure of all difference quotients of f over [lower, upper], rounding covered; infinite at a jump.

        Where lower = upper it encloses the derivative; at a kink both one-sided derivatives, or only one of them where
        f bends the same way on both sides and at the kink, so that one gives a line of support.
        """

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        """Where f is convex and where it is concave on [lower, upper]; the default knows nothing."""
        xp = namespace(lower, upper)
        never = xp.zeros_like(lower, dtype=xp.bool)
        return Curvature(never, never, never, never, xp.zeros_like(lower))

    @property
    def pieces(self) -> tuple[Piece, ...] | None:
        """The linear pieces from left to right where f is continuous and piecewise linear, else None."""
        return None
