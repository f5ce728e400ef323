"""Other tools beside ours in one run: the time and the width of bounds, and whole verdicts. CPU, one thread each.

    python -m benchmarks.other_tools --bound-propagation BP/bin/python --bounds NET PROPERTY [NET PROPERTY ...]
    python -m benchmarks.other_tools --vibecheck VC/bin/vibecheck --neuralsat 'NS/bin/python NS/.../src/main.py' \
        --verdicts INSTANCES.jsonl [--timeout 60] [--until 18:00]

Each of the others lives in an environment of its own (`pip install bound-propagation`, `vibecheck-nn`, `neuralsat`); a
tool that is not given, or not there, is left out with a message. Bounds: of a network's outputs over the first box of a
property, the same weights for both (`benchmarks.other_bounds`), CPU time, best of `--repeat`. Theirs are in float32,
its default, and in float64; ours are in float64, with their rounding covered.
Verdicts: each tool's process from start to end, one at a time, in turn, called as in VNN-COMP; wall and CPU time.
INSTANCES.jsonl has a line an instance: {"onnx", "vnnlib", "truth"}, paths relative to it. Start it pinned to one core
(`taskset -c 0`). The exit status is 1 where a verdict contradicts the truth or two tools each other.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from verifier import load_network, load_property
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds
from verifier.bounds.windowed import WindowedPass
from verifier.methods.library import MULTIPLICATIONS, convolution_work
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Network
from verifier.network.linear_maps import Convolution, Dense, Identity, LinearMap

ROOT = Path(__file__).parents[1]
DTYPES = ("float32", "float64")
MORE = 6
"""Times as many repeats of interval bounds, which take milliseconds."""
GRACE = 10.0
"""Seconds after its timeout when a tool is killed."""
DECIDED = ("sat", "unsat")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
CALLS = {
    "ours": "verify {onnx} {vnnlib} --timeout {timeout} --result {result}",
    "vibecheck": "--net {onnx} --spec {vnnlib} --device cpu --timeout {timeout} --results-file {result}",
    "neuralsat": "--net {onnx} --spec {vnnlib} --device cpu --timeout {timeout} --result_file {result} --export_cex",
}


@dataclass
class Bounds:
    """What one tool found by one method."""

    lower: np.ndarray
    upper: np.ndarray
    seconds: float

    @property
    def width(self) -> float:
        return float(np.mean(self.upper - self.lower))


@dataclass
class Run:
    """What one tool said of one instance."""

    verdict: str
    wall: float
    cpu: float
    last_words: str = ""


@dataclass
class Instance:
    """An instance and all tools' runs."""

    onnx: str
    vnnlib: str
    truth: str
    runs: dict[str, Run] = field(default_factory=dict)

    @property
    def wrong(self) -> bool:
        said = {run.verdict for run in self.runs.values()} | {self.truth}
        return said >= {"sat", "unsat"}


class Unsupported(Exception):
    """A network that the plan has no layer for."""


