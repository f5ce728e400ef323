"""Whether the network's own rounding could break what is proved of it in real arithmetic: a remark, never a verdict.

A proof speaks of the network as a function of real numbers. Where float32, or the shorter float that a model rounds to,
may carry an output further than the proven margin, ONNX Runtime may violate the property all the same, as with
``(x + 1e8) - 1e8 <= 0.5``. The remark is made only where two estimates agree: runs with random errors
(`bounds.float_error`), which need no other library, and then, where those reach the margin, what ONNX Runtime itself
computes at the same points. For models in 16 bits the first one does, in other words: without kernels for them, ONNX
Runtime computes in float32 and rounds at fewer places than other runtimes do. Nothing but a proof's detail rests on it.
"""

from __future__ import annotations

import numpy as np

from verifier.arrays import convert_like, to_numpy
from verifier.bounds.float_error import perturbed, work
from verifier.errors import VerifierError
from verifier.methods.task import Task
from verifier.network.stepped import has_jumps
from verifier.property.grid import Grid
from verifier.property.query import Box

POINTS = 8
MOST_WORK = 2_000_000_000
"""Multiplications that this may take; larger networks are not looked at."""
UNITS = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The unit roundoff of each type."""
LARGEST_FLOAT16 = 65504.0
VISIBLE = 1e-30
"""Smaller margins stand for an extremum that is met exactly: an error counts there only if it crosses it."""
CONFIRMED = 1e-2
"""The share of the estimated error, or of the margin if that is less, that has to be seen in ONNX Runtime."""


def rounding_remark(task: Task) -> str:
    """One line where the network's own rounding may exceed the margin of a proof; empty where it does not seem to."""
    network = task.network
    if task.witness is not None or task.open.any() or not task.open.size or not network.has_model:
        return ""
    disjunct = int(np.argmin(task.margins))
    double = all(port.dtype == "float64" for port in (*network.inputs, *network.outputs)) and not network.rounds_to
    box, margin = task.query.disjuncts[disjunct].box, float(task.margins[disjunct])
    if double or not np.isfinite(margin) or not box.has_float32_point or work(task.forms) * POINTS > MOST_WORK:
        return ""
    points = _points(box, task.replay.grid)
    with np.errstate(all="ignore"):
        found = _overflow_remark(task, points) or _remark(task, disjunct, points, max(margin, 0.0))
        return found or _jump_remark(task, disjunct, points)


def _overflow_remark(task: Task, points: np.ndarray) -> str:
    """Whether the runtime, which computes the model as it is written, does not come to a finite number somewhere."""
    outputs = _runtime_outputs(task, points) if task.network.may_overflow else None
    short = task.network.rounds_to == "float16"
    if outputs is not None and not np.isfinite(outputs).all():
        cause = "float16" if short else "a softmax that is written out in float32"
        return (
            f"proved in real arithmetic: ONNX Runtime comes to NaN or infinity at some inputs, as {cause} overflows; "
            "that is no violation, nor what the model is meant to say"
        )
    values = task.network.values(convert_like(task.example)(points)) if short else []
    largest = max((float(np.max(np.abs(to_numpy(value)), initial=0.0)) for value in values), default=0.0)
    if largest <= LARGEST_FLOAT16:
        return ""
    return (
        f"proved in real arithmetic: values reach {largest:.3g} at some inputs, more than a float16 can be, so a "
        "runtime that rounds every result to float16 comes to infinity"
    )


def _jump_remark(task: Task, disjunct: int, points: np.ndarray) -> str:
    """Whether the runtime, whose rounding may carry a value across a jump, computes a violation at a point."""
    outputs = _runtime_outputs(task, points) if has_jumps(task.network) else None
    if outputs is None:
        return ""
    patterns = task.query.patterns
    if (_margins(task, disjunct, patterns.forms(points, outputs)) >= 0).all():
        return ""
    return (
        "proved in real arithmetic: ONNX Runtime computes a violation at some inputs, where float32's rounding carries "
        "a value across a jump"
    )


def _runtime_outputs(task: Task, points: np.ndarray) -> np.ndarray | None:
    """What ONNX Runtime computes at inputs, shape (N, outputs); None where it fails."""
    inputs = points if task.query.change is None else task.query.change.inputs(points)
    try:
        return np.stack([task.replay.run(point) for point in inputs.astype(np.float32)])
    except VerifierError:
        return None


def _remark(task: Task, disjunct: int, points: np.ndarray, margin: float) -> str:
    rng = np.random.default_rng(task.options.seed)
    converted = convert_like(task.example)(points)
    exact = _margins(task, disjunct, to_numpy(task.forms.forward(converted)))
    kind = task.network.rounds_to or "float32"
    rounded = _margins(task, disjunct, to_numpy(perturbed(task.forms, converted, UNITS[kind], rng)))
    error = float(np.max(np.abs(rounded - exact), initial=0.0))
    crosses = bool((rounded < 0).any()) or (margin > VISIBLE and error >= margin)
    if not (crosses and np.isfinite(error)):
        return ""
    outputs = _runtime_outputs(task, points)
    if outputs is None:
        return ""
    patterns = task.query.patterns
    forms = patterns.forms(points, outputs)
    seen = float(np.max(np.abs(_margins(task, disjunct, forms) - exact), initial=0.0))
    if seen >= CONFIRMED * (min(error, margin) if margin > VISIBLE else error):
        where = "ONNX Runtime"
    elif task.network.rounds_to and margin > VISIBLE:
        where = f"a runtime that rounds every result to {kind}, as ONNX Runtime does not here,"
    else:
        return ""
    return (
        f"proved in real arithmetic: {kind}'s own rounding, about {max(seen, error):.1g} here, exceeds the margin, "
        f"so {where} may compute a violation"
    )


def _margins(task: Task, disjunct: int, forms: np.ndarray) -> np.ndarray:
    """The disjunct's margin for values of all forms, shape (N, K); shape (N,)."""
    return np.array([task.query.patterns.margin(disjunct, row) for row in forms])


def _points(box: Box, grid: Grid) -> np.ndarray:
    """Inputs of the network's type in the box: its middle, and others between middle and corners."""
    rng = np.random.default_rng(0)
    low, high = box.inner_lower.astype(np.float64), box.inner_upper.astype(np.float64)
    shares = np.vstack([np.full((1, box.size), 0.5), rng.uniform(size=(POINTS - 1, box.size))])
    shares[1:3] = np.rint(shares[1:3])
    points = low + shares * (high - low)
    if box.ball is not None:
        points = box.ball.retracted(points, low, high)
    return grid.nearest(points).astype(np.float64)
