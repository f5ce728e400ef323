"""Ranges as they are told: proven ends, the values reached, and the inputs that reach them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.shown import Shown, html_table, json_number

CONSTANT = 1e-11
"""Ranges no wider than this, relative to their size, are those of constants, up to float64's rounding."""
SHOWN = 6
"""Ranges that a line names."""


@dataclass(frozen=True, eq=False, repr=False)
class Ranges(Shown):
    """The ranges of K forms over an input set.

    What is proved and what is reached are about the network as a function of real numbers, rounding covered on both
    sides: the least value of a form lies between `lower` and `reached_lower`, the largest between `reached_upper` and
    `upper`. `runtime_lower` and `runtime_upper` are what ONNX Runtime computes in floats from the same inputs; they may
    lie beyond the ends by its rounding.

    Attributes:
        names: of the forms.
        lower, upper: proven ends, float64, of `shape`; infinite where nothing is proved.
        reached_lower, reached_upper: the least and the largest value that an input is known to reach, or nearly, by the
            rounding of its evaluation in float64; the same shape; NaN where no input was found.
        inputs_lower, inputs_upper: these inputs, float32, shape (K, input_size); NaN where none was found.
        runtime_lower, runtime_upper: the forms of what ONNX Runtime computes there, of `shape`.
        gap: the share of the range that was allowed between a proven end and the value reached.
        seconds: wall time spent.
        shape: of the arrays: that of the model's output where its entries are asked about, else (K,).
        methods: what proved each end: lower ones first, then upper ones.
        notes: remarks for the user.
    """

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    reached_lower: np.ndarray
    reached_upper: np.ndarray
    inputs_lower: np.ndarray
    inputs_upper: np.ndarray
    runtime_lower: np.ndarray
    runtime_upper: np.ndarray
    gap: float
    seconds: float
    shape: tuple[int, ...]
    methods: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def gaps(self) -> np.ndarray:
        """What lies between proven ends and values reached, the larger of both ends, as a share of the proved range.

        1 where nothing is known of an end, 0 for forms that are constant up to rounding; of `shape`.
        """
        with np.errstate(all="ignore"):
            left = np.maximum(self.reached_lower - self.lower, self.upper - self.reached_upper)
            width = self.upper - self.lower
            size = np.maximum(np.abs(self.lower), np.abs(self.upper))
            share = np.where(width > CONSTANT * (1.0 + size), left / width, 0.0)
        return np.where(np.isfinite(share), np.clip(share, 0.0, 1.0), 1.0)

    @property
    def exact(self) -> bool:
        """Whether all ends are known, up to the gap that was allowed."""
        return bool((self.gaps <= self.gap).all())

    def rows(self) -> list[dict[str, Any]]:
        """A record for each form."""
        flat = [np.asarray(a).reshape(-1) for a in (self.lower, self.reached_lower, self.reached_upper, self.upper)]
        gaps, methods = self.gaps.reshape(-1), self.methods or ("",) * (2 * len(self.names))
        return [
            {
                "name": name,
                "lower": json_number(flat[0][k]),
                "reached_lower": json_number(flat[1][k]),
                "reached_upper": json_number(flat[2][k]),
                "upper": json_number(flat[3][k]),
                "gap": json_number(gaps[k]),
                "lower_by": methods[k],
                "upper_by": methods[len(self.names) + k],
                "runtime_lower": json_number(self.runtime_lower.reshape(-1)[k]),
                "runtime_upper": json_number(self.runtime_upper.reshape(-1)[k]),
            }
            for k, name in enumerate(self.names)
        ]

    def facts(self) -> Iterable[tuple[str, str]]:
        """The first ranges, in words."""
        for row in self.rows()[:SHOWN]:
            yield row["name"], f"[{_told(row['lower'])}, {_told(row['upper'])}]"
        if len(self.names) > SHOWN:
            yield "and", f"{len(self.names) - SHOWN} more"
        yield "largest gap", f"{float(self.gaps.max()):.2g}"
        yield "in", f"{self.seconds:.2f} s"

    def _repr_html_(self) -> str:
        headings = "name", "lower", "reached_lower", "reached_upper", "upper", "gap"
        rows = [[row["name"], *(_told(row[h]) for h in headings[1:])] for row in self.rows()]
        return html_table("Ranges", [h.replace("_", " ") for h in headings], rows)

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        inputs = zip(self.inputs_lower, self.inputs_upper, strict=True)
        return {
            "gap": self.gap,
            "exact": self.exact,
            "seconds": round(self.seconds, 4),
            "notes": list(self.notes),
            "ranges": [
                row | {"input_lower": [json_number(v) for v in low], "input_upper": [json_number(v) for v in high]}
                for row, (low, high) in zip(self.rows(), inputs, strict=True)
            ],
        }


@dataclass(frozen=True, eq=False, repr=False)
class Optimum(Shown):
    """The least, or the largest, value of a form over an input set.

    Attributes:
        name: of the form.
        largest: whether it is the largest value.
        bound: proven: no input has a smaller (larger) value; infinite where nothing is proved.
        reached: what an input is known to reach, up to the rounding of its evaluation in float64; NaN where none was
            found.
        x: that input, float32, shape (input_size,).
        runtime: what ONNX Runtime computes there.
        seconds: wall time spent.
        by: what proved the bound.
    """

    name: str
    largest: bool
    bound: float
    reached: float
    x: np.ndarray
    runtime: float
    seconds: float
    by: str

    @property
    def gap(self) -> float:
        """What lies between the bound and the value reached; not negative."""
        return abs(self.reached - self.bound)

    def facts(self) -> Iterable[tuple[str, str]]:
        """The value between its ends, in words."""
        yield f"{'largest' if self.largest else 'least'} {self.name}", f"reached {self.reached:.6g}"
        yield "proved", f"at {'most' if self.largest else 'least'} {self.bound:.6g} by {self.by}"
        yield "in", f"{self.seconds:.2f} s"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "name": self.name,
            "largest": self.largest,
            "bound": json_number(self.bound),
            "reached": json_number(self.reached),
            "runtime": json_number(self.runtime),
            "input": [json_number(v) for v in self.x],
            "seconds": round(self.seconds, 4),
            "by": self.by,
        }


def _told(value: float | None) -> str:
    return "?" if value is None else f"{value:.6g}"
