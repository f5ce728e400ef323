"""Reads a VNN-LIB 1.0 file of about 100 MB with 11,000 input boxes; prints wall time and peak memory.

    python benchmarks/large_property.py [--boxes 11000] [--inputs 154]

The file is made in a temporary folder: one disjunction, each disjunct with its own bounds on every input and a row on
the output, as the largest files of nn4sys have it.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from pathlib import Path

from verifier.readers.vnnlib import load_property


def write(path: Path, boxes: int, inputs: int) -> None:
    """Writes the file."""
    rng = random.Random(0)
    with path.open("w") as file:
        file.writelines(f"(declare-const X_{i} Real)\n" for i in range(inputs))
        file.write("(declare-const Y_0 Real)\n(assert (or\n")
        for _ in range(boxes):
            centres = [rng.random() for _ in range(inputs)]
            bounds = " ".join(f"(>= X_{i} {c - 0.01!r}) (<= X_{i} {c + 0.01!r})" for i, c in enumerate(centres))
            file.write(f"  (and {bounds} (<= Y_0 {rng.random()!r}))\n")
        file.write("))\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boxes", type=int, default=11_000)
    parser.add_argument("--inputs", type=int, default=154)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.vnnlib"
        write(path, options.boxes, options.inputs)
        started = time.perf_counter()
        query = load_property(path)
        seconds = time.perf_counter() - started
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = path.stat().st_size / 1e6
    print(f"{size:.0f} MB, {len(query.disjuncts)} disjuncts: {seconds:.1f} s, peak memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
