"""All methods on one sample: attacks, certificates, bisection by incomplete methods, then by a complete one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from verifier.arguments import TIMEOUT, limits, names, real
from verifier.attacks.minimal.registry import ATTACKS, attacks_for
from verifier.deadline import Deadline
from verifier.errors import Argument, UsageError
from verifier.methods import METHODS, Options
from verifier.radii.attacks import attack_ends
from verifier.radii.bisection import by_complete, by_incomplete
from verifier.radii.bracket import Bracket, End, Side
from verifier.radii.certificates import CERTIFICATES, certificate_ends, clever_end
from verifier.radii.distance import NAME as DISTANCE
from verifier.radii.distance import by_program
from verifier.radii.question import RadiusQuestion
from verifier.radii.shares import ATTACKING, BOUNDING, CHEAP, KEPT, ordered, shares
from verifier.radii.smoothed import SMOOTHED, Smoothing, smoothed_ends
from verifier.standing import Standing

GAP = 1e-3
BISECTED = ("interval", "crown", "alpha", "lp")
COMPLETE = ("auto",)
SLOW = ("lipsdp", DISTANCE)
"""Left out unless asked for."""


@dataclass(frozen=True)
class RadiusOptions:
    """What a user may set.

    Attributes:
        clip: the smallest and the largest value that any input can have, or None.
        methods: names, or None for the usual ones.
        timeout: seconds for one sample.
        gap: the share of the upper end up to which a bracket counts as the value, above 0.
        seed: of every random choice.
        threads: processor cores that a search works on.
        smoothing: how randomized smoothing, where asked for, draws.

    Raises:
        UsageError: on construction, where one is out of range or a name unknown.
    """

    clip: tuple[float, float] | None = None
    methods: Sequence[str] | None = None
    timeout: float = TIMEOUT
    gap: float = GAP
    seed: int = 0
    threads: int = 2
    smoothing: Smoothing = field(default_factory=Smoothing)

    def __post_init__(self) -> None:
        self.verification  # noqa: B018 - says what is wrong with the numbers
        limits(self.clip)
        if self.methods is not None:
            names(self.methods, "methods")
        if not 0 < real(self.gap, "gap") < 1:
            raise UsageError(f"a gap of {self.gap}", Argument("gap"), "give a number above 0 and below 1")
        for name in self.methods or ():
            if name not in known_methods():
                raise UsageError(
                    f"there is no method {name!r}", Argument("methods"), f"choose of {', '.join(known_methods())}"
                )

    @property
    def verification(self) -> Options:
        """The same for verification methods."""
        return Options(timeout=self.timeout, seed=self.seed, threads=self.threads)

    def chosen(self, norm: float) -> list[str]:
        """The methods that run in a norm, each once.

        Raises:
            UsageError: none of those asked for works in it, or one is to prove something of the 0-norm.
        """
        attacks = [attack.name for attack in attacks_for(norm)]
        others = [name for name in known_methods() if name not in ATTACKS and (norm == 2 or name not in SMOOTHED)]
        if norm == 0:
            refused = [name for name in others if name in (self.methods or ())]
            if refused:
                told = f"{refused[0]} knows no 0-norm: it counts changed entries, which attacks alone look for"
                raise UsageError(told, Argument("methods"), f"give of {', '.join(attacks)}, or another norm")
            others = []
        if self.methods is None:
            usual = (*attacks, *CERTIFICATES, "clever", *BISECTED, *COMPLETE)
            return [name for name in usual if name in attacks or (name in others and name not in SLOW)]
        names = [name for name in dict.fromkeys(self.methods) if name in attacks or name in others]
        if not names:
            raise UsageError(f"no method given works in the {norm:g}-norm", Argument("methods"), "give others")
        return names


def known_methods() -> list[str]:
    """All names: attacks, certificates, CLEVER, smoothing, verification methods that can prove, the program."""
    verification = (name for name in METHODS if name != "attack")
    return [*ATTACKS, *CERTIFICATES, "clever", *SMOOTHED, *verification, DISTANCE]


def measure(
    question: RadiusQuestion,
    options: RadiusOptions,
    progress: Callable[[Bracket], None] = lambda bracket: None,
    sample: int = 0,
) -> Bracket:
    """The bracket of one sample.

    Args:
        question: about the sample; its own range of the data counts, not that of the options.
        options: which methods, how long.
        progress: called with what is known whenever a method has come to its end; the bracket's last end is its.
        sample: its number in its data set, which picks the streams of randomized smoothing.
    """
    deadline, ends = Deadline(options.timeout), list[End]()
    names = options.chosen(question.norm)
    smoothed = [name for name in names if name in SMOOTHED]
    for found in chain(
        _about_network(question, options, [name for name in names if name not in SMOOTHED], deadline, ends),
        smoothed_ends(question, smoothed, options.smoothing, sample, deadline),
    ):
        ends.append(found)
        progress(Bracket(question.norm, question.kept, question.predicted, tuple(ends), options.gap, deadline.elapsed))
    return Bracket(question.norm, question.kept, question.predicted, ends, options.gap, deadline.elapsed)


def _about_network(
    question: RadiusQuestion, options: RadiusOptions, names: Sequence[str], deadline: Deadline, ends: list[End]
) -> Iterator[End]:
    """The ends of all but smoothing, which has its part of the time after them."""
    if question.predicted != question.kept:
        point = question.x.astype("float32")
        yield from (End("the sample itself", side, 0.0, Standing.EXACT, point=point) for side in Side)
    elif names:
        share = len(names) / len(options.chosen(question.norm))
        yield from _stages(question, options, names, deadline.within(share * deadline.remaining), ends)


def _stages(
    question: RadiusQuestion, options: RadiusOptions, names: Sequence[str], deadline: Deadline, ends: list[End]
) -> Iterator[End]:
    """Each end as it is found; `ends` holds those before."""
    names = ordered(names)
    strong = [name for name in names if name == DISTANCE or (name in METHODS and METHODS[name].complete)]
    before = deadline.within((1 - KEPT if strong else 1.0) * deadline.remaining)
    attacks = [name for name in names if name in ATTACKS]
    attacking = before if len(attacks) == len(names) else before.within(ATTACKING * before.remaining)
    yield from attack_ends(question, attacks, options.seed, attacking)
    weak = [name for name in names if name in METHODS and not METHODS[name].complete]
    others = [name for name in names if name in CERTIFICATES and name not in CHEAP]
    cheap = [name for name in names if name in CHEAP]
    yield from certificate_ends(question, cheap, before)
    sampling = "clever" in names
    bounding = before.within((BOUNDING if others or sampling else 1.0) * before.remaining)
    for name, share in shares(weak, bounding):
        yield from by_incomplete(question, METHODS[name], options.verification, _best(ends)[1], share)
    certifying = before.within((1.0 if not sampling else len(others) / (1 + len(others))) * before.remaining)
    yield from certificate_ends(question, others, certifying)
    if sampling:
        yield clever_end(question, _best(ends)[1], options.seed, before)
    for name, share in shares(strong, deadline):
        if name == DISTANCE:
            yield from by_program(question, options.verification, _best(ends)[1], share, options.gap)
        else:
            yield from by_complete(question, METHODS[name], options.verification, _best(ends), share, options.gap)


def _best(ends: Sequence[End]) -> tuple[float, float]:
    """The largest proved distance, 0 at least, and the nearest witness's, infinite where there is none."""
    low = max((end.value for end in ends if end.proved), default=0.0)
    return low, min((end.value for end in ends if end.side is Side.UPPER), default=math.inf)
