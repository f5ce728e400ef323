"""What arguments may be: checks that name the argument, numbers and norms as people write them, and shared defaults."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any, TypeVar

from verifier.errors import Argument, UsageError

TIMEOUT = 120.0
"""Seconds, where nobody says: for a question, or for a sample where there are many."""

NORM = math.inf
"""Of distances, where nobody says."""

BALLS = (1.0, 2.0, math.inf)
"""Norms whose balls can be asked about."""

MEASURES = (0.0, *BALLS)
"""Norms in which distances can be measured; there are no balls of norm 0."""

T = TypeVar("T")


def real(value: Any, name: str, fix: str = "give a number") -> float:
    """The value as a float.

    Raises:
        UsageError: it is no real number; strings are none.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise UsageError(f"{_shown(value)} is no number", Argument(name), fix)
    return float(value)


def whole(value: Any, name: str, fix: str = "give a whole number") -> int:
    """The value as an int.

    Raises:
        UsageError: it is no whole number.
    """
    if isinstance(value, bool) or not (
        isinstance(value, numbers.Integral) or (isinstance(value, numbers.Real) and float(value).is_integer())
    ):
        raise UsageError(f"{_shown(value)} is no whole number", Argument(name), fix)
    return int(float(value)) if not isinstance(value, numbers.Integral) else int(value)


def of_type(value: Any, kind: type[T], name: str, fix: str) -> T:
    """The value, which has to be of a type.

    Raises:
        UsageError: it is of another.
    """
    if not isinstance(value, kind):
        raise UsageError(f"{_shown(value)} is no {kind.__name__}", Argument(name), fix)
    return value


def names(value: Any, name: str) -> tuple[str, ...]:
    """Names from a sequence of them; a string alone is not one.

    Raises:
        UsageError: it is no such sequence.
    """
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(word, str) for word in value):
        raise UsageError(f"{_shown(value)} is no list of names", Argument(name), "give a list of strings")
    return tuple(value)


def norm_named(value: Any, known: Sequence[float] = BALLS, name: str = "norm") -> float:
    """The norm that a number or a word means: 2, "2", "l2", "L2", "Linf", "inf", math.inf.

    Raises:
        UsageError: it means none of those known.
    """
    found = math.nan
    if isinstance(value, str):
        word = value.strip().lower().removeprefix("l").removeprefix("_")
        found = math.inf if word in ("inf", "infinity", "oo") else float(word) if word in ("0", "1", "2") else math.nan
    elif isinstance(value, numbers.Real) and not isinstance(value, bool):
        found = float(value)
    if found not in known:
        *first, last = (f"{norm:g}" for norm in known)
        raise UsageError(f"a norm {value!r}", Argument(name), f"give {', '.join(first)} or {last}")
    return found


def number_written(text: str, name: str) -> float:
    """The number that a text means: a decimal, or a fraction of two as in 8/255.

    Raises:
        UsageError: it is none.
    """
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"{text!r} is no number", Argument(name), "give one such as 0.03 or 8/255") from error


def numbers_written(text: str, name: str) -> list[float]:
    """Numbers separated by commas.

    Raises:
        UsageError: a part is none.
    """
    return [number_written(word, name) for word in text.split(",")]


def limits(value: Any, name: str = "clip") -> tuple[float, float] | None:
    """The smallest and the largest value that inputs can have; None stays.

    Raises:
        UsageError: it is no pair of numbers, the lower first.
    """
    if value is None:
        return None
    fix = "give two numbers, the lower first: clip=(0,1)"
    try:
        low, high = (real(end, name, fix) for end in value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{_shown(value)} is no range", Argument(name), fix) from error
    if not (low <= high and low < math.inf and high > -math.inf):
        raise UsageError(f"a range from {low:g} to {high:g}", Argument(name), fix)
    return low, high


def limits_written(text: str, name: str = "clip") -> tuple[float, float]:
    """The same from a text as ``0,1``.

    Raises:
        UsageError: it is no such range.
    """
    found = text.split(",")
    if len(found) != 2:
        raise UsageError(f"{text!r} is no range", Argument(name), "give two numbers, the lower first: clip=0,1")
    low, high = (number_written(word, name) for word in found)
    if not (low <= high and low < math.inf and high > -math.inf):
        raise UsageError(f"{text!r} is no range", Argument(name), "give two numbers, the lower first: clip=0,1")
    return low, high


def _shown(value: Any) -> str:
    text = repr(value)
    short = text if len(text) <= 40 and "\n" not in text else f"{' '.join(text.split())[:37]}..."
    return f"{short} ({type(value).__name__})"
