"""Tiny networks asked by every method that proves: each `unsat` has a proof that doubles and rational numbers accept.

    python -m benchmarks.fuzz.methods [--seconds 3600] [--seed 0] [--only CASE]

A case draws a network of `benchmarks.fuzz.proofs`, piecewise linear, smooth or with products, with a threshold near its
smallest value. Wrong is an `unsat` beside a `sat`, a proof that is refused, and two ways of checking that differ.
"""

from __future__ import annotations

import sys

from benchmarks.fuzz.harness import Case, fuzz
from benchmarks.fuzz.proofs import said, tiny
from verifier import Options, Status, load_network, load_property
from verifier.checker.claim import read_property
from verifier.checker.model import read_model
from verifier.checker.proof import read_proof
from verifier.deadline import Deadline
from verifier.errors import VerifierError
from verifier.methods import METHODS, Task, method_named, run
from verifier.proofs.draft import GivenUp
from verifier.proofs.write import proof_of

LIMIT = 300.0
FALSIFIES = "attack"
"""What proves nothing, and takes all of its time to find nothing."""
SECONDS = 5.0
"""For a verdict, and for a proof."""


def work(case: Case) -> None:
    network, prop = tiny(case)
    read = load_network(network)
    asked, graph = read_property(prop), read_model(network)
    statuses = set()
    for method in sorted(set(METHODS) - {FALSIFIES}):
        task = Task(read, load_property(prop, read), Options(timeout=SECONDS))
        try:
            status = run(task, method_named(method)).status
        except VerifierError:
            case.count(f"{method}: not for such networks")
            continue
        case.count(f"{method}: {status.value}")
        statuses.add(status)
        if status is not Status.UNSAT:
            continue
        try:
            contents = proof_of(network, prop, Deadline(SECONDS), task.trails)
        except GivenUp as why:
            case.count(f"no proof: {' '.join(str(why).split())[:40]}")
            continue
        path = case.folder / f"{method}.npz"
        path.write_bytes(contents)
        for exact in (False, True):
            if why := said(graph, asked, read_proof(path), exact):
                case.blame("REFUSED", f"{method}, in rational numbers: {exact}: {why}")
        case.count("proofs accepted both ways")
    if {Status.SAT, Status.UNSAT} <= statuses:
        case.blame("WRONG", "methods contradict each other")


if __name__ == "__main__":
    sys.exit(min(1, fuzz("methods", work, LIMIT, __doc__)))
