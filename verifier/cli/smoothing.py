"""The options of randomized smoothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.cli.options import number, option, whole
from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.radii.smoothed import Smoothing

SELECTION = 100
"""Draws that select the class, as in Cohen et al.; no more than those that estimate."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Randomized smoothing."""

    sigma: float = option(number(), 0.25, "The noise's standard deviation.")
    draws: int = option(whole(1), 100_000, "Draws that estimate a class's probability.")
    alpha: float = option(number(), 0.001, "The chance that a statement is wrong.")

    def asked(self, seed: int) -> Smoothing:
        """How the network is smoothed.

        Raises:
            UsageError: a number is out of range.
        """
        from verifier.radii.smoothed import Smoothing
        from verifier.smoothing.certify import SmoothingOptions

        if not 0 < self.sigma < math.inf:
            raise UsageError(
                f"sigma = {self.sigma}", "--sigma", "give the noise's standard deviation, a positive number"
            )
        return Smoothing(self.sigma, SmoothingOptions(min(SELECTION, self.draws), self.draws, self.alpha, seed))
