"""The options of randomized smoothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from verifier.errors import UsageError

if TYPE_CHECKING:
    from verifier.radii.smoothed import Smoothing

Sigma: TypeAlias = Annotated[float, typer.Option(help="Smoothing: the noise's standard deviation.")]
Draws: TypeAlias = Annotated[int, typer.Option(min=1, help="Smoothing: draws that estimate a class's probability.")]
Alpha: TypeAlias = Annotated[float, typer.Option(help="Smoothing: the chance that a statement is wrong.")]
SIGMA, DRAWS, ALPHA = 0.25, 100_000, 0.001
SELECTION = 100
"""Draws that select the class, as in Cohen et al.; no more than those that estimate."""


def smoothing_given(sigma: float, draws: int, alpha: float, seed: int) -> Smoothing:
    """How the network is smoothed.

    Raises:
        UsageError: a number is out of range.
    """
    from verifier.radii.smoothed import Smoothing
    from verifier.smoothing.certify import SmoothingOptions

    if not 0 < sigma < math.inf:
        raise UsageError(f"sigma = {sigma}", "--sigma", "give the noise's standard deviation, a positive number")
    return Smoothing(sigma, SmoothingOptions(min(SELECTION, draws), draws, alpha, seed))
