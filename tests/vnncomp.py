"""Where the real VNN-COMP instances are; tests that need them are skipped where the folder is absent."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Instance:
    """A line of the index; `truth` is unsat, sat or unknown."""

    bench: str
    network: Path
    prop: Path
    timeout: float
    truth: str


def root() -> Path:
    """The folder with `index.jsonl`; skips the calling test where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "vnncomp"
    folder = Path(os.environ.get("VERIFIER_VNNCOMP", beside))
    if not (folder / "index.jsonl").is_file():
        pytest.skip("the VNN-COMP instances are not here; set VERIFIER_VNNCOMP to their folder")
    return folder


def instances(bench: str | None = None) -> list[Instance]:
    """All instances, or those of one benchmark."""
    folder = root()
    records = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines() if line.strip()]
    return [
        Instance(r["bench"], folder / r["onnx"], folder / r["vnnlib"], r["timeout"], r["truth"])
        for r in records
        if bench in (None, r["bench"])
    ]
