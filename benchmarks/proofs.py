"""Which `unsat` of an index has a proof, and what writing and checking it costs beside verifying.

    python benchmarks/proofs.py INDEX.jsonl [--every 5 --first 2] [--timeout 10] [--only BENCH,BENCH]

A line of the index has bench, onnx, vnnlib and truth, its paths relative to it. Every instance is verified first by
`auto` within the timeout; where that says `unsat`, a proof is written within as much time again, and checked. Prints a
line for each instance and a summary: shares by benchmark, the ratios of times, the sizes. A rejected proof makes the
exit status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import verifier
from verifier.checker.main import check
from verifier.deadline import Deadline
from verifier.methods import Task, method_named, run
from verifier.proofs.draft import GivenUp
from verifier.proofs.write import proof_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--every", type=int, default=1, help="one instance in so many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--timeout", type=float, default=10.0)
    parser.add_argument("--only", default="", help="benchmarks, with commas between")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.index.read_text().splitlines()]
    lines = [line for line in lines if line["truth"] == "unsat"][asked.first :: asked.every]
    told: dict[str, Counter[str]] = defaultdict(Counter)
    ratios, sizes = [], []
    for line in lines:
        if asked.only and line["bench"] not in asked.only.split(","):
            continue
        files = (asked.index.parent / line["onnx"], asked.index.parent / line["vnnlib"])
        said, times, size = one(*files, asked.timeout)
        told[line["bench"]][said.partition(":")[0]] += 1
        shown = " ".join(f"{seconds:.2f}" for seconds in times)
        print(
            f"{line['bench']:<20} {files[0].stem[-24:]:<24} {files[1].stem[-30:]:<30} {said} {shown} {size}", flush=True
        )
        if said == "accepted":
            ratios.append((times[1] / times[0], times[2] / times[0]))
            sizes.append(size)
    for bench, counts in sorted(told.items()):
        print(f"{bench:<24} " + ", ".join(f"{count} {said}" for said, count in counts.most_common()))
    if ratios:
        for name, values in zip(("writing / verifying", "checking / verifying"), np.array(ratios).T, strict=True):
            print(f"{name:<24} median {np.median(values):.2f}, 95 % below {np.quantile(values, 0.95):.2f}")
        print(f"{'size, kB':<24} median {np.median(sizes) / 1e3:.1f}, 95 % below {np.quantile(sizes, 0.95) / 1e3:.1f}")
    return int(any(counts["rejected"] for counts in told.values()))


def one(network: Path, prop: Path, seconds: float) -> tuple[str, list[float], int]:
    """What is said of an instance's proof, seconds of verifying, writing and checking, and bytes."""
    times, started = [], time.monotonic()

    def lap() -> None:
        nonlocal started
        times.append(time.monotonic() - started)
        started = time.monotonic()

    read = verifier.load_network(network)
    task = Task(read, verifier.load_property(prop, read), verifier.Options(timeout=seconds))
    verdict = run(task, method_named("auto"))
    lap()
    if not verdict.proved:
        return f"not verified: {verdict.status.value}", times, 0
    try:
        contents = proof_of(network, prop, Deadline(seconds), task.trails)
    except GivenUp as why:
        lap()
        return f"none: {why}", times, 0
    lap()
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        file.write(contents)
        file.flush()
        said, why = check(network, prop, Path(file.name))
    lap()
    return f"{said}: {why}" if why else said, times, len(contents)


if __name__ == "__main__":
    sys.exit(main())
