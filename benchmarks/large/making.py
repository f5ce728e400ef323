"""Makes the networks of every kind, once, in a folder of its own each."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import time
from pathlib import Path

from benchmarks.large.queries import Folder

KINDS = ("biasfield", "detector", "residual", "transformer", "unet", "patch", "quantised", "recurrent")


def make(path: Path, kinds: list[str]) -> list[dict[str, object]]:
    """Makes what is missing of some kinds in a folder; one index of all that is there, and the lines of those kinds.

    Args:
        kinds: of `KINDS`.
    """
    path.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        if not (path / kind / "index.jsonl").exists():
            _make_one(path, kind)
    lines = [line for kind in KINDS for line in _lines(path / kind / "index.jsonl")]
    (path / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return [line for line in lines if line["bench"] in kinds]


def _make_one(path: Path, kind: str) -> None:
    """Makes one kind beside its place, and moves it there once it is whole."""
    started, partial = time.process_time(), path / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    folder = Folder(partial / kind)
    importlib.import_module(f"benchmarks.large.kinds.{kind}").make(folder)
    folder.close()
    shutil.rmtree(path / kind, ignore_errors=True)
    (partial / kind).rename(path / kind)
    partial.rmdir()
    print(
        f"made {kind}: {len(folder.lines)} queries, {time.process_time() - started:.0f} s of CPU time", file=sys.stderr
    )


def _lines(index: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in index.read_text().splitlines()] if index.exists() else []
