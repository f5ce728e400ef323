"""Makes networks with a hidden counterexample, one for each seed, and asks `verifier verify` about each.

    python -m benchmarks.planted [--folder FOLDER] [--first 1] [--count 10] [--timeout 150] [--threads 1] [--make]

Each takes about half a minute of one core to train, once, and is the same wherever torch is. Its planted point is seen
to be a violation in ONNX Runtime, and an attack of 250 restarts with 100 steps does not find one. The folder gets an
`index.jsonl` of models, properties and known truths. The exit status is 1 if a verdict is `unsat`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.large.measuring import Limits, Outcome, read, verify
from benchmarks.large.queries import Folder
from benchmarks.planted.making import add, planted


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("planted"), help="where the networks are, or will be")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=10, help="how many seeds")
    parser.add_argument("--timeout", type=float, default=150.0, help="seconds for each query")
    parser.add_argument("--memory", type=float, default=4000.0, help="megabytes")
    parser.add_argument("--threads", type=int, default=1, help="cores")
    parser.add_argument("--make", action="store_true", help="make the networks and stop")
    asked = parser.parse_args()
    lines = [made(asked.folder.resolve(), seed) for seed in range(asked.first, asked.first + asked.count)]
    (asked.folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if asked.make:
        return 0
    found = [asked_about(line, asked.folder.resolve(), asked) for line in lines]
    print(f"{sum(o.verdict == 'sat' for o in found)} of {len(found)} found")
    return int(any(o.verdict == "unsat" for o in found))


def made(folder: Path, seed: int) -> dict[str, object]:
    """The line of the index of a network, which is made where it is missing."""
    index = folder / f"{seed}.json"
    if not index.exists():
        one = Folder(folder)
        add(one, seed, planted(seed))
        (line,) = one.lines
        index.write_text(json.dumps(line | {key: Path(str(line[key])).name for key in ("onnx", "vnnlib")}))
    line = json.loads(index.read_text())
    assert isinstance(line, dict)
    return line


def asked_about(line: dict[str, object], folder: Path, asked: argparse.Namespace) -> Outcome:
    """What `verifier verify` says, in a process of its own, printed."""
    reading = read(folder / str(line["onnx"]), folder / str(line["vnnlib"]))
    outcome = verify(line, folder, Limits(asked.timeout, asked.memory, asked.threads), reading)
    print(f"{line['onnx']}: {outcome.verdict}, {outcome.seconds:.1f} s", flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
