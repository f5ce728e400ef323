"""Exported networks say what the trained ones do, and their cards are true."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from tests.training.small import CONVOLUTIONAL, DENSE, recipe
from verifier.errors import ModelError
from verifier.readers.onnx import load_network
from verifier.training import export as exporting
from verifier.training import measures
from verifier.training import run as running
from verifier.training.card import Card
from verifier.training.data import load_split
from verifier.training.export import export
from verifier.training.loop import Training
from verifier.training.measures import Samples, attacked, measure, smoothed_radii
from verifier.training.recipe import ArchitectureRecipe

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
    card = running.train(asked, tmp_path / "net")
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


def test_a_false_certificate_is_a_contradiction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = export(Training(recipe(), SPLIT).run(), SPLIT.test_x[:5], tmp_path / "model.onnx")
    samples = Samples(network, SPLIT.test_x[:5], SPLIT.test_y[:5], 2.0, (0.0, 1.0))
    monkeypatch.setattr(measures, "_radii", lambda s: {"cross-lipschitz": np.full(len(s.x), 1e3)})
    measured = measure(samples, (100.0,), 1.0, None)
    assert len(measured[0].contradictions) == 5
    assert "sample 0: cross-lipschitz proves 100" in Card(recipe(), 1.0, 5, 5, measured, 0.0).contradictions[0]


def test_measures_agree_with_the_network(tmp_path: Path) -> None:
    network = load_network(Path(__file__).parents[2] / "vnnlib_specs/onnx/digits_dense.onnx")
    samples = Samples(network, SPLIT.test_x[:8], SPLIT.test_y[:8], math.inf, (0.0, 1.0))
    distances = attacked(samples)
    for epsilon in (0.02, 0.05):
        (found,) = measure(samples, (epsilon,), 5.0, None)
        assert found.attack == (distances > epsilon).mean()
        assert found.certified["crown"] <= found.certified["auto"] <= found.attack
    wrong = Samples(network, samples.x, (samples.y + 1) % 10, math.inf, (0.0, 1.0))
    assert (attacked(wrong) == 0).all()
    assert measure(wrong, (0.01,), 5.0, None)[0].certified == {"crown": 0.0, "auto": 0.0}
    assert (smoothed_radii(wrong, 0.05) == 0).all()
