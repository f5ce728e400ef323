"""That no proof lies above any witness: every bound on the minimal perturbation, on digits and random tiny networks.

For each sample and norm all attacks, all certificates, bisection by incomplete methods and by `auto` (on tiny networks
the program `milp-distance` as well). A crossing, a proof above some witness's distance, ends in the exit status 1. The
table has, for each method and norm, the median of its bound relative to the value, over the brackets that are exact.
Tiny networks have 2 or 3 inputs in [-1, 1], 6 to 8 relus in one or two layers, 3 classes, weights and a sample of their
own seed, written as ONNX models and read back. Results are kept a line each, so that a run that was cut short goes on.

    python -m benchmarks.brackets {digits,tiny} RESULTS.jsonl [--count 100] [--first 0] [--norms 1 2 inf]
        [--in-turn] [--methods ...] [--timeout 60] [--workers 2]
    python -m benchmarks.brackets show RESULTS.jsonl ...
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
from sklearn.datasets import load_digits

from tests.radii.models import relu_network
from verifier.attacks.minimal.registry import ATTACKS
from verifier.network.graph import Network
from verifier.radii.bracket import bracket_record
from verifier.radii.certificates import CERTIFICATES
from verifier.radii.measure import BISECTED, RadiusOptions, measure
from verifier.radii.question import RadiusQuestion
from verifier.readers.onnx import load_network

MODEL = Path(__file__).parent.parent / "vnnlib_specs" / "onnx" / "digits_dense.onnx"
LOWER = [name for name in CERTIFICATES if name != "lipsdp"] + ["clever", *BISECTED]
SHAPES = ((2, 6, 3), (2, 8, 3), (3, 6, 3), (3, 8, 3), (2, 4, 4, 3), (2, 4, 3, 3), (3, 4, 4, 3), (3, 3, 3, 3))


@dataclass(frozen=True)
class Item:
    """One question: `kind` digits or tiny, the sample's or the network's number, the norm."""

    kind: str
    index: int
    norm: float
    options: RadiusOptions


def digits_question(item: Item) -> RadiusQuestion:
    data = load_digits()
    label = int(data.target[item.index])
    return RadiusQuestion(_digits_network(), data.data[item.index] / 16.0, label, item.norm, (0.0, 1.0))


@cache
def _digits_network() -> Network:
    return load_network(str(MODEL))


def tiny_question(item: Item) -> RadiusQuestion:
    """A random network, and the first sample of its seed."""
    rng = np.random.default_rng([item.index, 1])
    shape = SHAPES[item.index % len(SHAPES)]
    with tempfile.TemporaryDirectory() as folder:
        network = relu_network(Path(folder), item.index, shape)
    return RadiusQuestion(network, rng.uniform(-1, 1, shape[0]), None, item.norm, (-1.0, 1.0))


def measured(item: Item) -> dict[str, object]:
    """The record of one bracket."""
    question = {"digits": digits_question, "tiny": tiny_question}[item.kind](item)
    bracket = measure(question, item.options)
    record = bracket_record(bracket)
    return {"kind": item.kind, "index": item.index, **record, "ends": [_short(end) for end in record["ends"]]}  # type: ignore[attr-defined]


def _short(end: dict[str, object]) -> dict[str, object]:
    return {key: end[key] for key in ("method", "side", "value", "infinite", "standing", "seconds", "detail")}


def run(items: list[Item], results: Path, workers: int) -> None:
    """Measures what the file does not have yet, and appends it."""
    done = {(r["kind"], r["index"], r["norm"]) for r in records([results])} if results.exists() else set()
    waiting = [i for i in items if (i.kind, i.index, "inf" if math.isinf(i.norm) else int(i.norm)) not in done]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool, results.open("a") as file:
        for count, future in enumerate(as_completed([pool.submit(measured, item) for item in waiting]), start=1):
            record = future.result()
            print(json.dumps(record), file=file, flush=True)
            if record["crossings"]:
                print("CROSSING", record["kind"], record["index"], record["norm"], record["crossings"], flush=True)
            if count % 50 == 0:
                print(f"{count} of {len(waiting)}", file=sys.stderr, flush=True)


def records(paths: list[Path]) -> list[dict]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def value_of(end: dict) -> float:
    return math.inf if end["infinite"] else end["value"]


def show(found: list[dict]) -> int:
    """Prints a table a kind and norm; the number of crossings."""
    keys = sorted({(r["kind"], str(r["norm"])) for r in found})
    for kind, norm in keys:
        group = [r for r in found if (r["kind"], str(r["norm"])) == (kind, norm)]
        ends = [end for r in group for end in r["ends"]]
        proofs = sum(end["side"] == "lower" and end["standing"] != "estimate" for end in ends)
        witnesses = sum(end["side"] == "upper" and not end["infinite"] for end in ends)
        crossed = sum(len(r["crossings"]) for r in group)
        wrong = sum(r["predicted"] != r["label"] for r in group)
        infinite = sum(r["lower"] is None for r in group)
        exact = sum(r["exact"] for r in group)
        print(f"\n{kind}, norm {norm}: {len(group)} brackets, {exact} exact, {sum(r['seconds'] for r in group):.0f} s")
        print(f"{crossed} crossings of {proofs} proofs with {witnesses} witnesses")
        print(f"{wrong} misclassified to begin with, {infinite} without another class in the data's range")
        usable = [r for r in group if r["exact"] and r["upper"]]
        for line in table(usable):
            print(line)
    return sum(len(r["crossings"]) for r in found)


def table(group: list[dict]) -> Iterator[str]:
    """A line for each method: its bound relative to the value."""
    ratios: dict[tuple[str, str], list[float]] = {}
    seconds: dict[tuple[str, str], list[float]] = {}
    for r in group:
        for end in r["ends"]:
            key = end["side"], end["method"]
            ratios.setdefault(key, []).append(value_of(end) / r["upper"])
            seconds.setdefault(key, []).append(end["seconds"])
    yield f"{'end':6} {'method':18} {'median':>8} {'least':>8} {'greatest':>9} {'count':>6} {'seconds':>8}"
    for (side, method), values in ratios.items():
        told = f"{median(values):8.4f} {min(values):8.4f} {max(values):9.4f} {len(values):6d}"
        yield f"{side:6} {method:18} {told} {median(seconds[side, method]):8.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["digits", "tiny", "show"])
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--norms", type=float, nargs="+", default=[1, 2, math.inf])
    parser.add_argument("--in-turn", action="store_true", help="one norm for each number, all in turn")
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.kind != "show":
        methods = arguments.methods or [*ATTACKS, *LOWER, "auto", *["milp-distance"] * (arguments.kind == "tiny")]
        options = RadiusOptions(methods=methods, timeout=arguments.timeout, threads=1)
        numbers = range(arguments.first, arguments.first + arguments.count)
        norms = [[p] for p in arguments.norms] if arguments.in_turn else [arguments.norms]
        items = [Item(arguments.kind, n, norm, options) for n in numbers for norm in norms[n % len(norms)]]
        run(items, arguments.results[0], arguments.workers)
    sys.exit(1 if show(records(arguments.results)) else 0)


if __name__ == "__main__":
    main()
