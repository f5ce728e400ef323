"""Trainings: interrupted or not the same, each method learns, and checkpoints of others are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.small import PARAMETERS, recipe
from verifier.errors import UsageError
from verifier.training.checkpoint import Checkpoint, Row
from verifier.training.data import load_split
from verifier.training.loop import Training, accuracy
from verifier.training.method import Moment
from verifier.training.perturb import ascend
from verifier.training.recipe import ArchitectureRecipe

SPLIT = load_split(recipe().data)


def weights(training: Training) -> list[np.ndarray]:
    return [value.numpy().copy() for value in training.network.state_dict().values()]


@pytest.mark.parametrize("method", PARAMETERS)
def test_resumed_is_bit_identical(method: str, tmp_path: Path) -> None:
    asked, path = recipe(method), tmp_path / "checkpoint.pt"
    whole = Training(asked, SPLIT)
    whole.run()

    def interrupt(row: Row) -> None:
        if row.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Training(asked, SPLIT).run(path, interrupt)
    torch.manual_seed(99)  # what else goes on in the process does not matter
    resumed = Training(asked, SPLIT, Checkpoint.read(path, asked.text, SPLIT.digest))
    assert len(resumed.rows) == 2
    resumed.run()
    assert all((a == b).all() for a, b in zip(weights(whole), weights(resumed), strict=True))
    assert [row.loss for row in whole.rows] == [row.loss for row in resumed.rows]


def test_seeds_differ_and_the_generator_is_left_alone() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    first = Training(recipe(epochs=1), SPLIT)
    first.run()
    assert (torch.rand(3) == expected).all()
    other = Training(replace(recipe(epochs=1), seed=2), SPLIT)
    assert any((a != b).any() for a, b in zip(weights(first), weights(other), strict=True))


@pytest.mark.parametrize("method", ["standard", "interval", "lipschitz"])
def test_networks_learn(method: str) -> None:
    training = Training(
        recipe(method, epochs=10, architecture=ArchitectureRecipe(widths=(32,)), batch=16, epsilon=0.01), SPLIT
    )
    network = training.run()
    assert training.rows[-1].loss < training.rows[0].loss
    assert accuracy(network, SPLIT.test_x, SPLIT.test_y) > 0.5


def test_checkpoints_of_others_and_damaged_ones(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(UsageError, match="no checkpoint"):
        Checkpoint.read(path, "", "")
    Training(recipe(epochs=1), SPLIT).run(path)
    with pytest.raises(UsageError, match="another recipe"):
        Checkpoint.read(path, recipe("noise").text, SPLIT.digest)
    changed = SPLIT.test_x.copy()
    changed[3, 5] += 0.25
    with pytest.raises(UsageError, match="samples are not those"):
        Checkpoint.read(path, recipe(epochs=1).text, replace(SPLIT, test_x=changed).digest)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UsageError, match="no readable checkpoint"):
        Checkpoint.read(path, recipe(epochs=1).text, SPLIT.digest)


def test_a_rate_too_large_is_told() -> None:
    with pytest.raises(UsageError, match="smaller rate"):
        Training(recipe(rate=1e30, optimiser="sgd"), SPLIT).run()


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_ascent_stays_inside_and_gains(norm: float) -> None:
    torch.manual_seed(0)
    x, direction = torch.rand(6, 64), torch.randn(64)
    moment = Moment(0.3, norm, (0.0, 1.0), 1.0)
    point = ascend(x, lambda p: (p @ direction).sum(), moment, 10)
    assert ((point >= 0) & (point <= 1)).all()
    assert ((point - x).norm(p=norm, dim=1) <= 0.3 * (1 + 1e-5)).all()
    if norm == math.inf:  # of a linear loss the maximum is known
        best = (x + 0.3 * direction.sign()).clamp(0, 1)
        assert torch.allclose(point @ direction, best @ direction, atol=1e-4)
    assert (point @ direction > x @ direction).all()
