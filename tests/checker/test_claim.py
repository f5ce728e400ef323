"""What a claim is about: conditions that the checker does not use only make it smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checker.claims import SPECS
from verifier.checker.claim import Claim, read_property
from verifier.deadline import Deadline
from verifier.proofs.draft import GivenUp
from verifier.proofs.write import proof_of

HEAD = """(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)
(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= X_1 0))(assert (<= X_1 1))
"""


def claim(folder: Path, rest: str) -> Claim:
    (folder / "p.vnnlib").write_text(HEAD + rest + "\n")
    return read_property(folder / "p.vnnlib")


def test_rows_over_inputs_leave_box_and_rows_alone(tmp_path: Path) -> None:
    plain = claim(tmp_path, "(assert (<= Y_0 3))")
    for row in ("(<= (+ X_0 X_1) 1)", "(>= Y_0 X_0)", "(<= (* 2 X_0) (- X_1 1))"):
        assert claim(tmp_path, f"(assert {row})(assert (<= Y_0 3))") == plain
        assert claim(tmp_path, f"(assert (and {row} (<= Y_0 3)))") == plain


def test_a_row_of_the_disjunction_is_still_one_of_its_cases(tmp_path: Path) -> None:
    """It is left without a row of its own, and so cannot be excluded."""
    several = claim(tmp_path, "(assert (or (<= (+ X_0 X_1) 1) (<= Y_0 3)))").disjuncts
    assert [len(disjunct.rows) for disjunct in several] == [0, 1]


def test_what_has_no_row_of_its_own_has_no_proof(tmp_path: Path) -> None:
    declared = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
    box = "".join(f"(assert (>= X_{k} 0))(assert (<= X_{k} 1))" for k in (0, 1))
    (tmp_path / "p.vnnlib").write_text(f"{declared}{box}(assert (<= Y_0 X_0))\n")
    with pytest.raises(GivenUp, match="no row over outputs"):
        proof_of(SPECS / "onnx" / "moons.onnx", tmp_path / "p.vnnlib", Deadline(5))
