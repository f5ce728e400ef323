"""All methods on whole benchmarks: what share of what the complete ones prove does each incomplete one prove?"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.output import complain, plain_table, say_table
from verifier.cli.statuses import judged, write_or_exit
from verifier.evidence.result_files import write_whole
from verifier.shown import json_number

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.batch.plan import Settings
    from verifier.batch.records import Result
    from verifier.batch.report.material import Material


@dataclass(frozen=True)
class Place:
    """Where a comparison on instances is kept, and how it is worked on.

    Attributes:
        store: the SQLite file.
        resume: whether to go on with the run that asks the same.
        workers: instances at a time.
        evidence: where both sides of contradictions are written, where there are any.
    """

    store: Path
    resume: bool
    workers: int
    evidence: Path


def on_instances(path: Path, settings: Settings, place: Place, json_file: Path | None) -> int:
    """Runs the methods on all instances of a list, as `verifier bench` does, and sums up; the exit status."""
    from verifier.batch.instances import read_instances
    from verifier.batch.plan import planned
    from verifier.batch.report.material import Material
    from verifier.batch.store import Store
    from verifier.cli.bench_work import Work

    items = planned(read_instances(path), settings)
    with Store(place.store) as opened:
        results = Work(opened, settings, place.workers, None).done(items, place.resume)
    material = Material([(results[0].run, results)])
    say_table(_table(material))
    status = judged(material.results)
    if material.contradictions:
        text = json.dumps([[_side(result) for result in group] for group in material.contradictions], indent=1) + "\n"
        write_or_exit(status, partial(write_whole, place.evidence, text))
        complain(f"verifier: both sides' evidence is in {place.evidence}")
    if json_file is not None:
        text = json.dumps(_record(material), indent=1) + "\n"
        write_or_exit(status, lambda: write_whole(json_file, text))
    return status


def _side(result: Result) -> dict[str, Any]:
    """One side of a contradiction: who said what of which files, and the witness if there is one."""
    files = {"network": str(result.network), "network_sha256": result.network_hash}
    asked = files | {"property": str(result.prop), "property_sha256": result.property_hash}
    said = {"method": result.settled_by, "verdict": result.verdict, "bound": result.bound, "seconds": result.seconds}
    if result.kept is None:
        return asked | said
    witness = result.kept.witness
    return asked | said | {name: [json_number(v) for v in getattr(witness, name)] for name in ("x", "y")}


def _table(material: Material) -> Table:
    from verifier.batch.report.completeness import crosses
    from verifier.batch.report.scores import totals

    share = {cross.who.method: cross for cross in crosses(material)}
    table = plain_table(caption="share: of what the complete methods together proved")
    table.add_column("method", no_wrap=True)
    for heading in ("instances", "verified", "falsified", "share", "median s", "total s"):
        table.add_column(heading, justify="right")
    for line in totals(material):
        cross, score = share.get(line.who.method), line.score
        part = "" if cross is None or cross.share is None else f"{cross.verified}/{cross.asked} {cross.share:.0%}"
        counts = (str(n or "") for n in (score.instances, score.verified, score.falsified))
        median = "" if score.median_seconds is None else f"{score.median_seconds:.3f}"
        table.add_row(line.who.method, *counts, part, median, f"{score.total_seconds:.1f}")
    return table


def _record(material: Material) -> dict[str, Any]:
    """For each method what it decided, and each incomplete one's share of what the complete ones proved."""
    from verifier.batch.report.completeness import crosses
    from verifier.batch.report.scores import totals

    found: dict[str, Any] = {line.who.method: asdict(line.score) for line in totals(material)}
    for cross in crosses(material):
        found[cross.who.method] |= {"proved_by_complete": cross.asked, "of_those_by_it": cross.verified}
    groups = [[f"{r.method} says {r.verdict} of {r.name}" for r in group] for group in material.contradictions]
    return {"methods": found, "contradictions": groups}
