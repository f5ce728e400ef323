"""Linear forms of a network's inputs and outputs, with exact coefficients: `Y[0] - 2 * Y[3] + 0.5`."""

from __future__ import annotations

import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from verifier.errors import Argument, UsageError

if TYPE_CHECKING:
    from verifier.questions.conditions import Condition

Key: TypeAlias = tuple[str, int]
"""The letter, X for inputs and Y for outputs, and the index."""

_TERM = re.compile(
    r"\s*([-+]?)\s*(?:([0-9.]+(?:[eE][-+]?[0-9]+)?)\s*(?:/\s*([0-9]+)\s*)?(\*)?\s*)?(?:([XY])_([0-9]+))?\s*"
)


LARGEST = Fraction(10**300)
"""Numbers from here on are refused, as the reader of VNN-LIB refuses them."""


def exact(value: Any, name: str = "number") -> Fraction:
    """The number that a value is, exactly: of floats the binary fraction, of strings the decimal.

    Raises:
        UsageError: it is none, or too large.
    """
    try:
        if not isinstance(value, str | numbers.Real) and getattr(value, "shape", None) == ():
            value = float(value)
        known = isinstance(value, numbers.Real | str)
        found = Fraction(value if isinstance(value, str | numbers.Rational) else float(value)) if known else LARGEST
        if abs(found) < LARGEST:
            return Fraction(found)
    except (ValueError, ArithmeticError, TypeError):
        pass
    raise UsageError(f"{value!r} is no number below 1e300", Argument(name), "give a number")


@dataclass(frozen=True, eq=False)
class Form:
    """constant + sum of coefficient * variable. Comparisons with `<=`, `>=`, `<`, `>` and `==` make conditions.

    Attributes:
        terms: coefficients, not 0, by letter and index.
        constant: what is added.
    """

    terms: Mapping[Key, Fraction] = field(default_factory=lambda: MappingProxyType({}))
    constant: Fraction = Fraction(0)

    @classmethod
    def of(cls, value: Form | Any) -> Form:
        """A form as it is, or a number as one.

        Raises:
            UsageError: it is neither.
        """
        return value if isinstance(value, Form) else cls(constant=exact(value))

    @classmethod
    def parse(cls, text: str) -> Form:
        """The form that a text such as ``Y_0 - 2*Y_3 + 0.5`` means; numbers are exact decimals or fractions.

        Raises:
            UsageError: it is none.
        """
        at, found = 0, cls()
        while at < len(text):
            match = _TERM.match(text, at)
            assert match is not None, "every part is optional"
            sign, number, below, times, letter, index = match.groups()
            if not (number or letter) or (at and not sign) or (times and not letter):
                fix = "give a sum such as 'Y_0 - 2*Y_3'"
                raise UsageError(f"{text!r} is no linear form", Argument("form"), fix)
            factor = exact(f"{number}/{below}" if below else number or "1", "form") * (-1 if sign == "-" else 1)
            found += cls({(letter, int(index)): factor}) if letter else factor
            at = match.end()
        if not text.strip():
            raise UsageError("an empty form", Argument("form"), "give a sum such as 'Y_0 - 2*Y_3'")
        return found

    def __add__(self, other: Form | Any) -> Form:
        other = Form.of(other)
        total = dict(self.terms)
        for key, coefficient in other.terms.items():
            total[key] = total.get(key, Fraction(0)) + coefficient
        return Form({k: c for k, c in sorted(total.items()) if c}, self.constant + other.constant)

    __radd__ = __add__

    def __mul__(self, factor: Any) -> Form:
        if isinstance(factor, Form):
            raise UsageError("a product of two forms", Argument("form"), "forms are linear: multiply by numbers")
        scale = exact(factor)
        return Form({k: c * scale for k, c in self.terms.items() if scale}, self.constant * scale)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> Form:
        if not exact(divisor):
            raise UsageError("a division by 0", Argument("form"))
        return self * (1 / exact(divisor))

    def __neg__(self) -> Form:
        return self * -1

    def __sub__(self, other: Form | Any) -> Form:
        return self + -Form.of(other)

    def __rsub__(self, other: Form | Any) -> Form:
        return Form.of(other) - self

    def _compared(self, other: Form | Any, strict: bool) -> Condition:
        from verifier.questions.conditions import Row

        return Row(self - other, strict)

    def __le__(self, other: Form | Any) -> Condition:
        return self._compared(other, False)

    def __lt__(self, other: Form | Any) -> Condition:
        return self._compared(other, True)

    def __ge__(self, other: Form | Any) -> Condition:
        return Form.of(other)._compared(self, False)

    def __gt__(self, other: Form | Any) -> Condition:
        return Form.of(other)._compared(self, True)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return (self <= other) & (self >= other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a form is no truth value: compare it, and join conditions by &, | and ~")

    def __str__(self) -> str:
        words: list[str] = []
        for (letter, index), coefficient in self.terms.items():
            size = abs(coefficient)
            sign = ("-" if coefficient < 0 else "+") if words else ("-" if coefficient < 0 else "")
            words.append(f"{sign}{' ' if words else ''}{'' if size == 1 else f'{shown(size)}*'}{letter}_{index}")
        if self.constant or not words:
            size = abs(self.constant) if words else self.constant
            words.append(f"{'- ' if self.constant < 0 else '+ '}{shown(size)}" if words else shown(size))
        return " ".join(words)

    __repr__ = __str__


def shown(value: Fraction) -> str:
    """A number for people: the shortest decimal of its float64, or a fraction."""
    near = float(value)
    return f"{near:g}" if Fraction(f"{near:g}") == value else repr(near) if Fraction(near) == value else str(value)