def layers_between(network: Network, first: int, last: int, arrays: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """The layers that lead from one node to a later one; fills in their arrays.

    Raises:
        Unsupported: there are others than affine ones and relus, or sums that are not nested.
    """
    layers: list[dict[str, Any]] = []
    while last != first:
        node = network.nodes[last]
        if isinstance(node, Affine) and len(node.operands) == 2:
            fork = nearest_common(network, *node.operands)
            biases = np.asarray(node.bias), np.zeros(node.size)
            branches = [
                [*layers_between(network, fork, operand, arrays), affine_layer(linear_map, bias, arrays)]
                for operand, linear_map, bias in zip(node.operands, node.maps, biases, strict=True)
            ]
            layers.append({"kind": "sum", "branches": branches})
            last = fork
            continue
        if isinstance(node, Affine) and len(node.operands) == 1:
            layers.append(affine_layer(node.maps[0], np.asarray(node.bias), arrays))
        elif isinstance(node, Elementwise) and isinstance(node.function, Relu):
            layers.append({"kind": "relu"})
        else:
            raise Unsupported(f"{type(node).__name__} of {len(node.operands)} operands")
        last = node.operands[0]
    return layers[::-1]


def nearest_common(network: Network, left: int, right: int) -> int:
    """The last node that all paths to both pass; nodes are in topological order."""
    while left != right:
        later = max(left, right)
        operands = network.nodes[later].operands
        if len(operands) > 2 or not operands:
            raise Unsupported("branches that do not meet")
        step = operands[0] if len(operands) == 1 else nearest_common(network, *operands)
        left, right = min(left, right), step
    return left


def affine_layer(linear_map: LinearMap, bias: np.ndarray, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """One map and its bias."""
    if isinstance(linear_map, Identity) and not bias.any():
        return {"kind": "identity"}
    names = {"weight": f"w{len(arrays)}", "bias": f"b{len(arrays)}"}
    arrays[names["bias"]] = bias
    if isinstance(linear_map, Dense) and linear_map.before == linear_map.after == 1:
        arrays[names["weight"]] = np.asarray(linear_map.weight)
        return {"kind": "dense", **names}
    if isinstance(linear_map, Convolution) and len(linear_map.in_shape) == 4 and linear_map.in_shape[0] == 1:
        window = linear_map.window
        if window.groups == 1 and set(window.dilations) == {1}:
            arrays[names["weight"]] = np.asarray(linear_map.kernel)
            pads = [p for both in zip(window.pads_begin, window.pads_end, strict=True) for p in both]
            shape = {"in_shape": linear_map.in_shape[1:], "strides": window.strides, "pads": pads}
            return {"kind": "convolution", **names, **shape}
    raise Unsupported(repr(linear_map))


def our_bounds(network: Network, box: Interval, method: str) -> Bounds:
    """Both ends of the outputs; CROWN's with adaptive slopes, on CROWN's bounds of all nodes."""
    started = time.process_time()
    if method == "interval":
        found = interval_bounds(network, box.lower, box.upper)[-1]
        lower, upper = found.lower[0], found.upper[0]
    else:
        intervals = linear_bounds(network, box.lower, box.upper)
        size = network.output_size
        rows = np.concatenate([np.eye(size), -np.eye(size)])[None]
        ends = WindowedPass(network, intervals).minimum(len(network.nodes) - 1, rows).bound[0]
        lower = np.maximum(ends[:size], intervals[-1].lower[0])
        upper = np.minimum(-ends[size:], intervals[-1].upper[0])
    return Bounds(np.asarray(lower), np.asarray(upper), time.process_time() - started)


def their_bounds(worker: subprocess.Popen[str], method: str) -> Bounds:
    """What `other_bounds` answers."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(method + "\n")
    worker.stdin.flush()
    answer = json.loads(worker.stdout.readline())
    return Bounds(np.array(answer["lower"]), np.array(answer["upper"]), answer["seconds"])


def compare_bounds(files: list[Path], python: str, repeat: int) -> list[dict[str, Any]]:
    """A row for each network and method, printed as it is found."""
    print(f"{'':26}{'CPU ms':^27}{'best over':>10}{'mean width':^17}")
    print(f"{'network':17}{'method':9}{'ours':>9}{'float32':>9}{'float64':>9}{'ours':>9}{'ours':>9}{'theirs':>9}")
    table = []
    for model, prop in zip(files[::2], files[1::2], strict=True):
        network = load_network(model)
        box = load_property(prop, network).disjuncts[0].box
        if convolution_work(network) >= MULTIPLICATIONS:
            network = network.with_torch()  # as a task chooses once it has run for a while
        try:
            rows = list(rows_of(network, box, python, repeat))
        except Unsupported as error:
            print(f"{model.stem[:23]:24}left out: it has {error}")
            continue
        for row in rows:
            table.append({"network": model.stem, "property": prop.name, **row})
            times = [1e3 * row[name] for name in ("ours", *DTYPES)]
            cells = "".join(f"{ms:9.1f}" for ms in times) + f"{min(times[1:]) / times[0]:8.2f}x"
            print(
                f"{model.stem[:16]:17}{row['method']:9}{cells}{row['width']:9.3g}{row['their_width']:9.3g}", flush=True
            )
    return table


def rows_of(network: Network, box: Any, python: str, repeat: int) -> Iterator[dict[str, Any]]:
    """The times of both tools by each method, and the widths."""
    arrays = {"lower": box.lower, "upper": box.upper}
    plan = layers_between(network, 0, len(network.nodes) - 1, arrays)
    ends = Interval(box.lower[None], box.upper[None])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.savez(folder / "plan.npz", plan=json.dumps(plan), **arrays)
        asked: dict[str, Callable[[str], Bounds]] = {"ours": partial(our_bounds, network, ends)}
        for dtype in DTYPES:
            command = [python, "-P", str(ROOT / "benchmarks" / "other_bounds.py"), str(folder / "plan.npz"), dtype]
            environment = os.environ | ONE_THREAD
            pipe = subprocess.PIPE
            worker = subprocess.Popen(command, text=True, env=environment, stdin=pipe, stdout=pipe)
            stack.enter_context(worker)
            asked[dtype] = partial(their_bounds, worker)
        for method, turns in (("interval", MORE * repeat), ("crown", repeat)):
            found = [{name: ask(method) for name, ask in asked.items()} for _ in range(1 + turns)][1:]  # warm
            best = {name: min(turn[name].seconds for turn in found) for name in asked}
            ours, theirs = found[0]["ours"], found[0]["float64"]
            looser = float(np.max((ours.upper - ours.lower) - (theirs.upper - theirs.lower)))
            yield {"method": method, **best, "width": ours.width, "their_width": theirs.width, "looser": looser}


def finished(command: list[str], timeout: float, result: Path, environment: dict[str, str]) -> Run:
    """One tool's process on one instance; its verdict is the first word of the result file."""
    started = time.perf_counter()
    quiet = subprocess.DEVNULL
    with open(result.with_suffix(".log"), "w") as log:
        process = subprocess.Popen(
            command, stdin=quiet, stdout=log, stderr=log, cwd=result.parent, env=environment, start_new_session=True
        )
    before = os.times()
    while process.poll() is None:
        if time.perf_counter() - started > timeout + GRACE:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.01)
    after, wall = os.times(), time.perf_counter() - started
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    words = result.read_text().split() if result.exists() else []
    verdict = words[0].rstrip(",").lower() if words else ("timeout" if wall > timeout else "error")
    lines = result.with_suffix(".log").read_text(errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return Run(verdict, wall, cpu, "" if verdict in DECIDED or not said else said[-1][:200])


def plain(source: Path, folder: Path) -> Path:
    """A copy of a file, unpacked, so that no tool writes beside the original."""
    target = folder / source.name.removesuffix(".gz")
    data = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
    target.write_bytes(data)
    return target


def compare_verdicts(index: Path, tools: dict[str, list[str]], timeout: float, until: str) -> list[Instance]:
    """All tools on all instances, printed as they end; none is begun after `until`."""
    print(f"{'':20}" + "".join(f"{name:^20}" for name in tools))
    print(f"{'instance':20}" + f"{'says':>8}{'wall':>6}{'CPU s':>6}" * len(tools))
    found = []
    for line in filter(str.strip, index.read_text().splitlines()):
        if until and time.strftime("%H:%M") >= until:
            print(f"stopped at {until}: further instances were not begun")
            break
        record = json.loads(line)
        instance = Instance(record["onnx"], record["vnnlib"], record.get("truth", "unknown"))
        for name, command in tools.items():
            instance.runs[name] = run_tool(index.parent, instance, name, command, timeout)
        found.append(instance)
        runs = "".join(f"{run.verdict[:7]:>8}{run.wall:6.1f}{run.cpu:6.1f}" for run in instance.runs.values())
        short = f"{Path(instance.vnnlib).name.split('.vnnlib')[0][:20]}"
        print(f"{short:20}{runs}{' WRONG' * instance.wrong}", flush=True)
        for name, run in instance.runs.items():
            if run.verdict not in (*DECIDED, "timeout"):
                print(f"    {name} ended with: {run.last_words[:60]}", flush=True)
    return found


def run_tool(root: Path, instance: Instance, name: str, command: list[str], timeout: float) -> Run:
    """One tool on one instance, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = {key: plain(root / getattr(instance, key), Path(folder)) for key in ("onnx", "vnnlib")}
        result = Path(folder) / "result"
        words = [word.format(**files, timeout=f"{timeout:g}", result=result) for word in shlex.split(CALLS[name])]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | ONE_THREAD
        if name == "ours":
            environment["PYTHONPATH"] = str(ROOT)
        return finished([*command, *words], timeout, result, environment)


def there(name: str, command: str) -> list[str] | None:
    """The words of a command; None, with a message, where it was not given or its program is not found."""
    words = shlex.split(command)
    if words and shutil.which(words[0]):
        return words
    print(f"{name} is left out: {words[0] + ' is not found' if words else 'no command was given'}")
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bound-propagation", default="", metavar="PYTHON", help="of the environment that has it")
    parser.add_argument("--vibecheck", default="", metavar="COMMAND")
    parser.add_argument("--neuralsat", default="", metavar="COMMAND")
    parser.add_argument("--bounds", nargs="+", type=Path, default=[], metavar="FILE", help="networks and properties")
    parser.add_argument("--verdicts", type=Path, metavar="JSONL")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--until", default="", metavar="HH:MM", help="begin no instance after this time")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args()
    bounds: list[dict[str, Any]] = []
    instances: list[Instance] = []
    if options.bounds and (words := there("bound-propagation", options.bound_propagation)):
        bounds = compare_bounds(options.bounds, words[0], options.repeat)
    if options.verdicts:
        given = {name: there(name, getattr(options, name)) for name in ("vibecheck", "neuralsat")}
        own = [sys.executable, "-P", "-m", "verifier"]
        tools = {"ours": own} | {name: words for name, words in given.items() if words}
        instances = compare_verdicts(options.verdicts, tools, options.timeout, options.until)
    if options.json:
        figures = {"bounds": bounds, "verdicts": [asdict(instance) for instance in instances]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return int(any(instance.wrong for instance in instances))


if __name__ == "__main__":
    with threadpool_limits(1):
        sys.exit(main())
