"""`verifier check NET PROPERTY PROOF`: check a proof, by code that shares nothing with what wrote it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from verifier.cli.options import flag, option, whole, word
from verifier.cli.output import complain, say


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is claimed, and the proof of it."""

    network: Path = word(Path, "NET", "ONNX model, .onnx or .onnx.gz.")
    prop: Path = word(Path, "PROPERTY", "VNN-LIB 1.0 property, .vnnlib or .vnnlib.gz.")
    proof: Path = word(Path, "PROOF", "What `verifier verify --proof` wrote.")


@dataclass(frozen=True, kw_only=True)
class How:
    """How it is checked."""

    exact: bool = flag("In rational numbers instead of doubles with their rounding covered; for small networks.")
    workers: int = option(whole(1), 1, "Parts of the proof that are checked at a time.")
    json: Path | None = option(Path, None, "Also write what is said as JSON.")


def check(claim: Claim, how: How) -> int:
    """Check a proof that a property holds, or a witness that it does not.

    The checker (verifier/checker) reads model, property and proof by code of its own and computes every bound anew: no
    number in a proof can make a false claim pass. The first word printed is accepted, rejected or error; after accepted
    comes what was shown, unsat or sat. Exit status: 0 accepted, 1 rejected (the first place that does not hold is
    told), 2 where something cannot be read or is not known to the checker. `verifier-check` is the same as a program of
    its own.

    Examples:

    verifier check net.onnx prop.vnnlib proof.npz

    verifier check net.onnx prop.vnnlib proof.npz --exact --json checked.json

    verifier check net.onnx prop.vnnlib proof.npz --workers 4
    """
    from threadpoolctl import threadpool_limits

    from verifier.checker.main import STATUS, claimed
    from verifier.checker.main import check as checked
    from verifier.cli.live import LiveLine
    from verifier.evidence.result_files import check_writable, write_whole

    if how.json is not None:
        check_writable(how.json, "--json")
    started = time.monotonic()
    line = LiveLine(lambda: time.monotonic() - started, "checking")
    line.start()
    try:
        with threadpool_limits(limits=1):  # the matrices are small
            said, why = checked(claim.network, claim.prop, claim.proof, how.exact, line.cases, how.workers)
    finally:
        line.stop()
    seconds, what = time.monotonic() - started, claimed(claim.proof)
    parts = what if said == "accepted" else "", "in rational numbers" if how.exact else "", f"{seconds:.2f} s"
    say(said if said == "error" else f"{said}  {', '.join(filter(None, parts))}")
    if why:
        complain(f"verifier: {why}")
    if how.json is not None:
        record = {"verdict": said, "claim": what, "reason": why, "seconds": round(seconds, 3), "exact": how.exact}
        write_whole(how.json, json.dumps(record, indent=1) + "\n")
    return STATUS[said]
