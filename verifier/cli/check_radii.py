"""`verifier check-radii LOG`: which alpha a published log of certified radii can have."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli.output import say


def check_radii(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="Radii of randomized smoothing, with headings.")],
    sigma: Annotated[float, typer.Option(help="The noise's standard deviation.")],
    draws: Annotated[int, typer.Option(help="Draws for each estimate.")],
    alpha: Annotated[float | None, typer.Option(help="The chance of a wrong statement that is claimed.")] = None,
    column: Annotated[str, typer.Option(help="The heading of the radii.")] = "radius",
) -> None:
    """Check a log of radii that randomized smoothing certified: can they have the alpha that is claimed?

    With all draws for one class the radius is sigma Phi^-1(alpha^(1/draws)), and no other is larger.
    Exit status: 0, 1 the radii are impossible at this alpha, 2 wrong input or usage.

    Examples:

    verifier check-radii cifar10_noise_0.50.tsv --sigma 0.5 --draws 100000 --alpha 0.001
    """
    from verifier.smoothing.published import checked, read_radii

    found = checked(read_radii(log, column), sigma, draws, alpha)
    least = f"{found.least_alpha:.4g}"
    say(f"{found.count} radii, the largest {found.largest:.5g} sigma; it takes an alpha of {least} or more")
    if found.possible is not None:
        verdict = "impossible" if found.refuted else "possible"
        say(f"{verdict}: at alpha {alpha:g} and {draws} draws the largest is {found.possible:.5g} sigma")
    sys.exit(1 if found.refuted else 0)
