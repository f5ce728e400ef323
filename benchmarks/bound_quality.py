"""Compares bounds side by side: mean margin over all disjuncts and time of interval, CROWN, alpha-CROWN and the LP.

With `--search` it also runs branch and bound on neurons for a while, with one thread and with two, and prints domains a
second.

    python benchmarks/bound_quality.py INDEX.jsonl [--families mnist_fc,oval21] [--count 6] [--search 10]

INDEX.jsonl has a line an instance: {"bench", "onnx", "vnnlib"}, paths relative to it; `count` are taken of each family,
spread evenly. A margin is a lower bound of (left side - right side) of a row; the larger, the better.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from verifier.methods import Options, Task, method_named
from verifier.methods.optimised import alpha, split_neurons
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property

METHODS = ("interval", "crown", "alpha", "lp")


def instances(index: Path, family: str, count: int) -> list[tuple[Path, Path]]:
    """Networks and properties of a family, `count` of them, spread evenly."""
    records = [json.loads(line) for line in index.read_text().splitlines() if line.strip()]
    chosen = [r for r in records if r["bench"] == family]
    step = max(1.0, len(chosen) / count)
    picked = [chosen[int(i * step)] for i in range(min(count, len(chosen)))]
    return [(index.parent / r["onnx"], index.parent / r["vnnlib"]) for r in picked]


def new_task(paths: tuple[Path, Path], threads: int = 2, timeout: float = 300.0) -> Task:
    """A fresh task; nothing is shared with another method."""
    network = load_network(paths[0])
    return Task(network, load_property(paths[1], network), Options(timeout=timeout, threads=threads))


def measured(paths: tuple[Path, Path], method: str) -> tuple[np.ndarray, float]:
    """The margins that one method proves, shape (D,), and the seconds it takes."""
    task = new_task(paths)
    _ = task.forms
    started = time.perf_counter()
    for stage in method_named(method).stages(task):
        stage(task)
    return task.margins, time.perf_counter() - started


def domains_a_second(paths: tuple[Path, Path], threads: int, seconds: float) -> float:
    """Domains of branch and bound on neurons a second; NaN where it had nothing to do for half that time."""
    task = new_task(paths, threads)
    alpha(task)
    task.deadline = task.deadline.within(seconds)
    task.history.clear()
    split_neurons(task)
    if not task.history or task.deadline.elapsed < 0.5 * seconds:
        return float("nan")
    return task.history[-1].explored / task.history[-1].seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--families", default="mnist_fc,oval21")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--search", type=float, default=0.0, help="seconds of branch and bound, per thread count")
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    for family in arguments.families.split(","):
        paths = instances(arguments.index, family, arguments.count)
        margins, seconds = defaultdict(list), defaultdict(list)
        for pair in paths:
            for method in METHODS:
                found, took = measured(pair, method)
                margins[method].append(float(np.mean(found)))
                seconds[method].append(took)
        for method in METHODS:
            times = statistics.median(seconds[method])
            print(f"{family:10s} {method:9s} mean margin {np.mean(margins[method]):12.4f}  median time {times:7.3f} s")
        if arguments.search:
            for pair in paths:
                one, two = (domains_a_second(pair, threads, arguments.search) for threads in (1, 2))
                print(
                    f"{family:10s} {pair[1].name[:44]:44s} domains/s {one:7.0f} and {two:7.0f}, ratio {two / one:.2f}"
                )


if __name__ == "__main__":
    main()
