"""Balls of the 1- and the 2-norm: what an input set may be besides a box.

Whether a witness lies in a ball is decided in exact rational arithmetic; everything that only looks for points is
floating point.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from verifier.arrays import Array, convert_like, namespace
from verifier.errors import PropertyError
from verifier.property.grid import FLOAT32, Grid
from verifier.tolerances import TINY_NORM, gamma

SHRINKINGS = (1.0, 1 - 2.0**-22, 1 - 2.0**-18, 1 - 2.0**-14, 1 - 2.0**-10, 1 - 2.0**-6, 0.75, 0.0)
"""Shares of a point's way from the anchor that are tried until its float32 rounding lies in the ball. Roundings go
towards the centre, so that more than the first is needed only where float32 is coarse against the radius."""


@dataclass(frozen=True, eq=False)
class Ball:
    """All x with ||x - centre||_norm <= radius, exactly.

    Attributes:
        centre: float64, shape (input_size,), finite.
        radius: not negative, finite.
        norm: 1 or 2.

    Raises:
        PropertyError: on construction, where one of these is not so.
    """

    centre: np.ndarray
    radius: float
    norm: int

    def __post_init__(self) -> None:
        if self.norm not in (1, 2):
            raise PropertyError(f"a ball of norm {self.norm}", fix="give 1 or 2; a box is the ball of norm inf")
        if not 0 <= self.radius < np.inf:
            raise PropertyError(f"a ball of radius {self.radius}", fix="give a finite number from 0 on")
        if self.centre.ndim != 1 or not np.isfinite(self.centre).all():
            raise PropertyError("a ball's centre that is not a vector of finite numbers")

    @cached_property
    def _exact(self) -> tuple[list[Fraction], Fraction]:
        """The centre, and the radius (for norm 2 its square)."""
        radius = Fraction(self.radius)
        return [Fraction(c) for c in self.centre.tolist()], radius * radius if self.norm == 2 else radius

    def contains(self, x: np.ndarray) -> bool:
        """Whether the vector of floats `x` lies in the ball, exactly; False where an entry is not finite."""
        if not np.isfinite(x).all():
            return False
        # Clear cases need no fractions, which take 3 ms for a thousand entries.
        length, radius = self.length(x.astype(np.float64) - self.centre), self.radius
        rounding = 2 * gamma(len(x) + 8)
        clear = length * (1 + rounding) < radius or length * (1 - rounding) > radius + 2 * TINY_NORM
        if clear and np.isfinite(length):
            return bool(length < radius)
        centre, limit = self._exact
        gaps = (Fraction(float(v)) - c for v, c in zip(x, centre, strict=True))
        return sum((g * g if self.norm == 2 else abs(g) for g in gaps), Fraction(0)) <= limit

    def excess(self, x: np.ndarray) -> float:
        """How far, about, `x` lies from the centre beyond the radius; negative inside."""
        return float(self.length(x.astype(np.float64) - self.centre)) - self.radius

    def length(self, gaps: Array) -> Array:
        """The norm along the last axis, as computed; a little is added where squares may underflow."""
        xp = namespace(gaps)
        if self.norm == 1:
            return xp.sum(xp.abs(gaps), axis=-1)
        return xp.sqrt(xp.sum(gaps * gaps, axis=-1)) + TINY_NORM

    def misses(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Boxes, of shape (N, input_size), that certainly have no point in common with the ball; shape (N,)."""
        gaps = np.maximum(np.maximum(lower - self.centre, self.centre - upper), 0.0)
        least = self.length(gaps) - (2 * TINY_NORM if self.norm == 2 else 0.0)
        # A length that has overflowed says nothing.
        return np.isfinite(least) & (least * (1 - 2 * gamma(len(self.centre) + 4)) > self.radius)

    def retracted(self, points: Array, lower: Array, upper: Array) -> Array:
        """Points moved into box and ball, up to rounding; those inside stay.

        Each is clipped to the box, then moved towards the box's point nearest to the centre as far as convexity of
        the norm asks for. Not the nearest point, but one that needs no iteration for any of the norms.

        Args:
            points: shape (N, input_size), of any array library.
            lower, upper: of the box, shape (input_size,) or (N, input_size).
        """
        xp = namespace(points)
        centre = convert_like(points)(self.centre)
        anchor = xp.minimum(xp.maximum(centre, lower), upper)
        points = xp.minimum(xp.maximum(points, lower), upper)
        nearest, farthest = self.length(anchor - centre), self.length(points - centre)
        beyond = farthest > self.radius
        room = xp.where(beyond, farthest - nearest, 1.0)
        share = xp.where(beyond, (self.radius - nearest) / xp.where(room > 0, room, 1.0), 1.0)
        return anchor + xp.clip(share, 0.0, 1.0)[:, None] * (points - anchor)

    def float32_near(
        self, x: np.ndarray, inner_lower: np.ndarray, inner_upper: np.ndarray, grid: Grid = FLOAT32
    ) -> np.ndarray:
        """A float32 vector in box and ball near `x`, or where none was found one that is not in the ball.

        Args:
            x: float64, shape (input_size,).
            inner_lower, inner_upper: the box's smallest and largest float32, shape (input_size,), not crossing.
            grid: the numbers that the vector may have, those ends among them.
        """
        low, high = inner_lower.astype(np.float64), inner_upper.astype(np.float64)
        anchor = np.clip(self.centre, low, high)
        inside = self.retracted(np.where(np.isfinite(x), x, anchor)[None], low, high)[0]
        for share in SHRINKINGS:
            point = np.clip(grid.towards(anchor + share * (inside - anchor), anchor), inner_lower, inner_upper)
            if self.contains(point):
                break
        return point
