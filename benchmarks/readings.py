"""Whether the checker reads models as ONNX Runtime does: their values at random points in and near properties' boxes.

    python benchmarks/readings.py INDEX.jsonl [--points 4] [--only BENCH,BENCH]

Every distinct model of the index is looked at with its first property. Prints a line for each: the largest difference
of an output, relative to the model's largest one, or why it cannot be read. A difference beyond 1e-4 makes the exit
status 1: a proof would be about another function. Single precision alone stays far below.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from verifier.checker.claim import read_property
from verifier.checker.elementary import VALUE
from verifier.checker.files import MODEL, contents
from verifier.checker.graph import Function, Graph, Linear, Product, Unreadable
from verifier.checker.model import read_model
from verifier.checker.steps import STEPS

MOST = 1e-4
"""The largest relative difference that single precision explains."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--only", default="", help="benchmarks, with commas between")
    asked = parser.parse_args()
    wrong, seen = 0, set()
    for line in map(json.loads, asked.index.read_text().splitlines()):
        if line["onnx"] in seen or (asked.only and line["bench"] not in asked.only.split(",")):
            continue
        seen.add(line["onnx"])
        try:
            found = difference(asked.index.parent / line["onnx"], asked.index.parent / line["vnnlib"], asked.points)
            told = f"{found:.1e}" + ("" if found <= MOST else " WRONG")
            wrong += not found <= MOST
        except Unreadable as why:
            told = f"unreadable: {why}"
        print(f"{line['onnx']:<60} {told}", flush=True)
    print(f"{len(seen)} models, {wrong} of which are read otherwise than ONNX Runtime reads them")
    return int(wrong > 0)


def difference(model: Path, prop: Path, points: int) -> float:
    """The largest difference of an output, relative to the largest one; every other point is near the box."""
    graph, box, rng = read_model(model), read_property(prop).disjuncts[0], np.random.default_rng(0)
    low, high = (np.array([float(v) for v in ends]) for ends in (box.lower, box.upper))
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(contents(model, MODEL), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    shape = [n if isinstance(n, int) and n > 0 else 1 for n in given.shape]
    worst = 0.0
    for k in range(points):
        x = rng.uniform(low, high) + (k % 2) * rng.normal(size=low.shape)
        x = x.astype(np.double if "double" in given.type else np.float32)
        runtime = np.concatenate([y.ravel() for y in session.run(None, {given.name: x.reshape(shape)})])
        own = output(graph, x.astype(float))
        if own.shape != runtime.shape:
            return np.inf
        worst = max(worst, float(np.abs(own - runtime).max() / (1e-3 + np.abs(runtime).max())))
    return worst


def output(graph: Graph, x: np.ndarray) -> np.ndarray:
    """The output at a point, in doubles."""
    values: list[np.ndarray] = []
    for node in graph.nodes:
        operands = [values[k] for k in node.operands]
        if isinstance(node, Linear):
            values.append(sum((m.apply(v) for m, v in zip(node.maps, operands, strict=True)), node.bias))
        elif isinstance(node, Product):
            values.append(operands[0] * operands[1])
        elif isinstance(node, Function):
            z, kind = operands[0], node.kind
            stepped = STEPS[kind](z) if kind in STEPS else np.maximum(z, 0.0)
            values.append(VALUE[kind](z)[0] if kind in VALUE else stepped)
        else:
            values.append(x)
    return values[graph.output]


if __name__ == "__main__":
    sys.exit(main())
