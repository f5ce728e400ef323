"""Queries about norm balls around samples: does some other class's output reach the label's, near a sample?

A ball of norm inf is a box. Those of norm 1 and 2 are a box, their bounding box unless the data's own is smaller, with
a `Ball`. Centres and radii are float64 and meant exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from verifier.errors import PropertyError
from verifier.property.balls import Ball
from verifier.property.query import BY_NETWORK, Box, Disjunct, Kept, LinearConstraint, Query
from verifier.property.rounding import float32_at_least, float32_at_most, float_at_least, float_at_most

APART = "the ball and the property's box have no point in common"


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """The inputs near a sample.

    Attributes:
        sample: float64, shape (input_size,), finite.
        epsilon: the radius, not negative, finite.
        norm: 1, 2 or inf.
        clip: the smallest and the largest value that any input can have, or None.

    Raises:
        PropertyError: on construction, where one of these is not so.
    """

    sample: np.ndarray
    epsilon: float
    norm: float
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.norm not in (1, 2, np.inf):
            raise PropertyError(f"a norm {self.norm:g}", fix="give 1, 2 or inf")
        if not 0 <= self.epsilon < np.inf:
            raise PropertyError(f"a radius of {self.epsilon}", fix="give a finite number from 0 on")
        if self.sample.ndim != 1 or not np.isfinite(self.sample).all():
            raise PropertyError("the sample is not a vector of finite numbers")
        if self.clip is not None and not (self.clip[0] <= self.clip[1] and self.clip[0] < np.inf > -self.clip[1]):
            raise PropertyError(f"a box from {self.clip[0]} to {self.clip[1]}", fix="give the lower end first")

    def check_sample(self) -> None:
        """Finds out whether the sample lies in the data's range.

        Raises:
            PropertyError: it does not.
        """
        if self.clip is not None and not ((self.sample >= self.clip[0]) & (self.sample <= self.clip[1])).all():
            told = f"from {self.sample.min():g} to {self.sample.max():g}"
            cause = f"the sample, {told}, lies outside the data's range from {self.clip[0]:g} to {self.clip[1]:g}"
            raise PropertyError(cause, fix="give a range that holds it (clip=), or none")

    def box(self, within: Box | None = None) -> Box | None:
        """The neighbourhood as a box, with a ball for norms 1 and 2, intersected with another box; None where empty."""
        radius, low, high = Fraction(self.epsilon), [], []
        for value in map(Fraction, self.sample.tolist()):
            low.append(value - radius)
            high.append(value + radius)
        if self.clip is not None:
            least, most = (Fraction(float(end)) if np.isfinite(end) else None for end in self.clip)
            low = low if least is None else [max(v, least) for v in low]
            high = high if most is None else [min(v, most) for v in high]
        if any(a > b for a, b in zip(low, high, strict=True)):
            return None
        ends = (
            np.array([float_at_most(v) for v in low]),
            np.array([float_at_least(v) for v in high]),
            float32_at_least(np.array([float_at_least(v) for v in low])),
            float32_at_most(np.array([float_at_most(v) for v in high])),
        )
        if within is not None:
            ends = (
                np.maximum(ends[0], within.lower), np.minimum(ends[1], within.upper),
                np.maximum(ends[2], within.inner_lower), np.minimum(ends[3], within.inner_upper),
            )  # fmt: skip
            if (ends[0] > ends[1]).any():
                return None
        if self.ball is not None and self.ball.misses(ends[0][None], ends[1][None])[0]:
            return None
        return Box(*ends, self.ball)

    @cached_property
    def ball(self) -> Ball | None:
        """The ball, one for all boxes; None where the neighbourhood is a box, or a point."""
        return (
            None if np.isinf(self.norm) or self.epsilon == 0 else Ball(self.sample, float(self.epsilon), int(self.norm))
        )


def robustness_query(
    network_sizes: tuple[int, int],
    neighbourhood: Neighbourhood,
    label: int,
    name: str = "robustness",
    source: str = BY_NETWORK,
) -> Query:
    """Is there an input in the neighbourhood for which some other output is at least that of `label`?

    Args:
        network_sizes: how many inputs and outputs the network has.
        neighbourhood: the input set.
        label: the sample's class, from 0 on.
        name: for messages.
        source: who says so, see `Kept`.

    Raises:
        PropertyError: the sample's size is not the network's, it lies outside the data's range, or there is no such
            class.
    """
    input_size, output_size = network_sizes
    _check_size(neighbourhood, input_size, name)
    if output_size < 2:
        raise PropertyError("a network with a single output has no classes", name, "give a property")
    if not 0 <= label < output_size:
        raise PropertyError(f"there is no class {label}", name, f"give one from 0 to {output_size - 1}")
    neighbourhood.check_sample()
    box = neighbourhood.box()
    assert box is not None, "the sample lies in its ball and in the data's range"
    rows = (_at_most(label, other) for other in range(output_size) if other != label)
    disjuncts, kept = tuple(Disjunct(box, (row,)) for row in rows), Kept(label, neighbourhood.sample, source)
    return Query(disjuncts, input_size, output_size, name=name, kept=kept)


def near(query: Query, neighbourhood: Neighbourhood) -> Query:
    """The query about those of its inputs that lie in the neighbourhood.

    Raises:
        PropertyError: the sample's size is not the query's, it lies outside the data's range, or the query's boxes
            have balls already.
    """
    _check_size(neighbourhood, query.input_size, query.name)
    boxes = {id(d.box): d.box for d in query.disjuncts}
    if any(box.ball is not None for box in boxes.values()):
        raise PropertyError("the input set is a ball already", query.name)
    neighbourhood.check_sample()
    parts = {key: neighbourhood.box(box) for key, box in boxes.items()}
    pairs = ((d, parts[id(d.box)]) for d in query.disjuncts)
    disjuncts = tuple(Disjunct(box, d.rows) for d, box in pairs if box is not None)
    if disjuncts or not query.disjuncts:
        return replace(query, disjuncts=disjuncts)
    return replace(query, disjuncts=(), note=f"the input set is empty ({APART}): vacuously unsat", empty=APART)


def _check_size(neighbourhood: Neighbourhood, input_size: int, name: str) -> None:
    count = len(neighbourhood.sample)
    if count != input_size:
        raise PropertyError(f"the sample has {count} entries, the network {input_size} inputs", name)


def _at_most(label: int, other: int) -> LinearConstraint:
    """Y_label - Y_other <= 0."""
    pairs = sorted([(label, Fraction(1)), (other, Fraction(-1))])
    return LinearConstraint((), tuple(pairs), Fraction(0))
