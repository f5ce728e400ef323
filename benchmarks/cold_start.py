"""Wall and CPU time of whole processes: `verifier --help`, and `verifier verify` on tiny instances.

    python benchmarks/cold_start.py [NETWORK PROPERTY ...] [--runs 10]

Without arguments it takes vnnlib_specs/onnx/moons.onnx. Prints the median of the runs, beside a Python that only
imports NumPy and onnx, which no verifier of ONNX models in Python can be faster than.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SPECS = Path(__file__).resolve().parents[1] / "vnnlib_specs"
VERIFIER = (sys.executable, "-m", "verifier.cli.main")


def seconds(command: tuple[str, ...]) -> tuple[float, float]:
    """Wall and CPU seconds of one run."""
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - started, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", help="networks and properties in turn")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    files = options.files or [str(SPECS / "onnx/moons.onnx"), str(SPECS / "vnnlib/moons_upper.vnnlib")]
    commands: dict[str, tuple[str, ...]] = {
        "import numpy, onnx": (sys.executable, "-c", "import numpy, onnx"),
        "verifier --help": (*VERIFIER, "--help"),
    }
    for network, prop in zip(files[::2], files[1::2], strict=True):
        commands[f"verify {Path(network).stem} {Path(prop).stem}"] = (*VERIFIER, "verify", network, prop)
    print(f"{'median of ' + str(options.runs):60s}{'wall s':>8s}{'CPU s':>8s}")
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(options.runs):  # in turn, so that all meet the same noise
        for name, command in commands.items():
            measured[name].append(seconds(command))
    for name, runs in measured.items():
        wall, cpu = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"{name:60s}{wall:8.2f}{cpu:8.2f}")


if __name__ == "__main__":
    main()
