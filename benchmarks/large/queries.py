"""Properties as boxes and rows on outputs; how they are written, and how a violation is seen in ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from benchmarks.large.training import outputs, session

Row: TypeAlias = tuple[int, str, int | float]
"""Output, "<=" or ">=", and an output's number (int) or a constant (float)."""


@dataclass
class Query:
    """A violation to look for: inputs in a box whose outputs obey all rows of one of the conjunctions.

    Attributes:
        low, high: any shape, float32.
        conjunctions: rows.
        truth: sat, unsat or unknown.
        witness: of `sat`, float32.
    """

    name: str
    low: torch.Tensor
    high: torch.Tensor
    conjunctions: Sequence[Sequence[Row]]
    truth: str = "unknown"
    witness: torch.Tensor | None = None

    def text(self, size: int) -> str:
        """In VNN-LIB, for `size` outputs."""
        low, high = self.low.flatten().tolist(), self.high.flatten().tolist()
        lines = [f"(declare-const X_{i} Real)" for i in range(len(low))]
        lines += [f"(declare-const Y_{i} Real)" for i in range(size)]
        lines += [
            f"(assert (>= X_{i} {a!r}))\n(assert (<= X_{i} {b!r}))"
            for i, (a, b) in enumerate(zip(low, high, strict=True))
        ]
        parts = [f"  (and {' '.join(_text(row) for row in rows)})" for rows in self.conjunctions]
        return "\n".join([*lines, "(assert (or", *parts, "))", ""])


def _text(row: Row) -> str:
    left, sign, right = row
    return f"({sign} Y_{left} {f'Y_{right}' if isinstance(right, int) else repr(float(right))})"


def violated(conjunctions: Sequence[Sequence[Row]], y: np.ndarray) -> bool:
    """Whether outputs obey all rows of a conjunction, exactly."""
    values = [float(v) for v in y.flatten()]

    def holds(row: Row) -> bool:
        other = values[row[2]] if isinstance(row[2], int) else row[2]
        return values[row[0]] <= other if row[1] == "<=" else values[row[0]] >= other

    return any(all(holds(row) for row in rows) for rows in conjunctions)


@dataclass
class Folder:
    """Where one kind's networks and properties go, and the index of them."""

    path: Path
    lines: list[dict[str, object]] = field(default_factory=list)

    def model(self, name: str) -> Path:
        """The path of a model to be written."""
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path / f"{name}.onnx"

    def add(self, model: Path, query: Query) -> None:
        """Writes a query about a model that is written; its witness, or some point of its box, is run first.

        Raises:
            ArithmeticError: in ONNX Runtime the witness is none, or a point of an `unsat` is one.
        """
        runtime = session(model)
        point = query.low if query.witness is None else query.witness
        y = outputs(runtime, point.numpy().astype(np.float32))
        inside = bool(((point >= query.low) & (point <= query.high)).all())
        if query.truth == "sat" and not (inside and violated(query.conjunctions, y)):
            raise ArithmeticError(f"{model.stem} {query.name}: the witness is none in ONNX Runtime")
        if query.truth == "unsat" and inside and violated(query.conjunctions, y):
            raise ArithmeticError(f"{model.stem} {query.name}: violated at a point, and not unsat")
        prop = model.with_name(f"{model.stem}-{query.name}.vnnlib")
        prop.write_text(query.text(y.size))
        kind = self.path.name
        self.lines.append(
            {
                "bench": kind,
                "onnx": f"{kind}/{model.name}",
                "vnnlib": f"{kind}/{prop.name}",
                "timeout": 60.0,
                "truth": query.truth,
            }
        )

    def close(self) -> None:
        """Writes the index, by which the folder counts as made."""
        (self.path / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in self.lines))


def around(x: torch.Tensor, epsilon: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The box of radius `epsilon` around x within [0, 1]."""
    return (x - epsilon).clamp(0, 1), (x + epsilon).clamp(0, 1)


def others(label: int, classes: int) -> list[list[Row]]:
    """That another class is at least as great as the label."""
    return [[(k, ">=", label)] for k in range(classes) if k != label]


def lead(label: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """`margin` of a label, as a function of the outputs."""
    return lambda y: margin(y, label)


def margin(y: torch.Tensor, label: int) -> torch.Tensor:
    """How far the label's output is above the greatest other one, shape (N,)."""
    rest = torch.cat([y[:, :label], y[:, label + 1 :]], 1)
    return y[:, label] - rest.max(1).values
