"""The results as the page's JSON: a light row for each, and what is shown once a row is opened."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from verifier.batch.proof_record import ProofRecord
from verifier.batch.records import KeptWitness, Result
from verifier.batch.report.images import as_image, image_record
from verifier.batch.report.material import Material
from verifier.shown import json_number

HISTORY = 50
"""Points of a history that the page keeps."""
ENTRIES = 200
"""Entries of an input or output that the page keeps."""
LOG = 4000
"""Characters of a log that the page keeps, its end."""
IMAGES = 3_000_000
"""Bytes of images in all that the page keeps; it shows the first entries of what comes after as numbers."""

NOT_DONE = "not done"


def page_data(material: Material) -> dict[str, Any]:
    """What filters, table and plots need: names once, and for each result a row of numbers."""
    contenders = list(material.by_contender)
    of_benchmark = {name: number for number, name in enumerate(material.benchmarks)}
    of_contender = {who: number for number, who in enumerate(contenders)}
    of_key = {key: number for number, key in enumerate(dict.fromkeys(r.key for r in material.results))}
    rows = [
        [
            of_benchmark[result.benchmark],
            result.name.removeprefix(result.benchmark + "/"),
            of_contender[material.contender(result)],
            str(result.verdict or NOT_DONE),
            result.fault,
            round(result.seconds, 4),
            result.truth,
            result.timeout,
            2 if result.wrong else int(result.solved and result.key in material.contradicted),
            of_key[result.key],
            _proof(result.proof),
        ]
        for result in material.results
    ]
    return {
        "benchmarks": material.benchmarks,
        "contenders": [{"run": c.run, "method": c.method, "label": c.label} for c in contenders],
        "rows": rows,
    }


def _proof(proof: ProofRecord | None) -> list[float | str] | None:
    """What table and plots need of a proof: bytes, seconds, what the checker said, its seconds."""
    if proof is None:
        return None
    return [proof.size if proof.path else -1, round(proof.seconds, 4), proof.checked, round(proof.check_seconds, 4)]


def details(material: Material) -> dict[str, Any]:
    """What is shown once a row is opened: for each result its own, and for each instance its files."""
    left, records, files = IMAGES, [], dict[tuple[str, ...], int]()
    for result in material.results:
        record = _detail(result)
        if result.kept is not None:
            record["witness"] = _witness(result.kept, left)
            left -= len(record["witness"].get("image", {}).get("bytes", ""))
        asked = str(result.network), result.network_hash, str(result.prop), result.property_hash
        record["files"] = files.setdefault(asked, len(files))
        records.append(record)
    return {"results": records, "files": list(files)}


def _detail(result: Result) -> dict[str, Any]:
    """All but the witness; what is empty is left out."""
    record = {
        "bound": result.bound,
        "cpu": round(result.cpu_seconds, 3),
        "memory": round(result.peak_memory),
        "settled": result.settled_by,
        "detail": result.detail,
        "explanation": list(result.explanation),
        "history": _history(result),
        "log": result.log[-LOG:],
        "cut": len(result.log) > LOG,
        "worker": result.worker,
        "ended": result.ended,
        "proof": "" if result.proof is None else " ".join((result.proof.note, result.proof.path)).strip(),
    }
    return {name: value for name, value in record.items() if value not in (None, "", [], False)}


def _history(result: Result) -> list[list[float | None]]:
    """Seconds, bound and open parts, evenly thinned, the last entry among them."""
    step = max(1, math.ceil(len(result.history) / HISTORY))
    chosen = result.history[::-1][::step][::-1]
    return [[_finite(entry.get(name)) for name in ("seconds", "bound", "open")] for entry in chosen]


def _finite(value: float | None) -> float | None:
    return None if value is None else json_number(float(f"{value:.6g}"))


def _witness(kept: KeptWitness, room: int) -> dict[str, Any]:
    """The witness for JSON; an image only where its bytes fit in."""
    witness = kept.witness
    record: dict[str, Any] = {"y": _numbers(witness.y), "outputs": witness.y.size, "inputs": witness.x.size}
    record["shapes"] = [list(shape) for shape in kept.shapes]
    record["distance"] = json_number(witness.distance)
    leads = _leads(witness.y)
    if leads:
        record["leads"] = leads
    pixels = as_image(kept.shapes, witness.x) if np.isfinite(witness.x).all() else None
    if pixels is not None:
        image = image_record(pixels)
        if len(image["bytes"]) <= room:
            return {**record, "image": image}
    return {**record, "x": _numbers(witness.x)}


def _leads(y: np.ndarray) -> str:
    """Which of the outputs is the largest: the class that a classifier gives the witness; empty for a single output."""
    if y.size < 2 or not np.isfinite(y).all():
        return ""
    first = int(y.argmax())
    return f"largest output: number {first}, counted from 0 (of a classifier: class {first})"


def _numbers(values: np.ndarray) -> list[float | None]:
    """The first entries by the shortest decimals that read back as the same float32; null where not finite."""
    with np.errstate(over="ignore"):
        shown = values[:ENTRIES].astype(np.float32)
    return [float(str(value)) if math.isfinite(value) else None for value in shown]
