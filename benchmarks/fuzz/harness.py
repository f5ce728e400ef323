"""What the fuzzers share: cases drawn from a seed and a number, counts, files of failures, and a guarded child.

Every case runs in a child of its own, forked once everything is loaded, so that a hang, a crash or too much memory
ends that case and is counted.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pickle
import pkgutil
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import verifier

MEMORY = 2000.0
"""Megabytes beyond which a case has failed."""


@dataclass
class Finding:
    """What a case tells: `kind` is counted; where `bad`, it is printed and the case's files are kept."""

    kind: str
    told: str = ""
    bad: bool = False


@dataclass
class Case:
    """One case: its random generator, a folder to write in, and what it has found."""

    seed: int
    number: int
    folder: Path
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, self.number])

    def count(self, kind: str) -> None:
        self.findings.append(Finding(kind))

    def blame(self, kind: str, told: str) -> None:
        self.findings.append(Finding(kind, told, bad=True))


Work = Callable[[Case], None]
LEFT_OUT = tuple(f"verifier.{name}" for name in ("__main__", "cli", "training", "zoo", "pictures"))
"""Modules that are not loaded beforehand: they run, or are not asked."""


def load_everything() -> None:
    """Imports all that a case may need, so that no child has to."""
    for name in ("onnxruntime", "highspy", "scipy.optimize", "scipy.sparse.linalg"):
        importlib.import_module(name)
    for found in pkgutil.walk_packages(verifier.__path__, "verifier."):
        if not found.name.startswith(LEFT_OUT):
            with contextlib.suppress(ImportError):
                importlib.import_module(found.name)


def guarded(work: Work, case: Case, limit: float) -> list[Finding]:
    """What a case finds in a child of its own; a hang, a crash, a traceback or much memory are findings."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _serve(work, case, write)
    os.close(write)
    answer, killed = _answer(read, child, limit)
    _, status, usage = os.wait4(child, 0)
    if killed:
        return [Finding("hang", f"more than {limit:g} s", bad=True)]
    try:
        findings: list[Finding] = pickle.loads(answer)
    except (EOFError, pickle.UnpicklingError):
        findings = [Finding("crash", f"ended with wait status {status}", bad=True)]
    if usage.ru_maxrss / 1024 > MEMORY:
        findings.append(Finding("memory", f"{usage.ru_maxrss / 1024:.0f} MB", bad=True))
    return findings


def _serve(work: Work, case: Case, write: int) -> None:
    """The child: works, answers and ends, whatever happens."""
    os.setpgid(0, 0)
    try:
        work(case)
    except BaseException:
        case.blame("traceback", traceback.format_exc())
    with os.fdopen(write, "wb") as pipe:
        pickle.dump(case.findings, pipe)
    os._exit(0)


def _answer(read: int, child: int, limit: float) -> tuple[bytes, bool]:
    """All that the child writes, and whether it had to be killed, with all that it started."""
    data, end = b"", time.monotonic() + limit
    with os.fdopen(read, "rb", buffering=0) as pipe:
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                os.kill(child, signal.SIGKILL)
                return data, True
            piece = pipe.read(1 << 16)
            if not piece:
                return data, False
            data += piece


def fuzz(name: str, work: Work, limit: float, description: str | None) -> int:
    """Runs the cases that the command line asks for; the number of bad findings.

    Args:
        name: of the fuzzer, for the folder of failures.
        work: one case.
        limit: seconds after which a case counts as hanging.
        description: for `--help`.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", type=int, help="this case alone, its files kept")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "verifier-fuzz")
    options = parser.parse_args()
    load_everything()
    keep, counts, bad = options.keep / name, Counter[str](), 0
    started, number = time.monotonic(), options.first if options.only is None else options.only
    while True:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            findings = guarded(work, Case(options.seed, number, Path(folder)), limit)
            failures = [finding for finding in findings if finding.bad]
            if failures or options.only is not None:
                kept = keep / f"{options.seed}-{number}"
                shutil.copytree(folder, kept, dirs_exist_ok=True, symlinks=True, ignore=_unreadable)
            for finding in failures:
                print(f"BAD {finding.kind}: seed {options.seed} case {number} ({kept})\n    {finding.told}", flush=True)
        counts.update({"cases": 1}, **Counter(finding.kind for finding in findings))
        bad += len(failures)
        number += 1
        if options.only is not None or time.monotonic() - started > options.seconds:
            break
    print(f"{name}: seed {options.seed}, {time.monotonic() - started:.0f} s, next case {number}")
    for kind, count in sorted(counts.items()):
        print(f"    {kind:50s} {count:7d}")
    print(f"    {'BAD':50s} {bad:7d}")
    return bad


def _unreadable(folder: str, names: list[str]) -> set[str]:
    """What is neither file, link nor folder, and cannot be kept."""
    paths = {name: Path(folder) / name for name in names}
    return {name for name, path in paths.items() if not (path.is_symlink() or path.is_dir() or path.is_file())}
