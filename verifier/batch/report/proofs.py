"""Who has a proof: shares, sizes, and what writing and checking cost beside verifying."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from verifier.batch.proof_record import ACCEPTED, ERROR, REJECTED, ProofRecord
from verifier.batch.records import Result
from verifier.batch.report.material import Contender, Material
from verifier.verdict import Status

SHORTEST = 1e-3
"""Seconds that verifying counts as at least: what was decided faster says little beside a proof."""


@dataclass(frozen=True)
class ProofScore:
    """What became of the proofs of some results.

    Attributes:
        asked: how many `unsat` there are of which a proof was wanted.
        proofs: how many have one.
        checked: how many of those a checker was asked about.
        accepted, rejected, errors: what it said.
        size: median bytes of the files; None where there are none.
        writing, checking: median ratios of their times to the verifying's; None where there are none.
    """

    asked: int
    proofs: int
    checked: int
    accepted: int
    rejected: int
    errors: int
    size: float | None
    writing: float | None
    checking: float | None

    @property
    def share(self) -> float | None:
        """The part of the `unsat` that has an accepted proof, or, where none was checked, any."""
        if not self.asked:
            return None
        return (self.accepted if self.checked else self.proofs) / self.asked

    @property
    def told(self) -> str:
        """In one line."""
        parts = [f"proofs: {self.proofs} of {self.asked} unsat"]
        if self.checked:
            parts.append(f"{self.accepted} accepted, {self.rejected} rejected")
            parts += [f"{self.errors} could not be checked"] if self.errors else []
        if self.size is not None:
            parts.append(f"median {self.size / 1000:.1f} kB")
        return ", ".join(parts)


def wanted(results: Iterable[Result]) -> list[tuple[Result, ProofRecord]]:
    """The results of which a proof was wanted, with what became of it."""
    return [(r, r.proof) for r in results if r.verdict is Status.UNSAT and r.proof is not None]


def proof_score(results: Iterable[Result]) -> ProofScore:
    """Counts what became of proofs."""
    pairs = wanted(results)
    written = [(result, proof) for result, proof in pairs if proof.path]
    checked = [(result, proof) for result, proof in written if proof.checked]
    said = [proof.checked for _, proof in checked]
    return ProofScore(
        asked=len(pairs),
        proofs=len(written),
        checked=len(checked),
        accepted=said.count(ACCEPTED),
        rejected=said.count(REJECTED),
        errors=said.count(ERROR),
        size=_median(float(proof.size) for _, proof in written),
        writing=_median(proof.seconds / max(SHORTEST, result.seconds) for result, proof in written),
        checking=_median(proof.check_seconds / max(SHORTEST, result.seconds) for result, proof in checked),
    )


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return median(known) if known else None


@dataclass(frozen=True)
class ProofLine:
    """A line of the summary: one benchmark ("" for all of them) by one method in one run."""

    benchmark: str
    who: Contender
    score: ProofScore


def proof_lines(material: Material) -> list[ProofLine]:
    """All benchmarks together, then each, by each method in each run of which proofs were wanted."""
    lines = []
    for benchmark in ("", *material.benchmarks):
        for who, results in material.by_contender.items():
            counted = proof_score(r for r in results if benchmark in ("", r.benchmark))
            if counted.asked:
                lines.append(ProofLine(benchmark, who, counted))
    return lines


def reasons(material: Material) -> list[tuple[str, int]]:
    """Why there is no proof, the most frequent reason first."""
    counts: dict[str, int] = {}
    for _, proof in wanted(material.results):
        if not proof.path:
            counts[proof.reason] = counts.get(proof.reason, 0) + 1
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
