"""Stores with chosen results, without any verification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from verifier.batch.instances import Instance
from verifier.batch.outcome import Outcome
from verifier.batch.plan import Item, Settings
from verifier.batch.store import Store
from verifier.verdict import Status, Verdict


def item(name: str, method: str = "auto", truth: str = "", benchmark: str = "set") -> Item:
    """An item on files that need not exist; the same name is the same network and property."""
    instance = Instance(benchmark, Path(f"/nowhere/{name}.onnx"), Path(f"/nowhere/{name}.vnnlib"), 10.0, truth)
    return Item(instance, method, 10.0, f"network {name}", f"property {name}")


def outcome(status: str, seconds: float = 1.0, method: str = "auto") -> Outcome:
    return Outcome(Verdict(Status(status), method, seconds=seconds))


def add_run(path: Path, results: Sequence[tuple[Item, Outcome | None]], settings: Settings | None = None) -> int:
    """Adds a run with these items and results; None leaves an item without one."""
    with Store(path) as store:
        run = store.begin([item for item, _ in results], settings or Settings(), {"versions": {"verifier": "0"}})
        given = [outcome for _, outcome in results]
        known = [
            (item, outcome) for item, outcome in zip(store.pending(run), given, strict=True) if outcome is not None
        ]
        store.record(run, known)
        store.leave(run)
    return run
