"""The command: `verifier check NET PROPERTY PROOF`, or `verifier-check`.

It says `accepted` with what was shown (`unsat`, or `sat` by a witness) and exits with 0; or `rejected` and the first
place that does not hold, with 1; or, where a file cannot be read, or the model or property has something that the
checker does not know, `error`, with 2.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from verifier.checker.bounds import Weak
from verifier.checker.check import Check
from verifier.checker.claim import read_property
from verifier.checker.files import digest_of_model, digest_of_property
from verifier.checker.graph import Unreadable
from verifier.checker.model import read_model
from verifier.checker.proof import read_proof
from verifier.checker.witness import check_witness, is_witness

BEYOND = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What a file may lead to that nobody thought of. What a caller's `progress` raises of its own is not among it."""
STATUS = {"accepted": 0, "rejected": 1, "error": 2}


def check(
    network: Path,
    prop: Path,
    proof: Path,
    exact: bool = False,
    progress: Callable[[int], None] = lambda done: None,
    workers: int = 1,
) -> tuple[str, str]:
    """What is said of a proof, or of a sat's witness: accepted, rejected or error, and why."""
    with np.errstate(all="ignore"):  # what is no number is known to be none
        return _said(network, prop, proof, exact, progress, workers)


def _said(
    network: Path, prop: Path, proof: Path, exact: bool, progress: Callable[[int], None], workers: int
) -> tuple[str, str]:
    try:
        if is_witness(proof):
            check_witness(network, prop, proof, exact)
            return "accepted", ""
        hints = read_proof(proof)
        digests = digest_of_model(network), digest_of_property(prop)
        recorded = hints.model, hints.property
        for name, path, found, meant in zip(("model", "property"), (network, prop), digests, recorded, strict=True):
            if found != meant:
                return "rejected", f"it is a proof about another {name} than {path}"
        Check(read_model(network), read_property(prop), hints, exact, progress, workers).run()
    except Weak as weak:
        return "rejected", str(weak)
    except (Unreadable, OSError) as error:
        return "error", str(error)
    except BEYOND as error:  # whatever a file makes of this program, it is no proof
        return "error", f"{type(error).__name__}: {' '.join(str(error).split())}"
    return "accepted", ""


def claimed(proof: Path) -> str:
    """What a file is to show: unsat, or sat."""
    return "sat" if is_witness(proof) else "unsat"


def _workers(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main() -> None:
    """Runs the command line."""
    about = "Check a proof that a property holds, or a witness that it does not."
    parser = argparse.ArgumentParser("verifier-check", description=about)
    parser.add_argument("network", type=Path, metavar="NET", help="ONNX model.")
    parser.add_argument("property", type=Path, metavar="PROPERTY", help="VNN-LIB property.")
    parser.add_argument("proof", type=Path, metavar="PROOF", help="What `verifier verify --proof` wrote.")
    parser.add_argument("--exact", action="store_true", help="In rational numbers; for small networks.")
    parser.add_argument("--workers", type=_workers, default=1, metavar="N", help="Parts checked at a time.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="Also write what is said as JSON.")
    asked = parser.parse_args()
    started = time.monotonic()
    said, why = check(asked.network, asked.property, asked.proof, asked.exact, workers=asked.workers)
    seconds = time.monotonic() - started
    claim = claimed(asked.proof)
    print(f"{said} {claim}" if said == "accepted" else said)
    if why:
        print(f"verifier-check: {why}", file=sys.stderr)
    if asked.json:
        record = {"verdict": said, "claim": claim, "reason": why, "seconds": round(seconds, 3), "exact": asked.exact}
        asked.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sys.exit(STATUS[said])


if __name__ == "__main__":
    main()
