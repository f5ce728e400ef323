"""Shares of the samples, for each size of perturbation: certified by each method, broken, and what lies between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.options import INTERVAL_CONFIDENCE, AccuracyOptions
from verifier.radii.smoothed import SMOOTHED
from verifier.smoothing.binomial import lower_probability, upper_probability


@dataclass(frozen=True)
class Share:
    """How many of so many samples; as an estimate for the distribution they come from, with its interval."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Of Clopper and Pearson, two-sided, at `INTERVAL_CONFIDENCE`; the samples taken for independent."""
        side = (1 - INTERVAL_CONFIDENCE) / 2
        return lower_probability(self.count, self.of, side), upper_probability(self.count, self.of, side)


@dataclass(frozen=True)
class AtSize:
    """One size of perturbation.

    Attributes:
        epsilon: the size.
        certified: classified rightly and certified, by method; those of smoothing are about the smoothed network.
        by_any: certified by some method that speaks of the network itself.
        unbroken: classified rightly, and no perturbation of this size or less was found.
    """

    epsilon: float
    certified: dict[str, Share]
    by_any: Share
    unbroken: Share

    @property
    def between(self) -> Share:
        """Neither certified nor broken."""
        return Share(self.unbroken.count - self.by_any.count, self.unbroken.of)


@dataclass(frozen=True)
class Summary:
    """All of a data set.

    Attributes:
        clean: classified rightly.
        abstained: by each method of smoothing.
        sizes: ascending.
        late: methods that had no time to say anything of any sample: their shares say nothing.
    """

    clean: Share
    abstained: dict[str, Share]
    sizes: tuple[AtSize, ...]
    late: frozenset[str] = frozenset()


def summarised(answers: Sequence[SampleAnswers], options: AccuracyOptions) -> Summary:
    """The shares of at least one sample."""
    count = len(answers)
    smoothed = [name for name in options.methods if name in SMOOTHED]
    return Summary(
        Share(sum(a.clean for a in answers), count),
        {name: Share(_abstentions(answers, name), count) for name in smoothed},
        tuple(_at(answers, options, epsilon) for epsilon in options.epsilons),
        frozenset(name for name in options.methods if _always_late(answers, name)),
    )


def _always_late(answers: Sequence[SampleAnswers], name: str) -> bool:
    found = [answer.late for sample in answers for answer in sample.answers if answer.method == name]
    return bool(found) and all(found)


def _abstentions(answers: Sequence[SampleAnswers], name: str) -> int:
    return sum(answer.abstained for sample in answers for answer in sample.answers if answer.method == name)


def _at(answers: Sequence[SampleAnswers], options: AccuracyOptions, epsilon: float) -> AtSize:
    count, certifying = len(answers), certifying_methods(answers, options)
    of = dict.fromkeys(certifying, 0)
    for sample in answers:
        for answer in sample.answers:
            if answer.method in of and epsilon <= answer.certified:
                of[answer.method] += 1
    return AtSize(
        epsilon,
        {name: Share(number, count) for name, number in of.items()},
        Share(sum(epsilon <= a.certified for a in answers), count),
        Share(sum(epsilon < a.broken for a in answers), count),
    )


def certifying_methods(answers: Sequence[SampleAnswers], options: AccuracyOptions) -> list[str]:
    """The methods asked for that can certify, in their order."""
    from verifier.attacks.minimal.registry import ATTACKS

    return [name for name in options.methods if name not in ATTACKS]
