"""What an instance costs in a batch, against a process of its own: N trivial instances by `verifier bench` with warm
workers, and by N processes of `verifier verify`, one after another and as many at a time as there are workers.

    python benchmarks/batch_overhead.py [--instances 500] [--workers 2]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SPECS = Path(__file__).resolve().parents[1] / "vnnlib_specs"
TRIVIAL = (("moons", "moons_everywhere"), ("moons", "moons_upper"), ("digits_dense", "digits_dense_robust"))
VERIFIER = [sys.executable, "-m", "verifier.cli.main"]


def trivial_instances(folder: Path, count: int) -> list[tuple[Path, Path]]:
    """A benchmark folder of so many instances, each with a property file of its own."""
    lines, pairs = [], []
    for number in range(count):
        network, prop = TRIVIAL[number % len(TRIVIAL)]
        pair = folder / f"{network}.onnx", folder / f"{prop}_{number}.vnnlib"
        shutil.copy(SPECS / "onnx" / pair[0].name, pair[0])
        shutil.copy(SPECS / "vnnlib" / f"{prop}.vnnlib", pair[1])
        lines.append(f"{pair[0].name},{pair[1].name},60\n")
        pairs.append(pair)
    (folder / "instances.csv").write_text("".join(lines))
    return pairs


def batch_seconds(folder: Path, workers: int) -> float:
    """Wall time of one `verifier bench`, start and summary included."""
    with tempfile.TemporaryDirectory() as place:
        command = [*VERIFIER, "bench", str(folder), "--workers", str(workers), "--store", f"{place}/s.db"]
        return _seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def process_seconds(pairs: list[tuple[Path, Path]], at_a_time: int) -> float:
    """Wall time of a `verifier verify` process for each pair."""

    def verify(pair: tuple[Path, Path]) -> None:
        done = subprocess.run([*VERIFIER, "verify", *map(str, pair)], stdout=subprocess.DEVNULL, check=False)
        assert done.returncode in (0, 1)

    with ThreadPoolExecutor(at_a_time) as pool:
        return _seconds(lambda: list(pool.map(verify, pairs)))


def _seconds(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        pairs = trivial_instances(Path(place), asked.instances)
        batch = batch_seconds(Path(place), asked.workers)
        print(
            f"bench, {asked.workers} warm workers: {batch:.1f} s, {1000 * batch / asked.instances:.0f} ms each",
            flush=True,
        )
        for at_a_time in dict.fromkeys((1, asked.workers)):
            alone = process_seconds(pairs, at_a_time)
            print(
                f"verify, {at_a_time} processes at a time: {alone:.1f} s, {alone / batch:.1f} times bench", flush=True
            )


if __name__ == "__main__":
    main()
