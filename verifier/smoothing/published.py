"""Logs of certified radii that others have published: which alpha can they have?

The radius of a sample for which all draws agree is the largest that can be certified, sigma Phi^-1(alpha^(1/draws)): a
log with a larger one was made with a larger alpha, with more draws, or wrongly.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from verifier.errors import PropertyError, UsageError
from verifier.smoothing.binomial import largest_radius, least_alpha

ROUNDING = 1e-6
"""Relative difference that is not told from the largest radius: others compute quantiles in float32 at times."""


@dataclass(frozen=True)
class LogCheck:
    """What a log's radii allow.

    Attributes:
        count: radii in the log.
        largest: of them, over sigma.
        least_alpha: the smallest alpha that allows it.
        possible: the largest radius over sigma at the alpha claimed, None where none is claimed.
    """

    count: int
    largest: float
    least_alpha: float
    possible: float | None

    @property
    def refuted(self) -> bool:
        """Whether the radii cannot have the alpha claimed."""
        return self.possible is not None and self.largest > self.possible * (1 + ROUNDING)


def checked(radii: np.ndarray, sigma: float, draws: int, alpha: float | None) -> LogCheck:
    """Checks radii against what Clopper and Pearson's bound can give.

    Args:
        radii: as published, shape (R,), at least one; what is not finite counts as 0.
        sigma: of the noise, positive.
        draws: for each estimate, positive.
        alpha: claimed, in (0, 1), or None.

    Raises:
        UsageError: a number is out of range.
    """
    if not 0 < sigma < math.inf or draws < 1 or not (alpha is None or 0 < alpha < 1):
        raise UsageError(f"sigma {sigma}, draws {draws}, alpha {alpha}", fix="give positive numbers, alpha below 1")
    usable = np.where(np.isfinite(radii), radii, 0.0)
    possible = None if alpha is None else largest_radius(1.0, draws, alpha)
    largest = float(usable.max(initial=0.0)) / sigma
    return LogCheck(len(radii), largest, least_alpha(usable, sigma, draws), possible)


def read_radii(path: Path, column: str) -> np.ndarray:
    """The radii of a log with a line of headings, tab-separated (as Cohen et al. write them) or with commas.

    Logs are printed with few digits: what is returned are the least numbers that are printed so.

    Raises:
        UsageError: there is no such file.
        PropertyError: it has no such column, or something else than a number in it; the message gives the line.
    """
    if not path.is_file():
        raise UsageError("there is no such file", str(path), "give a log of certified radii")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PropertyError(f"no readable text ({error})", str(path), "give a log of certified radii") from error
    rows = list(csv.reader(lines, delimiter="\t" if lines and "\t" in lines[0] else ","))
    if not rows or column not in rows[0]:
        raise PropertyError(f"no column {column!r}", f"{path}, line 1", "say which --column has the radii")
    place = rows[0].index(column)
    found = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        try:
            found.append(_least(row[place]))
        except (InvalidOperation, IndexError) as error:
            raise PropertyError(f"no number in column {column!r}", f"{path}, line {number}", "mend the line") from error
    if not found:
        raise PropertyError("no radius", str(path), "give a log of certified radii")
    return np.array(found)


def _least(printed: str) -> float:
    """The least number that is printed so: half a unit of the last digit less."""
    value = Decimal(printed.strip())
    if not value.is_finite():
        return float(value)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return float(value - Decimal(5).scaleb(exponent - 1))
