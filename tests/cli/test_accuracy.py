"""`verifier accuracy` as a user runs it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_verify import SPECS, run
from tests.cli.within import within
from tests.evaluation.linear import write_linear
from tests.evaluation.test_evaluate import WEIGHT, samples
from verifier.lipschitz.radii import Radius
from verifier.radii import certificates
from verifier.standing import Standing

NET = SPECS / "onnx/digits_dense.onnx"


def test_digits(tmp_path: Path) -> None:
    options = "--samples", "0-3", "--norm", "2", "--epsilons", "0.1,0.3", "--clip", "0,1", "--workers", "2"
    methods = "--methods", "fast-bisection,cross-lipschitz,crown,smoothing", "--draws", "1000"
    command = "accuracy", NET, "--data", "digits", *options, *methods, "--output", tmp_path / "out"
    done = run(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "certified by any method" in done.stdout
    assert "smoothing, of the smoothed network" in done.stdout
    rows = list(csv.DictReader((tmp_path / "out/samples.csv").open()))
    assert len(rows) == 16
    assert {row["about"] for row in rows if row["method"] == "smoothing"} == {"smoothed network"}
    assert json.loads((tmp_path / "out/summary.json").read_text())["samples"] == 4
    assert (tmp_path / "out/curve.png").read_bytes().startswith(b"\x89PNG")
    again = run(*command)
    assert (again.returncode, again.stdout) == (2, "error\n")
    assert "add --resume" in again.stderr
    resumed = run(*command, "--resume")
    assert (resumed.returncode, resumed.stdout) == (0, done.stdout)


def test_a_narrow_table_keeps_names_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data = samples(3)
    np.savez(tmp_path / "data.npz", x=data.x[1:], y=data.labels[1:])
    net = write_linear(tmp_path / "net.onnx", WEIGHT)
    options = ["--norm", "2", "--epsilons", "0.01,0.02,0.03,0.04,0.05,0.06,0.08", "--methods", "cross-lipschitz"]
    told = within("accuracy", str(net), "--data", str(tmp_path / "data.npz"), *options, "--workers", "1").stdout
    assert "100.0 %" in told
    assert " cross-lipschitz " in told
    assert max(len(line) for line in told.splitlines()) <= 80


def test_a_crossing_is_shouted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lies = dict(certificates.CERTIFICATES)
    lies["cross-lipschitz"] = lambda question, deadline: Radius(99.0, 2.0, "a lie", Standing.CERTIFIED)
    monkeypatch.setattr(certificates, "CERTIFICATES", lies)
    data = samples(3)
    np.savez(tmp_path / "data.npz", x=data.x, y=data.labels)
    net = write_linear(tmp_path / "net.onnx", WEIGHT)
    options = ["--norm", "2", "--epsilons", "0.1", "--methods", "fmn,cross-lipschitz", "--workers", "1"]
    evidence = tmp_path / "evidence.json"
    done = within("accuracy", str(net), "--data", str(tmp_path / "data.npz"), *options, "--evidence", str(evidence))
    assert done.exit_code == 4
    assert "CROSSING at sample 1: cross-lipschitz proves 99" in done.stderr
    assert json.loads(evidence.read_text())["samples"][0]["answers"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--epsilons", "a"), "no list of sizes"),
        (("--epsilons", "0"), "an epsilon that is no size"),
        (("--epsilons", "0.1", "--methods", "magic"), "no method 'magic'"),
        (("--epsilons", "0.1", "--resume"), "nothing to go on from"),
        (("--epsilons", "0.1", "--samples", "9999"), "no samples 9999"),
        (("--epsilons", "0.1", "--norm", "3"), "a norm '3'"),
        (("--epsilons", "0.1", "--sigma", "0"), "sigma = 0"),
        (("--epsilons", "0.1", "--output", "/dev/null/x"), "cannot be made"),
    ],
)
def test_mistakes_are_one_line(options: tuple[str, ...], told: str) -> None:
    done = run("accuracy", NET, "--data", "digits", *options)
    assert (done.returncode, done.stdout) == (2, "error\n")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
