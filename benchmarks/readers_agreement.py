"""How well networks, as read, agree with ONNX Runtime: a table over every network of the VNN-COMP index.

    python benchmarks/readers_agreement.py FOLDER [--points 5] [--only TEXT]

FOLDER holds `index.jsonl`. Each network is evaluated in float64 and by ONNX Runtime at random points of the input box
of its first property; the error is max |difference| / max(1, largest |output|). Exits with 1 where one exceeds 1e-4.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from verifier.errors import VerifierError
from verifier.evidence.replay import Replay
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property

LARGEST_ERROR = 1e-4


def first_properties(folder: Path) -> dict[str, str]:
    """Every network of the index, with the first property asked about it; paths relative to the folder."""
    found: dict[str, str] = {}
    for line in (folder / "index.jsonl").read_text().splitlines():
        record = json.loads(line)
        found.setdefault(record["onnx"], record["vnnlib"])
    return found


def agreement(network_path: Path, property_path: Path, points: int) -> tuple[float, str]:
    """The largest relative error at random points, and a row of facts for the table.

    Raises:
        VerifierError: the network or the property cannot be read.
    """
    started = time.perf_counter()
    network = load_network(network_path)
    seconds = time.perf_counter() - started
    box = load_property(property_path, network).disjuncts[0].box
    replay, rng = Replay(network), np.random.default_rng(0)
    worst = 0.0
    for _ in range(points):
        x = rng.uniform(box.lower, box.upper).astype(np.float32)
        wanted, got = replay.run(x), network.forward(x.astype(np.float64)[None, :])[0]
        error = np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max())
        worst = max(worst, float(np.inf if np.isnan(error) else error))
    return worst, f"{worst:9.1e} {1e3 * seconds:9.1f} {len(network.nodes):6d}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=5, help="random points per network")
    parser.add_argument("--only", default="", help="only networks whose path contains this text")
    options = parser.parse_args()
    print(f"{'network':64s} {'error':>9s} {'read, ms':>9s} {'nodes':>6s}")
    disagreeing, unread = 0, 0
    for network, query in first_properties(options.folder).items():
        if options.only not in network:
            continue
        try:
            worst, row = agreement(options.folder / network, options.folder / query, options.points)
            disagreeing += worst > LARGEST_ERROR
        except VerifierError as error:
            row, unread = f"not read: {error}", unread + 1
        print(f"{network[-64:]:64s} {row}", flush=True)
    print(f"{disagreeing} networks are off by more than {LARGEST_ERROR}, {unread} cannot be read")
    return int(disagreeing > 0)


if __name__ == "__main__":
    raise SystemExit(main())
