"""Proofs from the shell: written beside an unsat, and checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_verify import FAILS, HOLDS, run


def test_a_proof_is_written_and_accepted(tmp_path: Path) -> None:
    proof = tmp_path / "proof.npz"
    done = run("verify", *HOLDS, "--proof", proof)
    assert (done.returncode, done.stderr) == (0, "")
    assert "proof: " in done.stdout
    for option in ((), ("--exact",)):
        checked = run("check", *HOLDS, proof, "--json", tmp_path / "said.json", *option)
        assert (checked.returncode, checked.stdout.split()[0]) == (0, "accepted")
        assert json.loads((tmp_path / "said.json").read_text())["verdict"] == "accepted"


def test_of_what_fails_it_is_the_witness(tmp_path: Path) -> None:
    witness, said = tmp_path / "witness.npz", tmp_path / "said.json"
    done = run("verify", *FAILS, "--proof", witness, "--json", tmp_path / "verdict.json")
    assert done.returncode == 1
    assert "witness: 0." in done.stdout
    assert json.loads((tmp_path / "verdict.json").read_text())["proof"].startswith("witness: ")
    checked = run("check", *FAILS, witness, "--json", said)
    assert (checked.returncode, checked.stdout.split()[:2]) == (0, ["accepted", "sat,"])
    assert json.loads(said.read_text())["claim"] == "sat"


def test_a_proof_that_is_too_large_is_given_up(tmp_path: Path) -> None:
    done = run("verify", *HOLDS, "--proof", tmp_path / "proof.npz", "--proof-size", "0.001")
    assert (done.returncode, done.stdout.split()[0]) == (0, "unsat")
    assert "more than the 0.001 MB allowed" in done.stdout
    assert not (tmp_path / "proof.npz").exists()


def test_a_solvers_word_is_not_the_proof(tmp_path: Path) -> None:
    done = run("verify", *HOLDS, "--method", "milp", "--proof", tmp_path / "proof.npz")
    assert "by our own search, not by the word of milp's solver" in done.stdout
    checked = run("check", *HOLDS, tmp_path / "proof.npz", "--workers", 2)
    assert (checked.returncode, checked.stdout.split()[:2]) == (0, ["accepted", "unsat,"])


def test_another_property_is_rejected(tmp_path: Path) -> None:
    run("verify", *HOLDS, "--proof", tmp_path / "proof.npz")
    done = run("check", HOLDS[0], FAILS[1], tmp_path / "proof.npz")
    assert (done.returncode, done.stdout.split()[0]) == (1, "rejected")
    assert "another property" in done.stderr


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all"])
def test_what_is_no_proof_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "proof.npz").write_bytes(content)
    done = run("check", *HOLDS, tmp_path / "proof.npz")
    assert (done.returncode, done.stdout) == (2, "error\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_ball_has_no_proof_and_says_so(tmp_path: Path) -> None:
    sample = Path(HOLDS[0]).parents[1] / "samples" / "three.csv"
    asked = ("--around", sample, "--norm", 2, "--epsilon", 0.1)
    done = run("verify", HOLDS[0], *asked, "--proof", tmp_path / "proof.npz")
    assert (done.returncode, "no proof" in done.stdout) == (0, True)
