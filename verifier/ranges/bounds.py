"""Ranges and optima as calls: from a question to what is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from verifier.property.rounding import float_at_least, float_at_most
from verifier.ranges.measure import Measurement
from verifier.ranges.options import RangeOptions
from verifier.ranges.question import RangeQuestion
from verifier.ranges.result import Optimum, Ranges


def measured(
    question: RangeQuestion,
    options: RangeOptions,
    shape: tuple[int, ...] | None = None,
    progress: Callable[[Ranges], None] = lambda ranges: None,
) -> Ranges:
    """The ranges of a question's forms.

    Args:
        shape: of the arrays, of as many entries as there are forms; (K,) if not given.
        progress: called with what is known whenever there is more.
    """
    measurement = Measurement(question, options, lambda m: progress(told(m, shape)))
    measurement.run()
    return told(measurement, shape)


def told(measurement: Measurement, shape: tuple[int, ...] | None = None) -> Ranges:
    """What is known, as it stands."""
    question, points = measurement.question, measurement.points
    forms = question.forms
    size = shape or (len(forms),)
    each = list(enumerate(forms))
    nothing = [f.name for k, f in each if any(math.isinf(points.value(k, m)) for m in question.signs)]
    missed = [f"no input of the set was found for {', '.join(nothing[:3])}"] if nothing else []
    methods = tuple(measurement.method((k, m)) for m in (1, -1) for k in range(len(forms)))
    trusted = sum("milp" in method for method in methods)
    trust = (
        [f"{trusted} of {len(methods)} ends rest on the bound that a MILP's solver gives as proven"] if trusted else []
    )
    proved = [np.array([_shifted(m * measurement.bound((k, m)), f.constant, m) for k, f in each]) for m in (1, -1)]
    reached = [np.array([_reached(points.value(k, m), f.constant, m) for k, f in each]) for m in (1, -1)]
    runtime = [np.array([points.runtime(k, m) for k, _ in each]) for m in (1, -1)]
    nowhere = np.full(question.network.input_size, np.nan, np.float32)
    inputs = [np.stack([points.points.get((k, m), nowhere) for k in range(len(forms))]) for m in (1, -1)]
    return Ranges(
        names=tuple(form.name for form in forms),
        lower=proved[0].reshape(size),
        upper=proved[1].reshape(size),
        reached_lower=reached[0].reshape(size),
        reached_upper=reached[1].reshape(size),
        inputs_lower=inputs[0],
        inputs_upper=inputs[1],
        runtime_lower=runtime[0].reshape(size),
        runtime_upper=runtime[1].reshape(size),
        gap=measurement.options.gap,
        seconds=measurement.deadline.elapsed,
        shape=size,
        methods=methods,
        notes=tuple(dict.fromkeys([*measurement.notes, *missed, *trust])),
    )


def optimum(ranges: Ranges, largest: bool) -> Optimum:
    """One end of the first form's range."""
    end = "upper" if largest else "lower"
    first = {name: float(getattr(ranges, f"{name}_{end}").reshape(-1)[0]) for name in ("reached", "runtime")}
    x = getattr(ranges, f"inputs_{end}")[0]
    bound = float(getattr(ranges, end).reshape(-1)[0])
    by = ranges.methods[len(ranges.names) if largest else 0]
    return Optimum(ranges.names[0], largest, bound, first["reached"], x, first["runtime"], ranges.seconds, by)


def _shifted(bound: float, constant: Fraction, sign: int) -> float:
    """A proven end with the form's constant added, rounded outward."""
    if not math.isfinite(bound):
        return bound
    total = Fraction(bound) + constant
    return float_at_most(total) if sign > 0 else float_at_least(total)


def _reached(value: float, constant: Fraction, sign: int) -> float:
    """What is reached, with the form's constant added, rounded inward: never beyond the true value there."""
    if not math.isfinite(value):
        return math.nan
    total = sign * Fraction(value) + constant
    return float_at_least(total) if sign > 0 else float_at_most(total)
