"""`verifier verify NET --around SAMPLE`: what it decides, what it writes, and what it refuses in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

import verifier
from tests.cli.test_verify import HOLDS, SPECS, run
from verifier.errors import PropertyError

NET = SPECS / "onnx/digits_dense.onnx"
THREE = load_digits().data[3] / 16


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    np.save(tmp_path / "three.npy", THREE.astype(np.float32))
    return tmp_path / "three.npy"


def test_small_balls_are_proved_and_large_ones_falsified(sample: Path, tmp_path: Path) -> None:
    for norm, small, large in (("2", 0.4, 0.8), ("1", 0.5, 3.0), ("inf", 0.03, 0.3)):
        done = run("verify", NET, "--around", sample, "--norm", norm, "--epsilon", small, "--clip", "0,1")
        assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "unsat", "")
        files = ("--json", tmp_path / "r.json", "--result", tmp_path / "r.txt")
        done = run("verify", NET, "--around", sample, "--norm", norm, "--epsilon", large, "--clip", "0,1", *files)
        assert (done.returncode, done.stdout.split()[0], done.stderr) == (1, "sat", "")
        record = json.loads((tmp_path / "r.json").read_text())
        x = np.array(record["witness"]["x"])
        assert np.linalg.norm(x - THREE, float(norm)) <= large + 1e-12
        assert x.min() >= 0
        assert x.max() <= 1
        assert np.argmax(record["witness"]["y"]) != 3 or np.ptp(np.sort(record["witness"]["y"])[-2:]) == 0
        assert record["property"] is None
        assert record["around"]["norm"] == (norm if norm == "inf" else int(norm))
        assert (tmp_path / "r.txt").read_text().startswith("sat\n((X_0 ")


def test_a_wrong_label_is_falsified_at_once(sample: Path) -> None:
    done = run("verify", NET, "--around", sample, "--norm", "2", "--epsilon", "0.001", "--label", "4")
    assert (done.returncode, done.stdout.split()[0]) == (1, "sat")


def test_a_property_is_asked_within_the_ball(tmp_path: Path) -> None:
    """Every point of the plane violates this property somewhere, but not near a point of one class."""
    net, everywhere = SPECS / "onnx/moons.onnx", SPECS / "vnnlib/moons_everywhere.vnnlib"
    network, query = verifier.load_network(net), verifier.load_property(everywhere)
    witness = verifier.verify(network, query).witness
    assert witness is not None
    box = query.disjuncts[0].box
    samples = np.random.default_rng(0).uniform(box.lower, box.upper, (200, 2))
    values = network.forward(samples)
    inner = next(x for x, y in zip(samples, values, strict=True) if not query.violated(x.astype(np.float32), y))
    for place, verdict in ((witness.x, "sat"), (inner, "unsat")):
        (tmp_path / "s.csv").write_text(",".join(map(repr, map(float, place))))
        done = run("verify", net, everywhere, "--around", tmp_path / "s.csv", "--norm", "2", "--epsilon", "1e-3")
        assert done.stdout.split()[0] == verdict


def test_a_ball_that_misses_the_data_is_an_error(sample: Path) -> None:
    """Where the data's range leaves nothing of the ball, and where it only excludes the sample."""
    for clip in ("2,3", "0.5,1"):
        done = run("verify", NET, "--around", sample, "--norm", "2", "--epsilon", "0.5", "--clip", clip)
        assert (done.returncode, done.stdout.split()[0]) == (2, "error")
        assert "outside the data's range" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--norm", "2"), "--epsilon"),
        (("--epsilon", "1", "--norm", "3"), "1, 2 or inf"),
        (("--epsilon", "nan"), "radius"),
        (("--epsilon", "-1"), "radius"),
        (("--epsilon", "1", "--clip", "1,0"), "--clip"),
        (("--epsilon", "1", "--clip", "0"), "--clip"),
        (("--epsilon", "1", "--label", "10"), "class 10"),
        (("--epsilon", "1", "--label", "-1"), "class -1"),
    ],
)
def test_wrong_options_are_told_in_one_line(sample: Path, options: tuple[str, ...], told: str) -> None:
    done = run("verify", NET, "--around", sample, *options)
    assert (done.returncode, done.stdout.split()[0]) == (2, "error")
    assert re.fullmatch(r"verifier: .*\n", done.stderr)
    assert told in done.stderr


def test_what_misses_its_other_half_is_refused(sample: Path, tmp_path: Path) -> None:
    for arguments in (
        (NET,),
        (*HOLDS, "--epsilon", "1"),
        (*HOLDS, "--clip", "0,1"),
        (*HOLDS, "--around", sample, "--epsilon", "1", "--label", "3"),
        (NET, "--around", sample, "--epsilon", "1", "--json", sample),
        (NET, "--around", tmp_path / "none.npy", "--epsilon", "1"),
    ):
        done = run("verify", *arguments)
        assert (done.returncode, done.stdout.split()[0]) == (2, "error")
        assert re.fullmatch(r"verifier: .*\n", done.stderr)


def test_the_library_asks_the_same() -> None:
    network = verifier.load_network(NET)
    query = verifier.robustness_query(network, THREE.reshape(8, 8), None, 0.4, 2, (0, 1))
    assert len(query.disjuncts) == 9
    assert isinstance(query.disjuncts[0].box.ball, verifier.Ball)
    assert verifier.verify(network, query).status == "unsat"
    for wrong in (THREE[:5], np.full(64, np.nan)):
        with pytest.raises(PropertyError):
            verifier.robustness_query(network, wrong, None, 0.4, 2)
    for epsilon, norm in ((0.4, 3), (-1.0, 2), (np.inf, 1)):
        with pytest.raises(verifier.VerifierError):
            verifier.robustness_query(network, THREE, 3, epsilon, norm)
