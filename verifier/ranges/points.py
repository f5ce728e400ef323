"""What inputs reach: the value of a form at a point that the network can be given, enclosed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.interval import interval_bounds
from verifier.evidence.replay import Replay, rounded_into
from verifier.network.graph import Network
from verifier.property.forms import with_forms
from verifier.property.query import Disjunct, Patterns
from verifier.property.whole import integral_entries
from verifier.ranges.question import LinearForm, Part, RangeQuestion


@dataclass(eq=False)
class Points:
    """Judges points for the forms of a question, and keeps the best for each end.

    Signs are 1 for lower and -1 for upper ends: an end is the least value of sign * form.

    Attributes:
        values: the least upper bound of sign * form at any point judged, without the form's constant, by form and sign;
            infinite where none is known.
        points: where, float32, shape (input_size,).
    """

    question: RangeQuestion
    replay: Replay = field(init=False)
    values: dict[tuple[int, int], float] = field(default_factory=dict)
    points: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network, forms = self.question.network, self.question.forms
        self.replay = Replay(network)
        rows = [form.at_most(Fraction(0), 1) for form in forms]
        asked = Disjunct(self.question.parts[0].box, tuple(rows))
        patterns = Patterns.of([asked], network.input_size, network.output_size)
        self._forms: Network = with_forms(network, patterns)
        self._columns = patterns.rows[0]
        self._integral = integral_entries(network.inputs)

    def value(self, form: int, sign: int) -> float:
        """What is known to be reached of an end."""
        return self.values.get((form, sign), math.inf)

    def judge(self, part: Part, point: np.ndarray) -> np.ndarray | None:
        """Takes note of what the input nearest to a point in a part of the input set reaches, for all forms.

        Args:
            point: float64, shape (input_size,).

        Returns:
            Upper bounds of each form and of its negative there, shape (2, K); None where that input is not in the part.
        """
        if not np.isfinite(point).all():
            return None
        x = rounded_into(part.box, np.where(self._integral, np.rint(point), point), self.replay.grid)
        if not part.box.contains(x) or not (x == np.where(self._integral, np.rint(x), x)).all():
            return None
        nothing = np.zeros(self.question.network.output_size)
        if not all(row.holds(x, nothing) for row in part.rows):
            return None
        ends = np.asarray(x, np.float64)[None]
        with np.errstate(all="ignore"):
            interval = interval_bounds(self._forms, ends, ends)[-1]
        low, high = (to_numpy(end)[0][self._columns] for end in (interval.lower, interval.upper))
        found = np.stack([high, -low])
        for sign, row in ((1, found[0]), (-1, found[1])):
            for k in np.flatnonzero(np.isfinite(row)):
                if row[k] < self.value(int(k), sign):
                    self.values[int(k), sign], self.points[int(k), sign] = float(row[k]), x
        return found

    def runtime(self, form: int, sign: int) -> float:
        """A form of ONNX Runtime's outputs at the best point of an end; NaN where there is none, or no model."""
        x = self.points.get((form, sign))
        if x is None or not self.question.network.has_model:
            return math.nan
        y, asked = self.replay.run(x), self.question.forms[form]
        return value_at(asked, x, y)


def value_at(form: LinearForm, x: np.ndarray, y: np.ndarray) -> float:
    """A form of floats, rounded once; NaN where one of them is not finite."""
    total = form.constant
    for pairs, values in ((form.inputs, x), (form.outputs, y)):
        for index, coefficient in pairs:
            if not math.isfinite(values[index]):
                return math.nan
            total += coefficient * Fraction(float(values[index]))
    return float(total)
