"""Bounds from above: minimal attacks on one sample, each in its share of the time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from verifier.attacks.minimal.registry import ATTACKS
from verifier.deadline import Deadline
from verifier.radii.bracket import End, Side
from verifier.radii.question import RadiusQuestion
from verifier.radii.shares import shares
from verifier.standing import Standing


def attack_ends(question: RadiusQuestion, names: Sequence[str], seed: int, deadline: Deadline) -> Iterator[End]:
    """What each of the named attacks finds; infinite where it fails.

    Args:
        question: about the sample.
        names: of attacks that work in the question's norm, in the order they run.
        seed: of each attack's random choices.
        deadline: for all of them; what one leaves of its share, the others have.
    """
    for name, share in shares(names, deadline):
        found = ATTACKS[name].run(question.problem, np.random.default_rng(seed), share)[0]
        told = f"{found.forward} forward and {found.backward} backward passes"
        if not math.isnan(found.estimate):
            told += f", {found.estimate:.4g} estimated"
        late = found.point is None and share.expired
        yield End(name, Side.UPPER, found.distance, Standing.ATTACK, share.elapsed, found.point, told, late)
