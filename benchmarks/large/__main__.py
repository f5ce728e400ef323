"""Makes large networks of eight kinds and their queries, reads them, and asks `verifier verify` about each.

    python -m benchmarks.large [--folder FOLDER] [--timeout 60] [--memory 4000] [--threads 1] [--only KIND,KIND]
        [--json FILE] [--against FILE] [--make]

Networks are made once, in about seven minutes of one core, and are the same wherever torch is. The folder gets an
`index.jsonl` of models, properties and known truths. Every query is a process of its own; s is its wall time, MB its
largest resident size, bent/values the entries of elementwise functions and of all nodes. Truths are planted: `unsat` by
interval arithmetic or by trying all inputs, `sat` by a witness in ONNX Runtime, `?` where nobody knows. What is written
by --json can be compared with later by --against. The exit status is 1 if a verdict is wrong or a network is read
otherwise than ONNX Runtime runs it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.large.making import KINDS, make
from benchmarks.large.measuring import Limits, Outcome, Reading, read, verify
from benchmarks.large.table import HEADING, comparison, opening, row, summary

MOST = 0.01
"""The largest relative difference between readings that rounding at a jump may make."""


def main() -> int:
    asked = arguments()
    asked.folder = asked.folder.resolve()
    lines = make(asked.folder, asked.only)
    if asked.make:
        return 0
    limits = Limits(asked.timeout, asked.memory, asked.threads)
    before = outcomes_of(asked.against) if asked.against else []
    readings: dict[str, Reading] = {}
    found: list[Outcome] = []
    print(HEADING, flush=True)
    for line in lines:
        model = str(line["onnx"])
        first = model not in readings
        if first:
            readings[model] = read(asked.folder / model, asked.folder / str(line["vnnlib"]))
            for told in opening(Path(model).stem, readings[model]):
                print(told, flush=True)
        found.append(verify(line, asked.folder, limits, readings[model]))
        print(row(found[-1], readings[model], first), flush=True)
        if asked.json:
            write(asked.json, limits, readings, found)
    print(summary(found))
    for told in comparison(before, found) if before else ():
        print(told)
    return int(any(o.wrong for o in found) or any(r.difference > MOST for r in readings.values()))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("large"), help="where the networks are, or will be")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for each query")
    parser.add_argument("--memory", type=float, default=4000.0, help="megabytes")
    parser.add_argument("--threads", type=int, default=1, help="cores")
    parser.add_argument("--only", type=kinds, default=list(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--json", type=Path, help="where to write what was found")
    parser.add_argument("--against", type=Path, help="what --json wrote earlier, to compare with")
    parser.add_argument("--make", action="store_true", help="make the networks and stop")
    return parser.parse_args()


def kinds(text: str) -> list[str]:
    """Names of kinds with commas between."""
    names = text.split(",")
    for name in names:
        if name not in KINDS:
            raise argparse.ArgumentTypeError(f"no kind '{name}'; there are {', '.join(KINDS)}")
    return names


def write(path: Path, limits: Limits, readings: dict[str, Reading], outcomes: list[Outcome]) -> None:
    """All that was found so far."""
    networks = {Path(name).stem: asdict(reading) for name, reading in readings.items()}
    content = {"limits": asdict(limits), "networks": networks, "queries": [asdict(outcome) for outcome in outcomes]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def outcomes_of(path: Path) -> list[Outcome]:
    """What `write` wrote."""
    return [Outcome(**fields) for fields in json.loads(path.read_text())["queries"]]


if __name__ == "__main__":
    sys.exit(main())
