"""The results as CSV, and the summary as Markdown."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Sequence

from verifier.batch.proof_record import ProofRecord
from verifier.batch.records import Result
from verifier.batch.report.completeness import Cross, crosses
from verifier.batch.report.material import Material
from verifier.batch.report.proofs import proof_lines, reasons
from verifier.batch.report.scores import Line, by_benchmark, totals
from verifier.text import cell

COLUMNS = (
    *("run", "benchmark", "network", "property", "network_hash", "property_hash", "method", "timeout", "truth"),
    *("verdict", "wrong", "contradicted", "settled_by", "seconds", "cpu_seconds", "peak_memory", "bound", "fault"),
    *("detail", "explanation", "log", "worker", "ended"),
    *("proof", "proof_bytes", "proof_seconds", "proof_reason", "checked", "check_seconds", "check_reason"),
)
COUNTS = ("instances", "verified", "falsified", "unknown", "timeout", "error", "missing", "wrong", "disputed")


def results_csv(material: Material) -> str:
    """One row a result, the missing ones among them; all but histories and witnesses."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(cell, _row(material, result)) for result in material.results)
    return text.getvalue()


def _row(material: Material, result: Result) -> tuple[object, ...]:
    files = result.network, result.prop, result.network_hash, result.property_hash
    asked = material.label(result.run), result.benchmark, *files, result.method, result.timeout, result.truth
    if result.verdict is None:
        return (*asked, *[""] * (len(COLUMNS) - len(asked)))
    judged = result.verdict, int(result.wrong), int(result.solved and result.key in material.contradicted)
    cost = result.settled_by, result.seconds, result.cpu_seconds, result.peak_memory
    told = result.detail, "\n".join(result.explanation), result.log
    lines = (text.replace("\r\n", "\n").replace("\r", "\n") for text in told)  # a bare \r would end a row for many
    bound = "" if result.bound is None else result.bound
    return (*asked, *judged, *cost, bound, result.fault, *lines, result.worker, result.ended, *_proof(result.proof))


def _proof(proof: ProofRecord | None) -> tuple[object, ...]:
    if proof is None:
        return ("",) * 7
    if not proof.path:
        return ("", "", proof.seconds, proof.reason, "", "", "")
    checked = (proof.checked, proof.check_seconds, proof.check_reason) if proof.checked else ("", "", "")
    return (proof.path, proof.size, proof.seconds, proof.reason, *checked)


def summary_markdown(material: Material) -> str:
    """What disagrees, what was solved, and how incomplete methods compare."""
    parts = ["# Results", *_disagreements(material), "## All benchmarks", _summary(totals(material), False)]
    parts += ["## By benchmark", _summary(by_benchmark(material), True), *_proofs(material)]
    parts += ["## Complete against incomplete methods"]
    found = crosses(material)
    parts += [_shares(found)] if found else ["There are no results of both kinds on the same instances."]
    parts += [part for cross in found for part in (f"### {escaped(cross.who.label)}", _cross(cross))]
    return "\n\n".join(parts) + "\n"


def _disagreements(material: Material) -> list[str]:
    lines = [
        f"- **CONTRADICTION** {escaped(group[0].name)}: "
        + ", ".join(f"{escaped(material.contender(r).label)} says {r.verdict}" for r in group)
        for group in material.contradictions
    ]
    lines += [
        f"- **WRONG** {escaped(r.name)}: {escaped(material.contender(r).label)} says {r.verdict}, known to be {r.truth}"
        for r in material.wrong
    ]
    lines += [
        f"- **KNOWN VERDICTS DIFFER** {escaped(r.name)}: {r.truth} in {escaped(material.label(r.run))}, not elsewhere"
        for r in material.disputed_truths
    ]
    lines += [
        f"- **REJECTED** proof of {escaped(r.name)}: {escaped(material.contender(r).label)}, "
        + escaped(r.proof.check_reason if r.proof else "")
        for r in material.rejected
    ]
    return ["\n".join(lines) or "No verdict contradicts another, or a known one."]


def _summary(lines: Sequence[Line], with_benchmark: bool) -> str:
    head = [*(["benchmark"] if with_benchmark else []), "method", *COUNTS, "score", "total s", "median s"]
    rows = []
    for line in lines:
        counted = line.score
        median = "" if counted.median_seconds is None else f"{counted.median_seconds:.3f}"
        names = [line.benchmark] if with_benchmark else []
        counts = [getattr(counted, count) for count in COUNTS]
        rows.append([*names, line.who.label, *counts, counted.points, f"{counted.total_seconds:.1f}", median])
    return table(head, rows, 1 + with_benchmark)


def _proofs(material: Material) -> list[str]:
    """Who has a proof; nothing where none was wanted."""
    lines = proof_lines(material)
    if not lines:
        return []
    head = ["benchmark", "method", "unsat", "proofs", "accepted", "rejected", "not checked", "share"]
    rows = [
        [
            line.benchmark or "all",
            line.who.label,
            *(line.score.asked, line.score.proofs, line.score.accepted, line.score.rejected),
            line.score.proofs - line.score.accepted - line.score.rejected,
            "" if line.score.share is None else f"{100 * line.score.share:.1f} %",
            "" if line.score.size is None else f"{line.score.size / 1000:.1f}",
            *("" if ratio is None else f"{ratio:.2f}" for ratio in (line.score.writing, line.score.checking)),
        ]
        for line in lines
    ]
    parts = ["## Proofs", table([*head, "median kB", "writing / verifying", "checking / verifying"], rows, 2)]
    without = reasons(material)
    if without:
        parts.append(table(["why there is none", "unsat"], without, 1))
    return parts


def _shares(found: Iterable[Cross]) -> str:
    rows = [[c.who.label, c.asked, c.verified, "" if c.share is None else f"{100 * c.share:.1f} %"] for c in found]
    return table(["method", "verified by complete ones", "of those also by it", "share"], rows, 1)


def _cross(cross: Cross) -> str:
    head = ["it says / they say", *cross.columns]
    return table(head, [[row, *(cross.counts[row, column] for column in cross.columns)] for row in cross.rows], 1)


def table(head: Sequence[str], rows: Iterable[Sequence[object]], left: int) -> str:
    """A table in Markdown, the first `left` columns to the left, the rest to the right."""
    rule = "|" + "|".join("---" if column < left else "---:" for column in range(len(head))) + "|"
    lines = ["| " + " | ".join(escaped(str(cell)) for cell in row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, within one cell of a table."""
    plain = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*\[\]|~])|(?<!\w)_|_(?!\w)", lambda found: "\\" + found.group(), plain)
