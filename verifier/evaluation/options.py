"""What is asked of a data set: at which sizes of perturbation, by which methods, with how much time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from verifier.arguments import MEASURES, NORM, TIMEOUT, limits, names, norm_named, real
from verifier.attacks.minimal.registry import ATTACKS
from verifier.errors import Argument, UsageError
from verifier.methods import METHODS, Options
from verifier.radii.certificates import CERTIFICATES
from verifier.radii.smoothed import SMOOTHED, Smoothing

USUAL = ("fmn", "fast-bisection", "cross-lipschitz", "interval", "crown", "auto")
"""The methods, where nobody says."""

INTERVAL_CONFIDENCE = 0.95
"""Of the intervals of shares."""


@dataclass(frozen=True)
class AccuracyOptions:
    """What a user may set.

    Attributes:
        epsilons: sizes of perturbations, positive; kept ascending, each once.
        norm: in which they are measured: 1, 2 or inf.
        methods: names, in any order; those of attacks, of certificates, of smoothing and of verification methods.
        clip: the smallest and the largest value that any input can have, or None.
        timeout: seconds for one sample, smoothing apart.
        seed: of every random choice.
        smoothing: how randomized smoothing, where asked for, draws.
        joint: whether all samples' statements about the smoothed network are to hold together but for a chance of
            alpha; otherwise each one does.

    Raises:
        UsageError: on construction, where one is out of range or a name unknown.
    """

    epsilons: Sequence[float]
    norm: float = NORM
    methods: Sequence[str] = USUAL
    clip: tuple[float, float] | None = None
    timeout: float = TIMEOUT
    seed: int = 0
    smoothing: Smoothing = field(default_factory=Smoothing)
    joint: bool = False

    def __post_init__(self) -> None:
        sizes = self.epsilons
        if isinstance(sizes, str) or not hasattr(sizes, "__iter__"):
            raise UsageError(f"{sizes!r} is no list of sizes", Argument("epsilons"), "give epsilons=[0.05, 0.1]")
        for epsilon in sizes:
            real(epsilon, "epsilons")
        object.__setattr__(self, "norm", norm_named(self.norm, MEASURES))
        names(self.methods, "methods")
        limits(self.clip)
        if not self.epsilons or not all(0 < e < math.inf for e in self.epsilons):
            raise UsageError(
                "an epsilon that is no size", Argument("epsilons"), "give positive numbers: epsilons=0.05,0.1"
            )
        object.__setattr__(self, "epsilons", tuple(sorted({float(e) for e in self.epsilons})))
        if self.norm not in (1, 2, math.inf):
            raise UsageError(f"no robust accuracy in the {self.norm:g}-norm", Argument("norm"), "give 1, 2 or inf")
        self.verification  # noqa: B018 - says what is wrong with timeout and seed
        if not self.methods:
            raise UsageError("no method is given", Argument("methods"), f"choose of {', '.join(known_methods())}")
        for name in self.methods:
            if name not in known_methods():
                raise UsageError(
                    f"there is no method {name!r}", Argument("methods"), f"choose of {', '.join(known_methods())}"
                )
            if self.norm not in ATTACKS[name].norms if name in ATTACKS else name in SMOOTHED and self.norm != 2:
                raise UsageError(f"{name} does not work in the {self.norm:g}-norm", Argument("methods"), "leave it out")
        object.__setattr__(self, "methods", tuple(sorted(dict.fromkeys(self.methods), key=known_methods().index)))

    @property
    def verification(self) -> Options:
        """The same for verification methods, each on one core: samples are what is done at the same time."""
        return Options(timeout=self.timeout, seed=self.seed, threads=1)

    def alphas(self, samples: int) -> Smoothing:
        """How each of `samples` samples is smoothed."""
        return self.smoothing.jointly(samples) if self.joint else self.smoothing


def known_methods() -> list[str]:
    """All names, in the order in which they run; the complete ones last."""
    verification = [name for name in METHODS if name != "attack"]
    ordered = sorted(verification, key=lambda name: METHODS[name].complete)
    return [*ATTACKS, *CERTIFICATES, *SMOOTHED, *ordered]
