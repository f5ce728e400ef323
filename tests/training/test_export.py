"""Exported networks say what the trained ones do, and their cards are true."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from tests.training.small import CONVOLUTIONAL, DENSE, recipe
from verifier.errors import ModelError
from verifier.evaluation.answers import Answer, SampleAnswers
from verifier.evaluation.evaluate import Accuracy
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.summary import summarised
from verifier.lipschitz.radii import Radius
from verifier.radii import certificates
from verifier.readers.onnx import load_network
from verifier.standing import Standing
from verifier.training import export as exporting
from verifier.training import measures
from verifier.training import run as running
from verifier.training.data import load_split
from verifier.training.export import export
from verifier.training.loop import Training
from verifier.training.recipe import ArchitectureRecipe, CardRecipe

SPLIT = load_split(recipe().data)


@pytest.mark.parametrize("architecture", [DENSE, CONVOLUTIONAL], ids=["dense", "convolutional"])
def test_the_runtime_and_the_reader_agree(architecture: ArchitectureRecipe, tmp_path: Path) -> None:
    network = Training(recipe(architecture=architecture), SPLIT).run()
    read = export(network, SPLIT.test_x[:5], tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(torch.from_numpy(SPLIT.test_x)).numpy()
    for x, y in zip(SPLIT.test_x, expected, strict=True):
        assert np.allclose(session.run(None, {"x": x[None]})[0][0], y, atol=1e-4)
    assert np.allclose(read.forward(SPLIT.test_x.astype(float)), expected, atol=1e-4)


def test_a_model_that_says_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, other = (Training(recipe(epochs=n), SPLIT).run() for n in (1, 2))
    honest = exporting.serialised
    monkeypatch.setattr(exporting, "serialised", lambda _, example: honest(other, example))
    with pytest.raises(ModelError, match="off by"):
        export(network, SPLIT.test_x[:5], tmp_path / "model.onnx")


@pytest.mark.parametrize("norm", ["2", "inf"])
def test_a_folder_has_it_all(norm: str, tmp_path: Path) -> None:
    asked = recipe("noise", norm=norm) if norm == "2" else recipe("interval")
    stages: list[str] = []
    card = running.train(asked, tmp_path / "net", observer=running.Observer(on_stage=stages.append))
    assert [stages[0], stages[-1]] == ["exporting", "measuring, 20 of 20 samples"]
    names = {path.name for path in (tmp_path / "net").iterdir()}
    assert names == {"model.onnx", "recipe.toml", "card.json", "card.md", "checkpoint.pt", "log.csv"}
    record = json.loads((tmp_path / "net/card.json").read_text())
    assert record["accuracy"] == card.accuracy
    assert (record["norm"], record["samples"], record["seed"]) == (norm, 20, 1)
    assert len((tmp_path / "net/log.csv").read_text().splitlines()) == 1 + asked.training.epochs
    assert not card.contradictions
    for measured in card.measured:
        for name, share in measured.certified.items():
            assert 0 <= share <= 1
            assert name == "smoothing" or share <= measured.attack
    again = running.train(asked, tmp_path / "net", resume=True)  # nothing is left to do, so nothing changes
    assert (again.accuracy, again.measured, again.seconds) == (card.accuracy, card.measured, card.seconds)


@pytest.mark.parametrize("kind", ["spectral", "bjorck"])
def test_zero_weights_that_have_no_norm_are_told(kind: str, tmp_path: Path) -> None:
    network = Training(recipe(architecture=ArchitectureRecipe(widths=(8,), dense=kind)), SPLIT).network.eval()
    torch.nn.init.zeros_(network[0].raw)
    with pytest.raises(ModelError, match=r"layer 0.weight: .*no numbers"):
        export(network, SPLIT.test_x[:5], tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_false_certificate_is_a_contradiction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = export(Training(recipe(), SPLIT).run(), SPLIT.test_x[:5], tmp_path / "model.onnx")
    lies = dict(certificates.CERTIFICATES)
    lies["cross-lipschitz"] = lambda question, deadline: Radius(1e3, 2.0, "a lie", Standing.CERTIFIED)
    monkeypatch.setattr(certificates, "CERTIFICATES", lies)
    asked = replace(recipe(), card=CardRecipe((0.5,), "2", 5, 2.0))
    found = running.measured_card(asked, network, SPLIT, 0.0)
    assert "cross-lipschitz proves 1000" in found.contradictions[0]
    assert json.loads(found.json())["contradictions"] == found.contradictions


def test_a_card_without_attacks_says_so() -> None:
    network = load_network(Path(__file__).parents[2] / "vnnlib_specs/onnx/digits_dense.onnx")
    asked = replace(recipe(), card=CardRecipe((0.1,), "2", 3, 5.0, ("cross-lipschitz",)))
    card = running.measured_card(asked, network, SPLIT, 0.0)
    assert card.measured[0].attack is None
    assert "not attacked" in card.markdown()
    assert json.loads(card.json())["measured"][0]["attack"] is None


def test_what_breaks_a_sample_counts_whoever_found_it() -> None:
    options = AccuracyOptions((0.1,), 2.0, ["crown"])
    proofs = Answer("crown", Standing.CERTIFIED, certified=0.1), Answer("crown", Standing.CERTIFIED, broken=0.05)
    answers = tuple(SampleAnswers(n, 0, 0, (answer,)) for n, answer in enumerate(proofs))
    one, both = (Accuracy(options, {}, some, summarised(some, options)) for some in (answers[:1], answers))
    assert measures.measured(one)[0].attack is None
    assert measures.measured(both)[0].attack == 0.5


@pytest.mark.parametrize("norm", ["2", "inf"])
def test_measures_agree_with_the_network(norm: str) -> None:
    network = load_network(Path(__file__).parents[2] / "vnnlib_specs/onnx/digits_dense.onnx")
    asked = replace(recipe(), card=CardRecipe((0.02, 0.05), norm, 8, 5.0))
    card = running.measured_card(asked, network, SPLIT, 0.0)
    assert card.accuracy == (network.forward(SPLIT.test_x.astype(float)).argmax(axis=1) == SPLIT.test_y).mean()
    assert (card.samples, card.contradictions) == (8, [])
    for found in card.measured:
        assert all(share <= found.attack for share in found.certified.values())
        assert norm == "2" or found.certified["crown"] <= found.certified["auto"]
    wrong = replace(SPLIT, test_y=(SPLIT.test_y + 1) % 10)
    shares = running.measured_card(asked, network, wrong, 0.0).measured[0]
    right = ((network.forward(SPLIT.test_x[:8].astype(float)).argmax(axis=1)) == wrong.test_y[:8]).mean()
    assert shares.attack <= right
    assert max(shares.certified.values()) <= right
