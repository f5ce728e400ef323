"""All minimal attacks by name, with their usual options."""

from __future__ import annotations

from verifier.attacks.minimal.carlini_wagner import CarliniWagner
from verifier.attacks.minimal.ddn import DecoupledDirectionAndNorm
from verifier.attacks.minimal.deepfool import DeepFool
from verifier.attacks.minimal.fab import FastAdaptiveBoundary
from verifier.attacks.minimal.fast_bisection import FastBisection
from verifier.attacks.minimal.fmn import FastMinimumNorm
from verifier.attacks.minimal.iterative import IteratedGradient, ProjectedGradient
from verifier.attacks.minimal.lbfgs import LimitedMemoryBfgs
from verifier.attacks.minimal.problem import MinimalAttack

ATTACKS: dict[str, MinimalAttack] = {
    attack.name: attack
    for attack in (
        IteratedGradient(),
        ProjectedGradient(),
        DeepFool(),
        CarliniWagner(),
        LimitedMemoryBfgs(),
        DecoupledDirectionAndNorm(),
        FastMinimumNorm(),
        FastAdaptiveBoundary(),
        FastBisection(),
    )
}


def attacks_for(norm: float) -> list[MinimalAttack]:
    """Those that work in a norm, in the registry's order."""
    return [attack for attack in ATTACKS.values() if norm in attack.norms]
