"""Stores whose reports have something to show: contradictions, wrong verdicts, images, hostile names, gaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.batch.stores import add_run, item, outcome
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.plan import Item
from verifier.batch.records import read_places
from verifier.batch.report.material import Material
from verifier.property.query import Declaration
from verifier.verdict import Status, Verdict, Witness

HOSTILE = "<script>alert(1)</script>"
HISTORY = tuple({"seconds": 0.1 * k, "open": k, "explored": k, "bound": -1.0 / (k + 1)} for k in range(120))


def material(*places: Path | str) -> Material:
    return Material(list(read_places([str(place) for place in places])))


def sat(x: np.ndarray, shapes: tuple[tuple[int, ...], ...], seconds: float = 1.0) -> Outcome:
    """A `sat` with this witness."""
    witness = Witness(x.astype(np.float32), np.array([0.25, np.nan]))
    verdict = Verdict(Status.SAT, "auto (attack)", -0.5, witness, seconds)
    return Outcome(verdict, shapes=shapes, declarations=(Declaration("Y", "float32", (2,), True, 0),))


def hostile_item(benchmark: str = "set", method: str = "auto") -> Item:
    """An item whose files and benchmark are named like an attack on the page."""
    plain = item("hostile", method, benchmark=f"{benchmark}|{HOSTILE}")
    names = Path(f"/nowhere/{HOSTILE.replace('/', '')}.onnx"), Path("/nowhere/'\"&|`*a*.vnnlib")
    return replace(plain, instance=replace(plain.instance, network=names[0], prop=names[1]))


def rich_store(path: Path) -> Path:
    """Two runs: complete and incomplete methods, one contradiction, one wrong verdict, an image, faults, a gap."""
    image = np.linspace(0, 1, 64)
    told = replace(
        outcome("unknown", method="alpha"), history=HISTORY, explanation=(HOSTILE,), log=f"{HOSTILE}\n</script>"
    )
    crash = Outcome.failed(Fault.CRASH, f"signal 11 {HOSTILE}", "auto", 0.5)
    add_run(
        path,
        [
            (item("image", "auto", "sat"), sat(image, ((1, 8, 8),), 0.5)),
            (item("image", "crown", "sat"), outcome("unknown", 0.1, "crown")),
            (item("proved", "auto"), outcome("unsat", 2.0)),
            (item("proved", "crown"), outcome("unsat", 0.2, "crown")),
            (item("loose", "auto", benchmark="other"), outcome("unsat", 4.0)),
            (item("loose", "crown", benchmark="other"), told),
            (item("numbers", "auto", benchmark="other"), sat(np.arange(300.0), ((300,),))),
            (hostile_item(), crash),
        ],
    )
    add_run(
        path,
        [
            (item("proved", "auto"), sat(np.zeros(2), ((2,),), 3.0)),
            (item("wrong", "auto", "sat"), outcome("unsat", 1.0)),
            (item("gap", "auto"), None),
        ],
    )
    return path
