"""The checker's reading of one-operator models beside ONNX Runtime: its operators, random attributes, shapes, versions.

    python -m benchmarks.fuzz.readings [--seconds 3600] [--seed 0] [--only CASE]

Models are those of `benchmarks.fuzz.operators`. The value of the graph that is read equals the runtime's at random
points within float32's rounding, or reading ends in `Unreadable`. What the runtime refuses may be read, and is counted.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.fuzz.harness import Case, fuzz
from benchmarks.fuzz.operators import LIMIT, POINTS, VALUES, compare, model, session
from benchmarks.readings import output
from verifier.checker.graph import Unreadable
from verifier.checker.model import read_model
from verifier.checker.operators import OPERATORS


def work(case: Case) -> None:
    built = None
    while built is None:
        op = str(case.rng.choice(sorted(OPERATORS)))
        built = model(op, case.rng)
    path = case.folder / "net.onnx"
    path.write_bytes(built.SerializeToString())
    try:
        graph = read_model(path)
    except Unreadable as why:
        case.count(f"refused: {op}: {str(why).rpartition(': ')[2][:60]}")
        return
    shape = [d.dim_value for d in built.graph.input[0].type.tensor_type.shape.dim]
    points = case.rng.normal(size=(POINTS, *shape)).astype(np.float32)
    points[0] = case.rng.choice(VALUES, shape)
    points[1] = np.abs(points[1])
    try:
        theirs = session(path.read_bytes())
        values = [theirs.run(["y0"], {"x": point})[0] for point in points]
    except Exception as error:
        case.count(f"read what the runtime refuses: {op}: {str(error).rpartition(': ')[2][:60]}")
        return
    with np.errstate(all="ignore"):
        got = np.array([output(graph, point.ravel().astype(float)) for point in points])
    compare(case, got, values, op)


if __name__ == "__main__":
    sys.exit(min(1, fuzz("readings", work, LIMIT, __doc__)))
