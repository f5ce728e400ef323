"""Bounds and domains a second on a torch device beside the CPU, and whether verdicts agree.

    python -m benchmarks.gpu [--device cuda] [--seconds 20] [NET PROPERTY ...]

Without files our own small specifications are asked; `python -m benchmarks.large` makes larger ones. Bounds are CROWN's
of every open entry of the first box; domains are those of branch and bound on neurons. Verdicts of `auto` are compared
where both devices reach one: the exit status is 1 where they contradict each other.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from verifier import Options, Status, load_network, load_property
from verifier.arrays import convert_like
from verifier.bounds.interval import interval_bounds
from verifier.bounds.layout import undecided
from verifier.bounds.linear import linear_bounds
from verifier.methods import Task, method_named, run
from verifier.methods.options import example_array
from verifier.network.graph import Network
from verifier.property.query import Box, Query

SPECS = Path(__file__).parents[1] / "vnnlib_specs"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="a torch device, or torch:cpu")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each search")
    parser.add_argument("files", nargs="*", type=Path, default=own(), metavar="NET PROPERTY")
    options = parser.parse_args()
    devices = ("cpu", options.device)
    print(f"{'':22} {'bounds a second':^17} {'domains a second':^17} {'verdicts':^17}")
    print(f"{'property':22}" + " ".join(f"{device:>9}" for _ in range(3) for device in devices))
    wrong = 0
    for name, network, query in questions(options.files):
        bounds = [bounds_a_second(network, query.disjuncts[0].box, device) for device in devices]
        searches = [domains_a_second(network, query, device, options.seconds) for device in devices]
        verdicts = [verdict(network, query, device, options.seconds) for device in devices]
        wrong += set(verdicts) >= {Status.SAT, Status.UNSAT}
        figures = [*(f"{n:.0f}" for n in (*bounds, *searches)), *(v.value for v in verdicts)]
        print(f"{name[:22]:22}" + " ".join(f"{figure:>9}" for figure in figures), flush=True)
    return wrong


def own() -> list[Path]:
    """The networks and properties of our own."""
    lines = (SPECS / "instances.csv").read_text().split()
    return [SPECS / name for line in lines for name in line.split(",")[:2]]


def bounds_a_second(network: Network, box: Box, device: str) -> float:
    """Open entries that CROWN bounds in a second, the second time."""
    example = example_array(device)
    there, convert = network.like(example), convert_like(example)
    ends = convert(box.lower[None]), convert(box.upper[None])
    count = int(undecided(network, interval_bounds(network, box.lower[None], box.upper[None]))[0])
    for _ in range(2):
        started = time.perf_counter()
        float(linear_bounds(there, *ends)[-1].lower[0, 0])  # waits for the device
        seconds = time.perf_counter() - started
    return count / seconds


def domains_a_second(network: Network, query: Query, device: str, seconds: float) -> float:
    """Domains that branch and bound on neurons bounds in a second."""
    task = Task(network, query, Options(timeout=seconds, device=device))
    run(task, method_named("neurons"))
    return max((p.explored / max(p.seconds, 1e-9) for p in task.history), default=0.0)


def verdict(network: Network, query: Query, device: str, seconds: float) -> Status:
    """What `auto` says."""
    return run(Task(network, query, Options(timeout=seconds, device=device)), method_named("auto")).status


def questions(files: list[Path]) -> Iterator[tuple[str, Network, Query]]:
    """Networks with their properties, from pairs of files."""
    for model, prop in zip(files[::2], files[1::2], strict=True):
        network = load_network(model)
        yield prop.stem, network, load_property(prop, network)


if __name__ == "__main__":
    sys.exit(main())
