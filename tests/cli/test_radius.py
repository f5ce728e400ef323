"""`verifier radius` as a user runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_verify import SPECS, run
from tests.cli.within import within
from tests.radii.models import write_relu_network
from verifier.lipschitz.radii import Radius
from verifier.radii import certificates
from verifier.standing import Standing

NET = SPECS / "onnx/digits_dense.onnx"


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """A network with two inputs, and samples without labels."""
    np.savez(tmp_path / "data.npz", x=np.array([[0.25, -0.5], [0.5, 0.75]]))
    return write_relu_network(tmp_path / "net.onnx", 1), tmp_path / "data.npz"


def test_digits(tmp_path: Path) -> None:
    files = "--json", tmp_path / "r.json", "--evidence", tmp_path / "e.json"
    options = "--norm", "2", "--clip", "0,1", "--timeout", 15, "--threads", 1
    done = run("radius", NET, "--data", "digits", "--samples", "0,3-4", *options, *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"^sample 3: \[0\.\d+, 0\.\d+\], from \S+ \(certified[a-z ]*\) to \S+ \(attack\); ", done.stdout, re.M
    )
    record = json.loads((tmp_path / "r.json").read_text())
    assert [sample["sample"] for sample in record["samples"]] == [0, 3, 4]
    for sample in record["samples"]:
        assert sample["label"] == sample["predicted"] == sample["sample"]
        assert 0 < sample["lower"] <= sample["upper"]
        assert not sample["crossings"]
        kinds = {(end["side"], end["standing"]) for end in sample["ends"]}
        kinds -= {("lower", "certified in real arithmetic")}  # where `auto` came to its MILP
        assert kinds == {("lower", "certified"), ("lower", "estimate"), ("upper", "attack")}
    assert not (tmp_path / "e.json").exists()


def test_a_small_network_and_its_picture(small: tuple[Path, Path], tmp_path: Path) -> None:
    options = "--methods", "fmn,crown,milp", "--picture", tmp_path / "p.svg", "--timeout", 10
    done = run("radius", small[0], "--data", small[1], "--samples", "1", "--norm", "1", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "exact within" in done.stdout
    assert "certified in real arithmetic" in done.stdout
    assert (tmp_path / "p.svg").read_bytes().startswith(b"<?xml")


def test_a_lying_certificate_is_shouted(
    small: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = dict(certificates.CERTIFICATES)
    lies["cross-lipschitz"] = lambda question, deadline: Radius(99.0, 2.0, "a lie", Standing.CERTIFIED)
    monkeypatch.setattr(certificates, "CERTIFICATES", lies)
    evidence = tmp_path / "e.json"
    options = ["--methods", "fmn,lipschitz,cross-lipschitz", "--norm", "2", "--evidence", str(evidence)]
    done = within("radius", str(small[0]), "--data", str(small[1]), *options)
    assert done.exit_code == 4
    assert "CROSSING at sample 0: cross-lipschitz lower 99 (certified) lies above fmn upper" in done.stderr
    (crossing,) = json.loads(evidence.read_text())["samples"][0]["crossings"]
    assert crossing["lower"]["value"] == 99
    assert len(crossing["upper"]["point"]) == 2
    monkeypatch.setattr(certificates, "CERTIFICATES", {**lies, "cross-lipschitz": lies["lipschitz"]})
    done = within("radius", str(small[0]), "--data", str(small[1]), *options)
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--samples", "2"), "--samples"),
        (("--samples", "x"), "--samples"),
        (("--norm", "3"), "0, 1, 2 or inf"),
        (("--norm", "0", "--methods", "fmn,crown"), "crown knows no 0-norm"),
        (("--clip", "1"), "--clip"),
        (("--clip", "0.3,1"), "outside the data's range"),
        (("--methods", "magic"), "no method 'magic'"),
        (("--methods", "ddn", "--norm", "1"), "1-norm"),
        (("--timeout", "inf"), "--timeout"),
        (("--gap", "0"), "gap"),
        (("--json", "/nowhere/r.json"), "--json"),
        (("--picture", "p.txt"), "--picture"),
        (("--samples", "0-1", "--picture", "p.svg"), "--picture"),
    ],
)
def test_wrong_options_are_told_in_one_line(small: tuple[Path, Path], options: tuple[str, ...], told: str) -> None:
    done = run("radius", small[0], "--data", small[1], *options)
    assert (done.returncode, done.stdout.split()[0]) == (2, "error")
    assert re.fullmatch(r"verifier: .*\n", done.stderr)
    assert told in done.stderr


def test_wrong_data_is_told_in_one_line(small: tuple[Path, Path], tmp_path: Path) -> None:
    for data in ("digits", "digit", tmp_path / "none.npz", small[0]):
        done = run("radius", small[0], "--data", data)
        assert (done.returncode, done.stdout.split()[0]) == (2, "error")
        assert re.fullmatch(r"verifier: .*\n", done.stderr)


def test_regions_and_images(tmp_path: Path) -> None:
    options = "--samples", "3", "--clip", "0,1", "--methods", "fmn,crown"
    files = "--regions", tmp_path / "r.svg", "--images", tmp_path / "i.png"
    done = run("radius", NET, "--data", "digits:test", *options, *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "r.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "i.png").read_bytes().startswith(b"\x89PNG")
    for extra, told in (
        (("--images", tmp_path / "i.gif"), "no kind of picture"),
        (("--images", tmp_path / "i.png", "--shape", "7x9"), "no image of 64 numbers"),
        (("--regions", tmp_path / "r.png", "--samples", "1,2"), "a picture of 2 samples"),
        (("--shape", "8x8"), "a shape without images"),
    ):
        done = run("radius", NET, "--data", "digits", *options, *extra)
        assert (done.returncode, done.stdout) == (2, "error\n")
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1
