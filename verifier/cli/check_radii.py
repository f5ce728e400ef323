"""`verifier check-radii LOG`: which alpha a published log of certified radii can have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from verifier.cli.options import number, option, required, whole, word
from verifier.cli.output import say


@dataclass(frozen=True, kw_only=True)
class Log:
    """The log."""

    log: Path = word(Path, "LOG", "Radii of randomized smoothing, with headings.")
    column: str = option(str, "radius", "The heading of the radii.", "NAME")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is claimed of it."""

    sigma: float = required(number(), "The noise's standard deviation.")
    draws: int = required(whole(), "Draws for each estimate.")
    alpha: float | None = option(number(), None, "The chance of a wrong statement that is claimed.")


def check_radii(log: Log, claim: Claim) -> int:
    """Check a log of radii that randomized smoothing certified: can they have the alpha that is claimed?

    With all draws for one class the radius is sigma Phi^-1(alpha^(1/draws)), and no other is larger.
    Exit status: 0, 1 the radii are impossible at this alpha, 2 wrong input or usage.

    Examples:

    verifier check-radii cifar10_noise_0.50.tsv --sigma 0.5 --draws 100000 --alpha 0.001
    """
    from verifier.smoothing.published import checked, read_radii

    found = checked(read_radii(log.log, log.column), claim.sigma, claim.draws, claim.alpha)
    least = f"{found.least_alpha:.4g}"
    say(f"{found.count} radii, the largest {found.largest:.5g} sigma; it takes an alpha of {least} or more")
    if found.possible is not None:
        verdict = "impossible" if found.refuted else "possible"
        say(f"{verdict}: at alpha {claim.alpha:g} and {claim.draws} draws the largest is {found.possible:.5g} sigma")
    return 1 if found.refuted else 0
