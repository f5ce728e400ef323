"""Runs `verifier verify` as a process of its own, with limits, and measures it; how well the reader agrees."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import psutil

from benchmarks.large.training import outputs, session
from verifier.errors import VerifierError
from verifier.network.graph import Elementwise
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property

ROOT = Path(__file__).parents[2]
POINTS = 8
GRACE = 15.0
"""Seconds after its time at which a process is ended from outside."""
EXCESS = 2.0
"""Times the memory it may have at which a process is ended from outside."""


@dataclass(frozen=True)
class Limits:
    """What a query may take: seconds, megabytes, cores."""

    timeout: float
    memory: float
    threads: int


@dataclass(frozen=True)
class Reading:
    """A network as the reader has it.

    Attributes:
        weights: numbers stored in the file.
        bent, values: entries of elementwise functions and of all nodes, 0 where it is not read.
        difference: the largest of an output from ONNX Runtime's at random points of the box, relative to the largest.
        problem: the first line of the error, where it is not read.
    """

    weights: int
    bent: int = 0
    values: int = 0
    difference: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a query.

    Attributes:
        seconds, cpu: of the whole process, those of its children included.
        megabytes: the largest resident size of the process and what its children have for themselves, looked at 10
            times a second.
        bound: the best lower bound of the margin, or None.
        problem: the first line of an error.
    """

    network: str
    query: str
    truth: str
    verdict: str
    seconds: float = 0.0
    cpu: float = 0.0
    megabytes: float = 0.0
    bound: float | None = None
    problem: str = ""

    @property
    def wrong(self) -> bool:
        """Whether the verdict contradicts what is known."""
        return {self.verdict, self.truth} == {"sat", "unsat"}

    @property
    def decided(self) -> bool:
        return self.verdict in ("sat", "unsat")


def read(model: Path, prop: Path) -> Reading:
    """Reads a network and compares it with ONNX Runtime at random points of a property's box, float32."""
    tensors = onnx.load(str(model)).graph.initializer
    weights = sum(int(np.prod(tensor.dims)) for tensor in tensors)
    try:
        network = load_network(model)
        box = load_property(prop).disjuncts[0].box
    except VerifierError as error:
        return Reading(weights, problem=str(error).splitlines()[0])
    shares = np.random.default_rng(0).random((POINTS, network.input_size))
    points = (box.lower + shares * (box.upper - box.lower)).astype(np.float32)
    runtime = session(model)
    expected = np.stack([outputs(runtime, x).flatten() for x in points])
    found = network.forward(points.astype(np.float64))
    bent = sum(node.size for node in network.nodes if isinstance(node, Elementwise))
    difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
    return Reading(weights, bent, sum(node.size for node in network.nodes), difference)


def verify(line: dict[str, object], folder: Path, limits: Limits, reading: Reading) -> Outcome:
    """Asks about one line of the index, if its network is read."""
    model, prop = folder / str(line["onnx"]), folder / str(line["vnnlib"])
    names = model.stem, prop.stem.removeprefix(f"{model.stem}-"), str(line["truth"])
    if reading.problem:
        return Outcome(*names, "not read", problem=reading.problem)
    with tempfile.TemporaryDirectory() as scratch:
        record, errors = Path(scratch) / "record.json", Path(scratch) / "errors"
        command = [sys.executable, "-m", "verifier", "verify", str(model), str(prop), "--json", str(record)]
        for option, value in asdict(limits).items():
            command += [f"--{option}", str(value)]
        with errors.open("w") as file:
            started = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
            )
            megabytes, cpu, ended = _watch(process, limits)
            seconds = time.perf_counter() - started
        if record.exists():
            told = json.loads(record.read_text())
            return Outcome(*names, told["verdict"], seconds, cpu, megabytes, told["bound"])
        text = errors.read_text().splitlines()
        return Outcome(*names, ended or "error", seconds, cpu, megabytes, None, text[0] if text else "")


def _watch(process: subprocess.Popen[bytes], limits: Limits) -> tuple[float, float, str]:
    """Waits for a process: its peak in megabytes, its CPU time, and why it had to be ended (or "")."""
    peak, ended, deadline = 0.0, "", time.perf_counter() + limits.timeout + GRACE
    watched = psutil.Process(process.pid)
    while True:
        pid, _, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = 0  # it has been waited for here
            return max(peak, usage.ru_maxrss / 1024), usage.ru_utime + usage.ru_stime, ended
        peak = max(peak, _megabytes(watched))
        late = time.perf_counter() > deadline
        if not ended and (late or peak > EXCESS * limits.memory):
            ended = "late" if late else "memory"
            os.killpg(process.pid, 9)
        time.sleep(0.1)


def _megabytes(process: psutil.Process) -> float:
    """What a process has in memory, and its children for themselves."""
    total = 0
    with contextlib.suppress(psutil.Error):
        total = process.memory_info().rss
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_full_info().uss
    return total / 2**20
