"""Randomized smoothing's radii of one sample, by name: claims about the *smoothed* network, never the network.

They therefore bound no minimal perturbation of the network itself, whatever their size; their standing says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from verifier.deadline import NEVER, Deadline, OutOfTimeError
from verifier.radii.bracket import End, Side
from verifier.radii.question import RadiusQuestion
from verifier.smoothing.certify import SmoothingOptions, certify, certify_two_sided
from verifier.smoothing.sampling import NoisyNetwork
from verifier.smoothing.soft import certify_soft
from verifier.standing import Standing

SMOOTHED: Mapping[str, str] = MappingProxyType(
    {
        "smoothing": "one-sided bound of the class's probability",
        "smoothing-two-sided": "bounds of all classes' probabilities at once",
        "smoothing-soft": "bound of the class's mean softmax",
    }
)
"""What each certifies by. All are for the 2-norm."""


@dataclass(frozen=True)
class Smoothing:
    """How the network is smoothed.

    Attributes:
        sigma: standard deviation of the noise, positive, in units of the input.
        options: draws, alpha and seed.
    """

    sigma: float = 0.25
    options: SmoothingOptions = field(default_factory=SmoothingOptions)

    def jointly(self, count: int) -> Smoothing:
        """With alpha / count, so that `count` statements all hold together but for a chance of alpha (Bonferroni)."""
        return replace(self, options=replace(self.options, alpha=self.options.alpha / count))


def smoothed_end(
    question: RadiusQuestion, name: str, smoothing: Smoothing, sample: int = 0, deadline: Deadline = NEVER
) -> End:
    """What one of `SMOOTHED` certifies: 0 where it abstains, and where the smoothed network says another class.

    Args:
        question: about the sample, in the 2-norm.
        name: of `SMOOTHED`.
        smoothing: how much noise, how many draws.
        sample: the sample's number in its data set, which picks its streams.
        deadline: by which all noise has to be drawn; part of the draws proves nothing.

    Raises:
        UsageError: sigma is not positive.
    """
    clock, single = Deadline(), np.zeros(0, np.float32)
    noisy = NoisyNetwork(question.network.like(single), smoothing.sigma, single, deadline=deadline)
    rule = {"smoothing": certify, "smoothing-two-sided": certify_two_sided, "smoothing-soft": certify_soft}[name]
    try:
        with np.errstate(all="ignore"):
            found = rule(noisy, question.x, smoothing.options, sample)
    except OutOfTimeError:
        told = "out of time before all noise was drawn"
        return End(name, Side.LOWER, 0.0, Standing.PROBABLE, clock.elapsed, detail=told, late=True)
    told = "abstained" if found.label is None else f"class {found.label}"
    detail = f"the smoothed network: {told}; sigma {smoothing.sigma:g}, alpha {smoothing.options.alpha:g}"
    radius = found.radius if found.label == question.kept else 0.0
    return End(name, Side.LOWER, radius, Standing.PROBABLE, clock.elapsed, detail=detail)


def smoothed_ends(
    question: RadiusQuestion, names: Sequence[str], smoothing: Smoothing, sample: int, deadline: Deadline
) -> Iterator[End]:
    """The same for several, each in its share of the time."""
    for count, name in enumerate(names):
        share = deadline.within(deadline.remaining / (len(names) - count))
        yield smoothed_end(question, name, smoothing, sample, share)
