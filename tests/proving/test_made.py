"""What becomes of a verdict that is to be written down: it stays whatever goes wrong, and a line says what did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checker.claims import model_file, property_file
from verifier.deadline import Deadline
from verifier.proofs import write
from verifier.proofs.draft import GivenUp
from verifier.proving import Limits, budget, made
from verifier.proving.budget import Budget
from verifier.verdict import Status, Verdict, Witness

FILES = model_file("moons"), property_file("moons", "upper")
PLENTY = Limits(60.0)


def note(verdict: Verdict, limits: Limits = PLENTY, files: tuple[Path, Path] = FILES) -> str:
    return made(*files, verdict, None, limits).note


def test_it_says_what_it_is() -> None:
    assert note(Verdict(Status.UNSAT, "auto (crown)")).startswith("proof: ")
    outside = Witness(np.full(2, 1e6, np.float32), np.zeros(2), 1e6)
    witness = Witness(np.zeros(2, np.float32), np.zeros(2))
    assert note(Verdict(Status.SAT, "attack", witness=witness)).startswith("witness: ")
    told = "no proof: the witness misses the input set by 1e+06, within the tolerance asked for"
    assert note(Verdict(Status.SAT, "attack", witness=outside)) == told
    assert note(Verdict(Status.TIMEOUT, "auto")) == "no proof: there is none of timeout"


@pytest.mark.parametrize("method", ["milp", "sdp", "auto (split_neurons, milp)"])
def test_a_solvers_word_is_told_from_our_search(method: str) -> None:
    solver = "sdp" if method == "sdp" else "milp"
    assert note(Verdict(Status.UNSAT, method)).endswith(f"; by our own search, not by the word of {solver}'s solver")


def test_a_file_that_has_gone_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.vnnlib"
    assert str(gone) in note(Verdict(Status.UNSAT, "auto"), files=(FILES[0], gone))


def test_what_the_checker_cannot_read_has_no_witness(tmp_path: Path) -> None:
    (tmp_path / "later.vnnlib").write_text("(vnnlib-version <2.0>)\n")
    witness = Witness(np.zeros(2, np.float32), np.zeros(2))
    told = note(Verdict(Status.SAT, "attack", witness=witness), files=(FILES[0], tmp_path / "later.vnnlib"))
    assert told.startswith("no proof: the checker does not know all of it (")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (MemoryError(), "out of memory"),
        (RecursionError("maximum depth"), "its cases are nested too deep"),
        (GivenUp("two\nlines"), "two lines"),
        (ZeroDivisionError("by zero"), "a defect of verifier, please report it: ZeroDivisionError: by zero"),
    ],
)
def test_whatever_goes_wrong_is_a_line(error: Exception, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **named: Any) -> bytes:
        raise error

    monkeypatch.setattr(write, "proof_of", failing)
    assert note(Verdict(Status.UNSAT, "auto")) == f"no proof: {why}"


def test_a_budget_minds_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter([1e9, 1.05e9, 1.2e9])
    monkeypatch.setattr(budget, "_held", lambda: next(held))
    monkeypatch.setattr(budget, "INTERVAL", 0.0)
    watched: Deadline = Budget(60.0, 100.0)
    assert not watched.expired
    with pytest.raises(GivenUp, match="more than 100 MB of memory"):
        _ = watched.expired
    assert Budget(0.0).expired
