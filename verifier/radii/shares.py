"""In which order the methods about one sample run, and how the time for it is shared out.

What narrows a bracket most for its time runs first: strong attacks, cheap proofs, strong incomplete methods. Half of
the time is kept for complete methods, which use whatever they have, so that the others, however many they are, cost
them that half at most; and each method has a share of what is left when its turn comes, so that none costs another its
turn. What a method leaves of its share, those after it have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from verifier.deadline import Deadline

STRONG_FIRST = (
    *("fmn", "fast-bisection", "ddn", "fab", "pgd", "deepfool", "ifgsm", "carlini-wagner", "lbfgs"),
    *("crown", "alpha", "interval", "dual", "lp", "sdp"),
    *("lipschitz", "cross-lipschitz", "gradient-crown", "gradient-interval", "local-lipschitz", "lipsdp"),
    *("auto", "neurons", "inputs", "milp", "milp-distance"),
)
"""The methods of each kind in the order they run; what is not named here runs after those of its kind."""

CHEAP = ("lipschitz", "cross-lipschitz")
"""Certificates that take no time to speak of, at least from the second sample on, and spare the others questions."""

KEPT = 0.5
"""The share of all the time that complete methods have at least."""
ATTACKING, BOUNDING = 0.4, 0.6
"""The shares of the rest that attacks, and then incomplete methods, have at most."""
FIRST = 0.5
"""The share of a kind's time that the first of its methods, the strongest, has; the others have equal parts."""


def ordered(names: Sequence[str]) -> list[str]:
    """The names with the strong ones first."""
    place = {name: k for k, name in enumerate(STRONG_FIRST)}
    return sorted(names, key=lambda name: place.get(name, len(place)))


def shares(names: Sequence[str], deadline: Deadline) -> Iterator[tuple[str, Deadline]]:
    """Each of the names, in the order given, with its share of what is left when its turn comes."""
    for count, name in enumerate(names):
        part = max(FIRST, 1 / len(names)) if count == 0 else 1 / (len(names) - count)
        yield name, deadline.within(part * deadline.remaining)
