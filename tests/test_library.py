"""The library's front door: what it shows, what wrong arguments are told, and what a verdict is asked."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier
from verifier.arguments import NORM, TIMEOUT, limits_written, norm_named, number_written
from verifier.checker.main import check
from verifier.verdict import Status, Verdict

ROOT = Path(__file__).resolve().parents[1]
MOONS = ROOT / "vnnlib_specs/onnx/moons.onnx"
PROPERTY = ROOT / "vnnlib_specs/vnnlib/moons_upper.vnnlib"
EVERYWHERE = ROOT / "vnnlib_specs/vnnlib/moons_everywhere.vnnlib"


def test_the_package_shows_its_names_and_version() -> None:
    assert {"verify", "load_network", "Verdict", "__version__"} <= set(dir(verifier))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert verifier.__version__ == project.get("version", verifier.__version__)


def test_a_verdict_is_asked_and_no_truth_value() -> None:
    verdict = Verdict(Status.UNSAT, "crown", 1.0)
    assert (verdict.proved, verdict.refuted) == (True, False)
    verdict = Verdict(Status.SAT, "attack")
    assert (verdict.proved, verdict.refuted) == (False, True)
    with pytest.raises(TypeError, match=r"verdict\.proved"):
        bool(verdict)


@pytest.mark.parametrize(
    ("bound", "told"),
    [(None, ""), (2.2e-308, "margin above 0"), (0.25, "margin at least 0.25"), (0.0, "margin at least 0")],
)
def test_margins_are_told_in_words(bound: float | None, told: str) -> None:
    assert Verdict(Status.UNSAT, "crown", bound).margin == told


WRONG: list[tuple[str, Callable[[Any, Any], Any]]] = [
    ("options", lambda n, q: verifier.verify(n, q, options={"timeout": 3})),
    ("method", lambda n, q: verifier.verify(n, q, ["crown"])),
    ("method", lambda n, q: verifier.verify(n, q, "corwn")),
    ("network", lambda n, q: verifier.verify(["net.onnx"], q)),
    ("query", lambda n, q: verifier.verify(n, ["prop.vnnlib"])),
    ("methods", lambda n, q: verifier.compare(n, q, "crown")),
    ("timeout", lambda n, q: verifier.Options(timeout="10")),
    ("timeout", lambda n, q: verifier.Options(timeout=math.nan)),
    ("seed", lambda n, q: verifier.Options(seed=0.5)),
    ("tighten", lambda n, q: verifier.Options(tighten="sdp")),
    ("methods", lambda n, q: verifier.RadiusOptions(methods="crown")),
    ("clip", lambda n, q: verifier.RadiusOptions(clip=(1, 0))),
    ("epsilons", lambda n, q: verifier.AccuracyOptions(epsilons="0.1")),
    ("epsilon", lambda n, q: verifier.robustness_query(n, np.zeros(2))),
    ("norm", lambda n, q: verifier.robustness_query(n, np.zeros(2), epsilon=0.1, norm="l3")),
    ("label", lambda n, q: verifier.radius(n, np.zeros(2), label=0.5)),
    ("labels", lambda n, q: verifier.accuracy(n, np.zeros((3, 2)), np.zeros(2, int), verifier.AccuracyOptions([0.1]))),
]


@pytest.mark.parametrize(("name", "call"), WRONG)
def test_wrong_arguments_are_named(name: str, call: Callable[[Any, Any], Any]) -> None:
    network = verifier.load_network(MOONS)
    query = verifier.load_property(PROPERTY, network)
    with pytest.raises(verifier.VerifierError, match=f"^{name}: ") as told:
        call(network, query)
    assert "--" not in str(told.value)


def test_defaults_are_the_same_everywhere() -> None:
    assert verifier.Options().timeout == verifier.RadiusOptions().timeout == TIMEOUT
    assert verifier.AccuracyOptions([0.1]).timeout == TIMEOUT
    assert verifier.AccuracyOptions([0.1]).norm == NORM
    network = verifier.load_network(MOONS)
    assert verifier.robustness_query(network, np.zeros(2), epsilon=0.1).disjuncts[0].box.ball is None


def test_numbers_as_people_write_them() -> None:
    assert number_written("8/255", "epsilon") == 8 / 255
    assert limits_written("0,1/2") == (0.0, 0.5)
    for word in ("inf", "Linf", "l_inf", "INF", math.inf):
        assert norm_named(word) == math.inf
    for word in ("2", "l2", "L2", 2, 2.0, np.int64(2)):
        assert norm_named(word) == 2
    for wrong in ("1/0", "a", "1/2/3", ""):
        with pytest.raises(verifier.VerifierError, match="epsilon"):
            number_written(wrong, "epsilon")


def test_the_classes_of_sample_and_counterexample_are_told() -> None:
    network = verifier.load_network(MOONS)
    sample = np.array([0.0, 1.0])
    near = verifier.verify(network, verifier.robustness_query(network, sample, epsilon=1e-3))
    assert "the sample's class is 0, as the network says" in near.detail
    far = verifier.verify(network, verifier.robustness_query(network, sample, epsilon=3.0))
    assert far.refuted
    assert "the counterexample's is 1" in far.detail or "tie" in far.detail
    wrong = verifier.verify(network, verifier.robustness_query(network, sample, 1, epsilon=1e-3))
    assert wrong.refuted
    assert "the network gives the sample itself class 0" in wrong.detail


def test_a_proof_is_written_beside_the_verdict(tmp_path: Path) -> None:
    network = verifier.load_network(MOONS)
    for prop, status, kind in ((PROPERTY, "unsat", "proof: "), (EVERYWHERE, "sat", "witness: ")):
        query = verifier.load_property(prop, network)
        verdict = verifier.verify(network, query, proof=tmp_path / "proof.npz")
        assert (verdict.status.value, verdict.proof[: len(kind)]) == (status, kind)
        assert check(MOONS, prop, tmp_path / "proof.npz") == ("accepted", "")
    assert verifier.verify(network, query).proof == ""


def test_a_proof_is_of_two_whole_files(tmp_path: Path) -> None:
    network = verifier.load_network(MOONS)
    query = verifier.load_property(PROPERTY, network)
    ball = verifier.robustness_query(network, np.zeros(2), epsilon=0.01)
    asked = [
        (replace(network, name="another"), query),
        (network, replace(query, note="another")),
        (network, ball),
        (verifier.load_network(MOONS, batch_index=0), query),
    ]
    for one, other in asked:
        with pytest.raises(verifier.VerifierError, match="proofs are of a model file and a property file"):
            verifier.verify(one, other, proof=tmp_path / "proof.npz")
    with pytest.raises(verifier.VerifierError, match="does not exist"):
        verifier.verify(network, query, proof=tmp_path / "nowhere" / "proof.npz")
    undecided = verifier.verify(network, query, "interval", proof=tmp_path / "proof.npz")
    assert undecided.proof == "no proof: there is none of unknown"
    assert not list(tmp_path.iterdir())
